"""What only Twilio does. The rest is in test_contract.py."""

import json
import logging
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from infra.local.clients.twilio import sign
from shared.domain.errors import (
    MalformedPayload,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.sending import OutboundFile, TemplateUse
from shared.domain.touchpoint import Attachment, Automation, Channel, Choice, Message, touchpoint_id
from shared.providers.base import HttpRequest, HttpResponse, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases, fetch, received
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

PROVIDER = find_provider("twilio")
SECRET = PROVIDER.read_secret(SECRETS["twilio"])
TOKEN = SECRETS["twilio"]["auth_tokens"][0]
OURS, THEIRS = "+15557122661", "+15558675310"
CASES = {case.name: case for case in cases() if case.provider == "twilio"}


class MultiDict(dict[str, list[str]]):
    """Repeated fields, as the official validator wants them."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def official_signature(case: Case, url: str) -> str:
    fields = MultiDict(parse_qs(case.call.body.decode(), keep_blank_values=True))
    is_form = "form" in case.call.headers.get("content-type", "")
    signature: str = RequestValidator(TOKEN).compute_signature(url, fields if is_form else {})
    return signature


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_our_client_signs_as_twilios_library_does(case: Case) -> None:
    call = sign(case.call, SECRETS["twilio"], NOW)
    assert call.headers["X-Twilio-Signature"] == official_signature(case, call.url)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_request_signed_by_twilios_library_is_taken(case: Case) -> None:
    call = sign(case.call, SECRETS["twilio"], NOW)
    signed = {**case.call.headers, "X-Twilio-Signature": official_signature(case, call.url)}
    PROVIDER.verify(received("twilio", replace(call, headers=signed)), SECRET, fetch)


@pytest.mark.parametrize(
    ("signed", "seen"),
    [
        ("https://h.example:443/webhooks/twilio", "https://h.example/webhooks/twilio"),
        ("https://h.example/webhooks/twilio", "https://h.example:443/webhooks/twilio"),
        ("https://h.example/webhooks/twilio", "https://h.example:8443/webhooks/twilio"),
        ("http://h.example:80/webhooks/twilio?a=b", "http://h.example/webhooks/twilio?a=b"),
        ("https://u:p@h.example/webhooks/twilio", "https://u:p@h.example:443/webhooks/twilio"),
    ],
)
def test_the_port_does_not_matter(signed: str, seen: str) -> None:
    call = sign(replace(CASES["sms"].call, url=signed), SECRETS["twilio"], NOW)
    PROVIDER.verify(received("twilio", replace(call, url=seen)), SECRET, fetch)


def test_the_url_matters() -> None:
    call = sign(CASES["sms"].call, SECRETS["twilio"], NOW)
    elsewhere = replace(call, url=call.url.replace("passerelle", "elsewhere"))
    with pytest.raises(Unauthentic):
        PROVIDER.verify(received("twilio", elsewhere), SECRET, fetch)


def test_a_signed_form_is_not_accepted_under_another_type() -> None:
    """The signature of a form covers the fields; declared as anything else, nothing covers them."""
    request = CASES["sms"].request
    for declared in ("application/json", "text/plain", ""):
        headers = {**request.headers, "content-type": declared}
        with pytest.raises(Unauthentic):
            PROVIDER.verify(replace(request, headers=headers), SECRET, fetch)


def test_no_request_of_event_streams_holds_more_than_can_be_events() -> None:
    """Each is kept as a touchpoint of its own, and might have four bytes."""
    request = CASES["event_stream"].request
    many = json.dumps([0] * 1_000).encode()
    assert len(PROVIDER.parse(replace(request, body=many), SECRET, NOW)) == 1_000
    with pytest.raises(MalformedPayload, match="1000 events"):
        PROVIDER.parse(replace(request, body=many[:-1] + b",0]"), SECRET, NOW)


def test_a_body_added_to_a_signed_url_is_refused() -> None:
    with pytest.raises(Unauthentic):
        PROVIDER.verify(replace(CASES["malformed_empty"].request, body=b"{}"), SECRET, fetch)


def message(channel: Channel = Channel.SMS, address: str = THEIRS, **given: Any) -> Any:
    return message_to(channel, "twilio", OURS, address, **given)


def form_of(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), strict_parsing=True))


def test_sends_an_sms() -> None:
    request = prepared(PROVIDER, message(text="Où ? 1+1 & plus"), status_callback="")
    account = SECRETS["twilio"]["account_sid"]
    assert request.method == "POST"
    assert request.url == f"https://api.twilio.com/2010-04-01/Accounts/{account}/Messages.json"
    assert form_of(request) == {"To": THEIRS, "From": OURS, "Body": "Où ? 1+1 & plus"}
    assert PROVIDER.receipt(simulated("twilio", request)).startswith("SM")


def test_sends_over_whatsapp() -> None:
    request = prepared(PROVIDER, message(Channel.WHATSAPP))
    assert form_of(request)["To"] == f"whatsapp:{THEIRS}"
    assert form_of(request)["From"] == f"whatsapp:{OURS}"
    assert simulated("twilio", request).status == 201


def test_asks_for_statuses_only_where_told_to() -> None:
    callback = "https://passerelle.example/webhooks/twilio"
    request = prepared(PROVIDER, message(), status_callback=callback)
    assert form_of(request)["StatusCallback"] == callback
    assert simulated("twilio", request).status == 201
    assert "StatusCallback" not in form_of(prepared(PROVIDER, message(), status_callback=""))


def test_a_status_is_tied_to_the_outbound_touchpoint() -> None:
    sid = PROVIDER.receipt(simulated("twilio", prepared(PROVIDER, message())))
    case = CASES["status_delivered"]
    fields = {**dict(parse_qsl(case.call.body.decode())), "MessageSid": sid}
    request = replace(case.request, body=urlencode(fields).encode())
    [status] = PROVIDER.parse(request, SECRET, NOW)
    assert message_of(status.touchpoint) == touchpoint_id("twilio", OURS, sid)


CONTENT_SID = "HX" + "a" * 32


def test_sends_a_whatsapp_template_by_its_content_sid() -> None:
    use = TemplateUse(name=CONTENT_SID, language="en", parameters=("4512", "Friday"))
    request = prepared(PROVIDER, message(Channel.WHATSAPP, template=use))
    assert form_of(request)["ContentSid"] == CONTENT_SID
    assert json.loads(form_of(request)["ContentVariables"]) == {"1": "4512", "2": "Friday"}
    assert "Body" not in form_of(request)
    assert simulated("twilio", request).status == 201


def test_refuses_a_whatsapp_template_of_another_provider() -> None:
    use = TemplateUse(name="order_update", language="en")
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(Channel.WHATSAPP, template=use))
    assert (refused.value.code, refused.value.reason) == ("content_sid", "template")


def test_sends_a_template_as_text_where_there_are_none() -> None:
    use = TemplateUse(name="order_update", language="en")
    assert form_of(prepared(PROVIDER, message(template=use)))["Body"] == "We are on it."


def fields_of(request: HttpRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), strict_parsing=True)


PICTURE = OutboundFile(form="image", url="https://boutique.example/a.jpg")
DAYS = (Choice(id="d1", title="Monday"), Choice(id="d2", title="Tuesday"))


def test_sends_files_with_and_without_words() -> None:
    request = prepared(PROVIDER, message(files=(PICTURE, PICTURE)))
    assert fields_of(request).count(("MediaUrl", PICTURE.url)) == 2
    assert simulated("twilio", request).status == 201
    alone = prepared(PROVIDER, message(Channel.WHATSAPP, text="", files=(PICTURE,)))
    assert "Body" not in form_of(alone)
    assert simulated("twilio", alone).status == 201


@pytest.mark.parametrize(("channel", "most"), [(Channel.SMS, 10), (Channel.WHATSAPP, 1)])
def test_refuses_more_files_than_the_channel_takes(channel: Channel, most: int) -> None:
    prepared(PROVIDER, message(channel, files=(PICTURE,) * most))
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(channel, files=(PICTURE,) * (most + 1)))
    assert (refused.value.code, refused.value.reason) == ("21623", "content")


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.WHATSAPP])
def test_answers_to_pick_from_are_lines(channel: Channel) -> None:
    """Twilio's buttons only exist in templates that were approved before."""
    request = prepared(PROVIDER, message(channel, text="Which day?", choices=DAYS))
    assert form_of(request)["Body"] == "Which day?\n1. Monday\n2. Tuesday"


def test_the_lines_count_as_text() -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(text="x" * 1590, choices=DAYS))
    assert refused.value.code == "21617"


def test_answers_over_rcs_and_messenger_where_they_came_from() -> None:
    for name, to, sender in (
        ("rcs", "rcs:+15558675310", "rcs:boutique_a1a1aaaa_agent"),
        ("messenger", "messenger:4325435678912345", "messenger:107771525616123"),
    ):
        [seen] = PROVIDER.parse(CASES[name].request, SECRET, NOW)
        way = seen.touchpoint.endpoint
        assert way is not None
        request = prepared(PROVIDER, message_to(way.channel, "twilio", way.account, way.address))
        assert (form_of(request)["To"], form_of(request)["From"]) == (to, sender)
        assert simulated("twilio", request).status == 201


def test_media_are_fetched_with_the_login_and_only_from_twilio() -> None:
    [seen] = PROVIDER.parse(CASES["mms"].request, SECRET, NOW)
    content = seen.touchpoint.content
    assert isinstance(content, Message)
    request = PROVIDER.media(content.attachments[0], SECRET)
    assert request is not None
    assert request.url == content.attachments[0].provider_reference
    account = SECRETS["twilio"]["account_sid"]
    given = b64encode(f"{account}:{TOKEN}".encode()).decode()
    assert request.headers == {"authorization": f"Basic {given}"}
    for elsewhere in ("https://cdn.example/a", "http://api.twilio.com/a", "nowhere", None):
        attachment = Attachment(provider_reference=elsewhere)
        assert PROVIDER.media(attachment, SECRET) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"Latitude": "north", "Longitude": "1"},
        {"Latitude": "91", "Longitude": "1"},
        {"Latitude": "nan", "Longitude": "1"},
    ],
)
def test_a_place_that_is_none_is_unreadable(fields: dict[str, str]) -> None:
    case = CASES["whatsapp_location"]
    body = urlencode({**dict(parse_qsl(case.call.body.decode())), **fields}).encode()
    with pytest.raises(MalformedPayload):
        PROVIDER.parse(replace(case.request, body=body), SECRET, NOW)


def test_a_page_that_is_spoken_of_by_a_word_names_nobody() -> None:
    case = CASES["messenger"]
    fields = {**dict(parse_qsl(case.call.body.decode())), "From": "messenger:somebody"}
    [seen] = PROVIDER.parse(replace(case.request, body=urlencode(fields).encode()), SECRET, NOW)
    assert seen.touchpoint.identifiers == ()
    assert seen.touchpoint.automation is Automation.BOT


@pytest.mark.parametrize("text", ["", "x" * 1601])
def test_refuses_a_text_of_impossible_length(text: str) -> None:
    with pytest.raises(SendRefused):
        prepared(PROVIDER, message(text=text))


def refusal(status: int, code: int) -> HttpResponse:
    body = {"code": code, "message": "…", "status": status}
    return HttpResponse(status=status, headers={}, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(400, 21211), SendRefused),
        (refusal(401, 20003), SendRefused),
        (refusal(429, 20429), SendDelayed),
        (refusal(503, 20503), SendDelayed),
        (refusal(500, 20500), SendUnconfirmed),
        (HttpResponse(status=504, headers={}, body=b""), SendUnconfirmed),
        (HttpResponse(status=201, headers={}, body=b"{}"), SendUnconfirmed),
    ],
)
def test_tells_refused_from_delayed_from_unconfirmed(
    response: HttpResponse, error: type[Exception]
) -> None:
    with pytest.raises(error):
        PROVIDER.receipt(response)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (20003, "unauthorized"),
        (21211, "invalid_recipient"),
        (21610, "opted_out"),
        (63016, "window_closed"),
        (21656, "template"),
        (12345, "unknown"),
    ],
)
def test_a_refusal_says_why_in_the_terms_of_the_house(code: int, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(refusal(400, code))
    assert (refused.value.code, refused.value.reason) == (str(code), reason)


def test_too_many_at_once_says_when_to_come_back() -> None:
    busy = replace(refusal(429, 20429), headers={"Retry-After": "7"})
    with pytest.raises(SendDelayed) as delayed:
        PROVIDER.receipt(busy)
    assert delayed.value.retry_after == timedelta(seconds=7)


def changed(**changes: str) -> HttpRequest:
    request = prepared(PROVIDER, message())
    fields = {**form_of(request), **changes}
    return replace(request, body=urlencode(fields).encode())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (replace(changed(), headers={"content-type": "application/x-www-form-urlencoded"}), 20003),
        (replace(changed(), url="https://api.twilio.com/2010-04-01/Messages.json"), 20404),
        (replace(changed(), method="GET"), 20404),
        (changed(To=""), 21604),
        (changed(From=""), 21603),
        (changed(To="0612345678"), 21211),
        (changed(From="+"), 21212),
        (changed(To=f"whatsapp:{THEIRS}"), 21910),
        (changed(To=OURS), 21266),
        (changed(Body=""), 21619),
        (changed(Body="x" * 1601), 21617),
        (changed(MediaUrl="ftp://nowhere"), 21620),
        (changed(StatusCallback="nowhere"), 21609),
        (changed(ContentSid="order_update"), 21655),
        (changed(ContentSid=CONTENT_SID, ContentVariables="[]"), 21656),
    ],
)
def test_the_simulator_refuses_what_twilio_refuses(request_: HttpRequest, code: int) -> None:
    response = simulated("twilio", request_)
    assert json.loads(response.body)["code"] == code
    assert json.loads(response.body)["status"] == response.status
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert refused.value.code == str(code)


class Transport(HttpClient):  # type: ignore[misc] # twilio ships no types
    """Twilio's own client, talking to our simulator instead of Twilio."""

    def __init__(self, provider: str = "twilio") -> None:
        self.provider = provider
        super().__init__(logging.getLogger(__name__), is_async=False)

    def request(
        self,
        method: str,
        url: str,
        params: object = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] = ("", ""),
        **_: object,
    ) -> Response:
        login = b64encode(":".join(auth).encode()).decode()
        answer = simulated(
            self.provider,
            HttpRequest(
                method=method,
                url=url,
                headers={**(headers or {}), "Authorization": f"Basic {login}"},
                body=urlencode({key: one for key, one in (data or {}).items() if one}).encode(),
            ),
        )
        return Response(answer.status, answer.body.decode())


def their_client(token: str = TOKEN) -> Client:
    return Client(SECRETS["twilio"]["account_sid"], token, http_client=Transport())


def test_the_simulator_takes_what_twilios_library_sends() -> None:
    sent = their_client().messages.create(to=THEIRS, from_=OURS, body="We are on it.")
    assert sent.sid.startswith("SM")
    assert sent.status == "queued"


def test_the_simulator_refuses_twilios_library_as_twilio_does() -> None:
    with pytest.raises(TwilioRestException) as wrong_number:
        their_client().messages.create(to="0612345678", from_=OURS, body="We are on it.")
    assert wrong_number.value.code == 21211
    with pytest.raises(TwilioRestException) as wrong_token:
        their_client("guess").messages.create(to=THEIRS, from_=OURS, body="We are on it.")
    assert wrong_token.value.code == 20003
