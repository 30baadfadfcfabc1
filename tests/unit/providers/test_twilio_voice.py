"""What only Twilio's phone calls do. The rest is in test_contract.py, the fold in test_call.py."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode
from xml.etree.ElementTree import Element, fromstring

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import Start, VoiceResponse

from functions.webhook_intake.logic import take_in
from infra.local.clients.twilio_voice import sign
from infra.local.outbox import Outbox
from infra.local.simulators.base import SimulatedRequest
from shared.domain.errors import SendDelayed, SendRefused
from shared.domain.sending import OutboundFile
from shared.domain.touchpoint import (
    Call,
    CallState,
    Channel,
    Choice,
    Direction,
    Touchpoint,
    TouchpointState,
)
from shared.providers.base import HttpRequest, HttpResponse, WebhookRequest, find_provider
from tests.fake_ledger import FakeLedger
from tests.fakes import FakeClock
from tests.unit.overriding import House
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases, fetch, received
from tests.unit.providers.sending import message_of, message_to, prepared, simulated
from tests.unit.providers.test_twilio import Transport

PROVIDER = find_provider("twilio_voice")
SECRET = PROVIDER.read_secret(SECRETS["twilio_voice"])
TOKEN = SECRETS["twilio_voice"]["auth_tokens"][0]
OURS, THEIRS = "+15557122661", "+15558675310"
URL = "https://passerelle.example/webhooks/twilio_voice"
CASES = {case.name: case for case in cases() if case.provider == "twilio_voice"}


def official_signature(case: Case, url: str) -> str:
    fields = dict(parse_qsl(case.call.body.decode(), keep_blank_values=True))
    is_form = "form" in case.call.headers.get("content-type", "")
    signature: str = RequestValidator(TOKEN).compute_signature(url, fields if is_form else {})
    return signature


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_request_signed_by_twilios_library_is_taken(case: Case) -> None:
    call = sign(case.call, SECRETS["twilio_voice"], NOW)
    official = official_signature(case, call.url)
    assert call.headers["X-Twilio-Signature"] == official
    signed = {**case.call.headers, "X-Twilio-Signature": official}
    PROVIDER.verify(received("twilio_voice", replace(call, headers=signed)), SECRET, fetch)


def with_fields(name: str, **changes: str) -> WebhookRequest:
    case = CASES[name]
    fields = {**dict(parse_qsl(case.call.body.decode(), keep_blank_values=True)), **changes}
    return replace(case.request, body=urlencode(fields).encode())


def seen(name: str, **changes: str) -> Touchpoint:
    [one] = PROVIDER.parse(with_fields(name, **changes), SECRET, NOW)
    return one.touchpoint


def call_of(touchpoint: Touchpoint) -> Call:
    assert isinstance(touchpoint.content, Call)
    return touchpoint.content


def told_to_caller(name: str, lines: list[dict[str, Any]] | None = None, **changes: str) -> str:
    content = (
        SECRETS["twilio_voice"] if lines is None else SECRETS["twilio_voice"] | {"lines": lines}
    )
    secret = PROVIDER.read_secret(content)
    request = with_fields(name, **changes)
    answer = PROVIDER.answer(request, secret, PROVIDER.parse(request, secret, NOW))
    assert (answer.status, answer.content_type) == (200, "text/xml")
    return answer.body


def as_read(document: str | VoiceResponse) -> tuple[Any, ...]:
    return _tree(fromstring(str(document)))


def _tree(element: Element) -> tuple[Any, ...]:
    return element.tag, dict(element.attrib), element.text or "", [_tree(one) for one in element]


def test_a_greeting_and_a_voicemail_as_twilios_library_writes_them() -> None:
    theirs = VoiceResponse()
    theirs.say(
        "Welcome to the boutique. Nobody can take your call right now: please leave a message.",
        language="en-US",
    )
    theirs.record(
        action=URL,
        max_length=120,
        play_beep=True,
        recording_status_callback=URL,
        transcribe=True,
        transcribe_callback=URL,
    )
    assert as_read(told_to_caller("incoming")) == as_read(theirs)


def test_a_call_is_put_through_as_twilios_library_writes_it() -> None:
    theirs = VoiceResponse()
    theirs.say("Bienvenue à la boutique, nous vous mettons en relation.", language="fr-FR")
    theirs.dial(timeout=20, action=URL).number("+33170000001")
    assert as_read(told_to_caller("incoming_forwarded")) == as_read(theirs)


def test_in_vain_the_caller_may_leave_a_message_in_their_language() -> None:
    theirs = VoiceResponse()
    theirs.say(
        "Personne n'est disponible. Laissez-nous un message après le signal.", language="fr-FR"
    )
    start = Start()
    start.transcription(
        status_callback_url=URL,
        language_code="fr-FR",
        track="inbound_track",
        partial_results=False,
    )
    theirs.append(start)
    theirs.record(action=URL, max_length=120, play_beep=True, recording_status_callback=URL)
    assert as_read(told_to_caller("dial_not_answered")) == as_read(theirs)


def test_what_the_company_writes_is_escaped() -> None:
    hostile = 'Tom & Jerry\'s <Hangup/> "now"\x00\x1b \ud7ff é 😀'
    line = {"number": OURS, "greeting": hostile, "voice": "Polly.Joanna-Neural"}
    theirs = VoiceResponse()
    clean = 'Tom & Jerry\'s <Hangup/> "now" \ud7ff é 😀'
    theirs.say(clean, language="en-US", voice="Polly.Joanna-Neural")
    theirs.hangup()
    assert as_read(told_to_caller("incoming", [line | {"record": False}])) == as_read(theirs)


def test_without_words_the_tone_alone_is_heard() -> None:
    told = told_to_caller("incoming", [{"number": OURS, "transcribe": False}])
    [record] = fromstring(told)
    assert record.tag == "Record" and "transcribe" not in record.attrib


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("incoming_to_another_number", '<Response><Reject reason="busy"/></Response>'),
        ("dial_answered", "<Response><Hangup/></Response>"),
        ("record_action", "<Response><Hangup/></Response>"),
        ("recording_ready", "<Response/>"),
        ("status_completed", "<Response/>"),
        ("live_content", "<Response/>"),
        ("leg_answered", "<Response/>"),
        ("without_a_call", "<Response/>"),
    ],
)
def test_everything_else_ends_or_asks_for_nothing(name: str, told: str) -> None:
    assert told_to_caller(name) == told


def test_a_line_without_a_voicemail_ends_after_a_call_in_vain() -> None:
    line = {"number": "+33170000000", "forward_to": "+33170000001", "record": False}
    assert told_to_caller("dial_not_answered", [line]) == "<Response><Hangup/></Response>"


def test_an_account_of_its_own_is_called_back_at_its_own_address() -> None:
    request = replace(with_fields("incoming"), url=f"{URL}/milano?a=b")
    answer = PROVIDER.answer(request, SECRET, PROVIDER.parse(request, SECRET, NOW))
    assert fromstring(answer.body)[1].attrib["action"] == f"{URL}/milano"


@pytest.mark.parametrize(
    ("verstat", "proof"),
    [
        ("TN-Validation-Passed-A", "attested"),
        ("TN-Validation-Passed-B", None),
        ("TN-Validation-Passed-C", None),
        ("TN-Validation-Failed-A", None),
        ("No-TN-Validation", None),
        ("", None),
    ],
)
def test_only_full_attestation_vouches_for_a_caller(verstat: str, proof: str | None) -> None:
    assert seen("incoming", StirVerstat=verstat).proof == proof


@pytest.mark.parametrize("hidden", ["+266696687", "+86282452253", "+7378742833", "anonymous", ""])
def test_who_hides_is_nobody_and_cannot_be_called(hidden: str) -> None:
    one = seen("incoming", From=hidden)
    assert one.identifiers == ()
    assert (one.endpoint, one.proof, one.name) == (None, None, None)


@pytest.mark.parametrize(
    ("stated", "at"),
    [
        ("Sun, 22 Nov 2026 11:58:02 +0000", "2026-11-22T11:58:02Z"),
        ("Sun, 22 Nov 2026 12:58:02 +0100", "2026-11-22T11:58:02Z"),
        ("2026-11-22T11:58:02Z", "2026-11-22T11:58:02Z"),
        ("2026-11-22T11:58:02", "2026-11-22T11:58:02Z"),
        ("yesterday", "2026-11-22T12:00:00Z"),
        ("Sun, 99 Nov 2026 11:58:02 +0000", "2026-11-22T12:00:00Z"),
        ("Fri, 22 Nov 2097 11:58:02 +0000", "2026-11-22T12:00:00Z"),
    ],
)
def test_moments_as_twilio_writes_them(stated: str, at: str) -> None:
    one = seen("status_completed", Timestamp=stated).model_dump(mode="json")
    assert one["occurred_at"] == at


def test_words_that_are_not_certain_yet_or_empty_are_no_words() -> None:
    assert call_of(seen("live_content", Final="false")).heard == ()
    assert call_of(seen("live_content", TranscriptionData='{"transcript": ""}')).heard == ()


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({"DialCallStatus": "busy"}, False),
        ({"DialCallStatus": "failed"}, False),
        ({"DialCallStatus": "completed", "DialBridged": "false"}, False),
        ({"DialCallStatus": "answered", "DialBridged": ""}, True),
    ],
)
def test_forwarding_reached_somebody_or_nobody(changes: dict[str, str], reached: bool) -> None:
    assert call_of(seen("dial_not_answered", **changes)).reached_person is reached


def test_a_leg_that_was_not_taken_tells_nothing() -> None:
    assert call_of(seen("leg_answered", CallStatus="no-answer")).reached_person is None


def test_the_recording_of_a_call_of_ours_is_kept() -> None:
    one = seen("recording_ready", Direction="outbound-api")
    assert call_of(one).attachments
    assert one.direction is Direction.PASSIVE


def test_a_recording_is_fetched_with_the_login() -> None:
    [recording] = call_of(seen("recording_ready")).attachments
    request = PROVIDER.media(recording, SECRET)
    assert request is not None and request.headers["authorization"].startswith("Basic ")


# A whole call, from its webhooks to its ticket


def through(ledger: FakeLedger, name: str) -> None:
    intake = take_in(
        CASES[name].request,
        PROVIDER,
        secret=SECRETS["twilio_voice"],
        ledger=ledger,
        media_files=ledger.media_files,
        clock=FakeClock(NOW),
        fetch=fetch,
    )
    assert intake.response.status == 200


VOICEMAIL = ("incoming", "status_in_progress", "record_action", "status_completed")


def test_a_voicemail_becomes_one_call_with_its_words() -> None:
    house = House()
    for name in (*VOICEMAIL, "recording_ready", "transcription", "transcription"):
        through(house.world.ledger, name)
    [call] = house.world.ledger
    assert call.text == "My parcel 4512 never came, please call me back."
    assert call_of(call).state is CallState.COMPLETED
    assert call_of(call).duration == 58
    assert len(call_of(call).attachments) == 1
    assert len(call_of(call).parts) == 6
    assert call.needs_understanding
    step = house.run(call)
    assert step is not None and step.ticket_id is not None
    assert house.entry(call).state is TouchpointState.PROCESSED
    balance = house.world.ledger.balance()
    assert balance.holds
    assert (balance.received, balance.processed, balance.duplicate) == (7, 6, 1)


def test_a_call_the_team_took_asks_for_nothing() -> None:
    ledger = FakeLedger()
    for name in ("incoming_forwarded", "leg_answered", "dial_answered"):
        through(ledger, name)
    [call] = ledger
    assert call_of(call).reached_person
    assert not call.needs_understanding


# Calling


def message(**given: Any) -> Any:
    return message_to(Channel.VOICE, "twilio_voice", OURS, THEIRS, **given)


def form_of(request: HttpRequest) -> dict[str, list[str]]:
    return parse_qs(request.body.decode(), strict_parsing=True)


def test_calls_and_says_the_text() -> None:
    callback = f"{URL}/milano"
    request = prepared(PROVIDER, message(text="1 < 2 & 3"), status_callback=callback)
    account = SECRETS["twilio_voice"]["account_sid"]
    assert request.url == f"https://api.twilio.com/2010-04-01/Accounts/{account}/Calls.json"
    theirs = VoiceResponse()
    theirs.pause(length=1)
    theirs.say("1 < 2 & 3", language="en-US")
    form = form_of(request)
    assert as_read(form.pop("Twiml")[0]) == as_read(theirs)
    assert form == {
        "To": [THEIRS],
        "From": [OURS],
        "StatusCallback": [callback],
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
    }
    assert PROVIDER.receipt(simulated("twilio_voice", request)).startswith("CA")
    assert "StatusCallback" not in form_of(prepared(PROVIDER, message(), status_callback=""))


def test_a_status_is_tied_to_the_call_that_was_made() -> None:
    sid = PROVIDER.receipt(simulated("twilio_voice", prepared(PROVIDER, message())))
    one = seen("status_of_ours_completed", CallSid=sid)
    ours = message().endpoint
    made = replace_id(one, sid)
    assert message_of(one) == made.touchpoint_id
    assert one.endpoint == ours


def replace_id(status: Touchpoint, sid: str) -> Touchpoint:
    return status.model_copy(update={"provider_event_id": sid})


@pytest.mark.parametrize(
    ("account", "asked", "spoken"),
    [
        (OURS, None, "en-US"),
        (OURS, "en", "en-US"),
        (OURS, "it", "it-IT"),
        (OURS, "wo", "en-US"),
        ("+33170000000", "fr-CA", "fr-FR"),
        ("+33170000000", None, "fr-FR"),
        ("+4989000000", None, "en-US"),
    ],
)
def test_speaks_the_language_asked_for_or_the_lines_own(
    account: str, asked: str | None, spoken: str
) -> None:
    request = prepared(
        PROVIDER, message_to(Channel.VOICE, "twilio_voice", account, THEIRS, language=asked)
    )
    say = fromstring(form_of(request)["Twiml"][0])[1]
    assert say.attrib == {"language": spoken}


@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ({"text": ""}, "twiml", "content"),
        ({"text": "&" * 3000}, "twiml", "content"),
        ({"files": (OutboundFile(url="https://boutique.example/a"),)}, "files", "not_supported"),
        ({"choices": (Choice(title="Monday"),)}, "choices", "not_supported"),
    ],
)
def test_refuses_what_cannot_be_said(given: dict[str, Any], code: str, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(**given))
    assert (refused.value.code, refused.value.reason) == (code, reason)


def test_the_longest_text_can_be_said() -> None:
    request = prepared(PROVIDER, message(text="é" * PROVIDER.longest_text))
    assert simulated("twilio_voice", request).status == 201


def changed(**changes: str) -> HttpRequest:
    request = prepared(PROVIDER, message())
    fields = {**dict(parse_qsl(request.body.decode())), **changes}
    return replace(request, body=urlencode(fields).encode())


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (replace(changed(), headers={}), 20003, "unauthorized"),
        (replace(changed(), method="GET"), 20404, "unauthorized"),
        (changed(To=""), 21201, "invalid_recipient"),
        (changed(From=""), 21213, "unauthorized"),
        (changed(To="0612345678"), 21211, "invalid_recipient"),
        (changed(From="boutique"), 21212, "unauthorized"),
        (changed(Twiml=""), 21205, "content"),
        (changed(Twiml="<Response>"), 12100, "content"),
        (changed(StatusCallback="nowhere"), 21609, "unknown"),
        (changed(StatusCallbackEvent="hummed"), 21626, "unknown"),
    ],
)
def test_the_simulator_refuses_what_twilio_refuses(
    request_: HttpRequest, code: int, reason: str
) -> None:
    response = simulated("twilio_voice", request_)
    assert json.loads(response.body)["code"] == code
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert (refused.value.code, refused.value.reason) == (str(code), reason)


def test_too_many_calls_at_once_are_made_later() -> None:
    body = json.dumps({"code": 20429, "message": "…", "status": 429}).encode()
    with pytest.raises(SendDelayed):
        PROVIDER.receipt(HttpResponse(status=429, headers={"Retry-After": "1"}, body=body))


def test_the_simulator_takes_what_twilios_library_sends() -> None:
    account = SECRETS["twilio_voice"]["account_sid"]
    client = Client(account, TOKEN, http_client=Transport("twilio_voice"))
    made = client.calls.create(to=THEIRS, from_=OURS, twiml="<Response/>")
    assert made.sid.startswith("CA")
    with pytest.raises(TwilioRestException) as wrong:
        client.calls.create(to="0612345678", from_=OURS, twiml="<Response/>")
    assert wrong.value.code == 21211


@pytest.mark.parametrize(
    ("provider", "channel"), [("twilio", Channel.SMS), ("twilio_voice", Channel.VOICE)]
)
def test_two_providers_share_a_host_in_the_local_cloud(provider: str, channel: Channel) -> None:
    outbox = Outbox(
        FakeClock(NOW),  # type: ignore[arg-type]
        SECRETS,
        plan=lambda *_: None,
        pause=lambda _: None,
    )
    request = prepared(find_provider(provider), message_to(channel, provider, OURS, THEIRS))
    answer = outbox.answer(
        SimulatedRequest(
            method="POST",
            host="api.twilio.com",
            path=request.url.removeprefix("https://api.twilio.com"),
            query="",
            headers=request.headers,
            body=request.body,
        )
    )
    assert answer.status == 201
    assert [one.provider for one in outbox.all()] == [provider]
