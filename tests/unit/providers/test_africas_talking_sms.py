"""What only the SMS of Africa's Talking does. The rest is in test_contract.py."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import responses
from africastalking.SMS import SMSService

from shared.domain.errors import SendDelayed, SendRefused, SendUnconfirmed, Unauthentic
from shared.domain.touchpoint import Channel, ConsentStatement, Message, Stop, touchpoint_id
from shared.providers.base import HttpRequest, HttpResponse, WebhookRequest, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, cases, fetch
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

NAME = "africas_talking_sms"
PROVIDER = find_provider(NAME)
LINE: dict[str, Any] = SECRETS[NAME]["lines"][0]
SECRET = PROVIDER.read_secret(SECRETS[NAME])
OURS, THEIRS = "22384", "+254711000111"
CASES = {case.name: case for case in cases() if case.provider == NAME}
API = "https://api.africastalking.com/version1/messaging"


def message(**given: Any) -> Any:
    return message_to(Channel.SMS, NAME, given.pop("account", OURS), THEIRS, **given)


def with_line(**changes: Any) -> dict[str, Any]:
    return {"lines": [LINE | changes]}


def form_of(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), strict_parsing=True))


def their_request(username: str, call: str, *arguments: Any, **given: Any) -> HttpRequest:
    """What the official library would have sent."""
    with responses.RequestsMock() as network:
        for host in ("api.africastalking", "api.sandbox.africastalking", "content.africastalking"):
            network.post(f"https://{host}.com/version1/messaging", body="{}")
        network.assert_all_requests_are_fired = False
        getattr(SMSService(username, LINE["api_key"]), call)(*arguments, **given)
        sent = network.calls[0].request
    headers = {name.lower(): str(value) for name, value in sent.headers.items()}
    assert isinstance(sent.body, str)
    return HttpRequest(
        method=str(sent.method), url=str(sent.url), headers=headers, body=sent.body.encode()
    )


def assert_same(ours: HttpRequest, theirs: HttpRequest) -> None:
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert form_of(ours) == form_of(theirs)
    mine = {name.lower(): value for name, value in ours.headers.items()}
    assert mine == {name: theirs.headers[name] for name in mine}


class TestSending:
    def test_as_the_official_library_does(self) -> None:
        request = prepared(PROVIDER, message(text="Habari? 1+1 & zaidi"))
        theirs = their_request("boutique", "send", "Habari? 1+1 & zaidi", [THEIRS], OURS)
        assert_same(request, theirs)
        assert PROVIDER.receipt(simulated(NAME, request)).startswith("ATXid_")
        assert simulated(NAME, theirs).status == 201

    def test_to_the_sandbox_as_the_official_library_does(self) -> None:
        request = prepared(PROVIDER, message(), **with_line(username="sandbox"))
        assert request.url == "https://api.sandbox.africastalking.com/version1/messaging"
        assert_same(request, their_request("sandbox", "send", "We are on it.", [THEIRS], OURS))

    def test_a_premium_reply_names_what_it_answers(self) -> None:
        """The link came with the question, and goes round with its touchpoint."""
        [asked] = PROVIDER.parse(CASES["message"].request, SECRET, NOW)
        content = asked.touchpoint.content
        assert isinstance(content, Message)
        thread = (*content.thread, asked.touchpoint.provider_event_id)
        line = with_line(premium=True, keyword="TIPS")
        request = prepared(PROVIDER, message(thread=thread), **line)
        theirs = their_request(
            "boutique", "send_premium", "We are on it.", OURS, [THEIRS], "TIPS", "SampleLinkId123"
        )
        assert_same(request, theirs)

    def test_a_premium_message_that_answers_nothing_has_no_link(self) -> None:
        request = prepared(PROVIDER, message(thread=("15072",)), **with_line(premium=True))
        assert_same(
            request,
            their_request("boutique", "send_premium", "We are on it.", OURS, [THEIRS]),
        )

    def test_a_report_is_tied_to_the_outbound_touchpoint(self) -> None:
        sent = PROVIDER.receipt(simulated(NAME, prepared(PROVIDER, message())))
        case = CASES["report_success"]
        fields = {**dict(parse_qsl(case.call.body.decode())), "id": sent}
        request = replace(case.request, body=urlencode(fields).encode())
        [status] = PROVIDER.parse(request, SECRET, NOW)
        assert message_of(status.touchpoint) == touchpoint_id(NAME, OURS, sent)

    @pytest.mark.parametrize(
        ("given", "code", "reason"),
        [
            ({"text": ""}, "text_length", "content"),
            ({"text": "x" * 1531}, "text_length", "content"),
            ({"account": "ANOTHER"}, "402", "unauthorized"),
        ],
    )
    def test_refuses_what_it_cannot_send(
        self, given: dict[str, Any], code: str, reason: str
    ) -> None:
        with pytest.raises(SendRefused) as refused:
            prepared(PROVIDER, message(**given))
        assert (refused.value.code, refused.value.reason) == (code, reason)


def answered(body: object, status: int = 201) -> HttpResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers={"Retry-After": "30"}, body=content)


def recipient(code: int, status: str = "", message_id: str = "None", http: int = 201) -> Any:
    one = {"statusCode": code, "number": THEIRS, "cost": "0", "status": status}
    found = {
        "Message": "Sent to 0/1 Total Cost: 0",
        "Recipients": [{**one, "messageId": message_id}],
    }
    return answered({"SMSMessageData": found}, http)


class TestTheAnswer:
    @pytest.mark.parametrize("code", [100, 101, 102])
    def test_taken(self, code: int) -> None:
        assert PROVIDER.receipt(recipient(code, "Success", "ATXid_1")) == "ATXid_1"

    @pytest.mark.parametrize(
        ("response", "code", "reason", "stop"),
        [
            (recipient(401, "RiskHold"), "401", "blocked", None),
            (recipient(402, "InvalidSenderId"), "402", "unauthorized", None),
            (recipient(403), "403", "invalid_recipient", Stop(kind="bounce")),
            (recipient(404), "404", "invalid_recipient", Stop(kind="bounce")),
            (recipient(405, "InsufficientBalance"), "405", "limit", None),
            (recipient(406, "UserInBlacklist"), "406", "opted_out", Stop(kind="opt_out")),
            (recipient(407), "407", "unreachable", None),
            (recipient(409, "DoNotDisturbRejection", http=409), "409", "blocked", None),
            (recipient(502), "502", "blocked", None),
            (recipient(418), "418", "unknown", None),
            (
                answered({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}),
                "402",
                "unauthorized",
                None,
            ),
            (
                answered(b"The supplied authentication is invalid", 401),
                "http_401",
                "unauthorized",
                None,
            ),
            (answered(b"missing field", 400), "http_400", "content", None),
        ],
    )
    def test_refused(
        self, response: HttpResponse, code: str, reason: str, stop: Stop | None
    ) -> None:
        with pytest.raises(SendRefused) as refused:
            PROVIDER.receipt(response)
        assert (refused.value.code, refused.value.reason) == (code, reason)
        assert PROVIDER.stops.get(refused.value.code) == stop

    @pytest.mark.parametrize(
        "response",
        [
            recipient(500, "InternalServerError"),
            recipient(501, "GatewayError"),
            recipient(101, "Success", ""),
            answered(b"", 500),
            answered(b"<html>", 504),
            answered({"SMSMessageData": {"Message": "?", "Recipients": []}}),
            answered([], 200),
        ],
    )
    def test_nobody_knows_so_it_is_never_sent_twice(self, response: HttpResponse) -> None:
        """There is no idempotency key for messages."""
        with pytest.raises(SendUnconfirmed):
            PROVIDER.receipt(response)

    @pytest.mark.parametrize("status", [429, 503])
    def test_later(self, status: int) -> None:
        with pytest.raises(SendDelayed) as delayed:
            PROVIDER.receipt(answered(b"", status))
        assert delayed.value.retry_after is not None


def changed(**changes: str) -> HttpRequest:
    request = prepared(PROVIDER, message())
    return replace(request, body=urlencode({**form_of(request), **changes}).encode())


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (replace(changed(), headers={**changed().headers, "apiKey": "guess"}), 401, "http_401"),
        (replace(changed(), headers={}), 401, "http_401"),
        (replace(changed(), url="https://api.africastalking.com/version1"), 404, "http_404"),
        (replace(changed(), method="GET"), 405, "http_405"),
        (replace(changed(), headers={"apiKey": LINE["api_key"]}), 400, "http_400"),
        (changed(username="another"), 401, "http_401"),
        (changed(to=""), 400, "http_400"),
        (changed(message=""), 400, "http_400"),
        (changed(**{"from": "BOUTIQUE"}), 201, "402"),
        (changed(to="0711000111"), 201, "403"),
    ],
)
def test_the_simulator_refuses_what_africas_talking_refuses(
    request_: HttpRequest, status: int, code: str
) -> None:
    response = simulated(NAME, request_)
    assert response.status == status
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert refused.value.code == code


class TestTheAddress:
    def secret(self) -> Any:
        other = LINE | {"account": "BOUTIQUE", "path_secrets": ["the-other-line-of-the-company"]}
        return PROVIDER.read_secret({"lines": [LINE, other]})

    def request(self, path: str) -> WebhookRequest:
        return replace(CASES["message"].request, path=path)

    def test_the_secret_of_one_line_is_no_proof_for_another(self) -> None:
        PROVIDER.verify(self.request(f"{OURS}/{LINE['path_secrets'][0]}"), self.secret(), fetch)
        PROVIDER.verify(
            self.request("BOUTIQUE/the-other-line-of-the-company"), self.secret(), fetch
        )
        for path in (
            f"BOUTIQUE/{LINE['path_secrets'][0]}",
            f"{OURS}/the-other-line-of-the-company",
            LINE["path_secrets"][0],
            f"{OURS}/",
            f"{OURS}/{LINE['path_secrets'][0]}x",
            "",
        ):
            with pytest.raises(Unauthentic):
                PROVIDER.verify(self.request(path), self.secret(), fetch)

    def test_what_came_to_another_line_of_ours_is_answered_from_there(self) -> None:
        body = CASES["message"].call.body.replace(b"to=22384", b"to=BOUTIQUE")
        request = replace(CASES["message"].request, body=body)
        [heard] = PROVIDER.parse(request, self.secret(), NOW)
        assert heard.touchpoint.account == "BOUTIQUE"
        [heard] = PROVIDER.parse(request, SECRET, NOW)
        assert heard.touchpoint.account == OURS, "a line that nobody set up cannot answer"

    def test_what_is_kept_in_quarantine_names_the_line_and_not_its_secret(self) -> None:
        request = CASES["malformed_no_id"].request
        kept = PROVIDER.without_proof(request, SECRET)
        assert LINE["path_secrets"][0] not in f"{kept.url} {kept.path}"
        mended = replace(kept, body=CASES["report_success"].request.body)
        assert PROVIDER.parse(mended, SECRET, NOW)[0].touchpoint.account == OURS

    def test_too_short_a_secret_is_none(self) -> None:
        with pytest.raises(Exception, match="path_secrets"):
            PROVIDER.read_secret(with_line(path_secrets=["short"]))


def test_an_opt_out_withdraws_what_the_company_says() -> None:
    secret = PROVIDER.read_secret({**SECRETS[NAME], "opt_out_purpose": "offers"})
    [told] = PROVIDER.parse(CASES["opt_out"].request, secret, NOW)
    assert isinstance(told.touchpoint.content, ConsentStatement)
    assert told.touchpoint.content.purpose == "offers"


def test_a_second_opt_out_is_heard() -> None:
    """There is no id and no time in it: what comes a minute later is another one."""
    first = CASES["opt_out"].request
    later = replace(first, arrived_at=first.arrived_at.replace(minute=7))
    ids = {
        PROVIDER.parse(one, SECRET, NOW)[0].touchpoint.touchpoint_id
        for one in (first, first, later)
    }
    assert len(ids) == 2


def test_json_is_read_as_well() -> None:
    """What resends callbacks, and some older gateways, speak it."""
    case = CASES["message"]
    fields = dict(parse_qsl(case.call.body.decode()))
    body = json.dumps({**fields, "id": 15071, "extra": [1]}).encode()
    headers = {"content-type": "application/json"}
    [heard] = PROVIDER.parse(replace(case.request, headers=headers, body=body), SECRET, NOW)
    assert heard.touchpoint.provider_event_id == "15071"
    assert heard.touchpoint.text == fields["text"]
