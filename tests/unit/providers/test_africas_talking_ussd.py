"""What only USSD does. The rest is in test_contract.py, the menu itself in domain/test_ussd.py."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.domain.errors import MissingSecret, Unauthentic
from shared.domain.touchpoint import Channel, Endpoint
from shared.providers.base import Observed, Outcome, WebhookRequest, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, cases, fetch

NAME = "africas_talking_ussd"
PROVIDER = find_provider(NAME)
SECRET = PROVIDER.read_secret(SECRETS[NAME])
CASES = {case.name: case for case in cases() if case.provider == NAME}
THEIRS = "+254711000111"
LINE = "*384*44135#"


def dialled(text: str, **changes: str) -> WebhookRequest:
    fields = {"sessionId": "ATUid_1", "serviceCode": LINE, "phoneNumber": THEIRS, "text": text}
    return replace(CASES["dialled"].request, body=urlencode(fields | changes).encode())


def seen(request: WebhookRequest, secret: Any = SECRET) -> list[Observed]:
    return PROVIDER.parse(request, secret, NOW)


def body(text: str, outcome: Outcome = Outcome.ACCEPTED) -> str:
    return PROVIDER.respond(outcome, seen(dialled(text))).body


class TestWhatIsNotKept:
    @pytest.mark.parametrize("text", ["", "1", "1*1", "1*7", "1*4", "1*4*9"])
    def test_a_screen_that_promises_nothing_is_shown_all_the_same(self, text: str) -> None:
        assert body(text, Outcome.NOT_KEPT) == body(text)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("1*1*4411", "END Sorry, we could not note that."),
            ("2*3", "END Désolé, nous n'avons pas pu le noter."),
            ("3*2*perde", "END Ci dispiace, non è stato registrato."),
            ("4*3", "END Samahani, hatukuweza kuandika hilo."),
        ],
    )
    def test_an_end_that_would_promise_says_so_in_their_language(
        self, text: str, said: str
    ) -> None:
        assert body(text, Outcome.NOT_KEPT).startswith(said)
        assert not body(text).startswith(said)

    def test_of_what_nobody_could_read_it_is_said_in_the_fallback_language(self) -> None:
        for outcome in (Outcome.QUARANTINED, Outcome.NOT_KEPT):
            assert PROVIDER.respond(outcome, []).body.startswith("END Sorry")


class TestTheKey:
    def test_the_same_session_and_text_is_the_same_step(self) -> None:
        first, again = seen(dialled("1*1")), seen(dialled("1*1", networkCode="63902"))
        assert first[0].touchpoint.touchpoint_id == again[0].touchpoint.touchpoint_id

    def test_another_session_or_text_is_another(self) -> None:
        requests = [
            dialled("1*1"),
            dialled("1*1", sessionId="ATUid_2"),
            dialled("1*1*1"),
            dialled("1*2"),
        ]
        assert len({seen(one)[0].touchpoint.touchpoint_id for one in requests}) == 4

    def test_what_somebody_typed_stands_in_no_id(self) -> None:
        key = seen(dialled("1*2*Awa Diop"))[0].touchpoint.provider_event_id
        assert "Awa" not in key


class TestTheWayBack:
    WAY = {"channel": "sms", "provider": "africas_talking_sms", "account": "22384"}

    def secret(self, **changes: Any) -> Any:
        line = {"service_code": LINE, "reply_line": self.WAY | changes}
        return PROVIDER.read_secret({**SECRETS[NAME], "lines": [line]})

    def test_who_dialled_is_answered_by_sms(self) -> None:
        [observed] = seen(dialled("1*1*4411"), self.secret())
        assert observed.touchpoint.endpoint == Endpoint(
            channel=Channel.SMS,
            provider="africas_talking_sms",
            account="22384",
            address=THEIRS,
        )
        assert observed.touchpoint.channel is Channel.USSD
        assert observed.touchpoint.account == LINE

    def test_there_is_none_on_another_line_or_to_what_is_no_number(self) -> None:
        other = dialled("1*1*4411", serviceCode="*483*1#")
        nobody = dialled("1*1*4411", phoneNumber="private")
        for request in (other, nobody):
            assert seen(request, self.secret())[0].touchpoint.endpoint is None

    def test_a_mailbox_answers_no_phone(self) -> None:
        with pytest.raises(MissingSecret, match="reply_line"):
            self.secret(channel="email", provider="email_ses")


def test_a_cut_secret_is_none() -> None:
    request = CASES["dialled"].request
    for path in ("", request.path[:-1], f"{request.path}/", f"{request.path}x"):
        with pytest.raises(Unauthentic):
            PROVIDER.verify(replace(request, path=path), SECRET, fetch)


def test_what_is_kept_in_quarantine_holds_no_secret() -> None:
    kept = PROVIDER.without_proof(CASES["malformed_no_phone"].request, SECRET)
    assert SECRETS[NAME]["path_secrets"][0] not in f"{kept.url} {kept.path}"
