"""A webhook is kept before it is answered, and what is not genuine changes nothing."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.webhook_intake.logic import ANOTHERS, NOT_LISTED, Intake, take_in
from infra.local.clients.base import Call, find_client
from shared.domain.account import Account, Accounts
from shared.domain.errors import MissingSecret, TooLarge, Unauthentic
from shared.domain.touchpoint import (
    Attachment,
    Channel,
    Direction,
    Message,
    TouchpointState,
)
from shared.events.catalogue import TouchpointReceived
from shared.ports.ledger import Quarantined
from shared.providers.base import Observed, WebhookRequest, find_provider, provider_names
from tests.builders import endpoint, touchpoint, webhook_request
from tests.fake_ledger import FakeLedger
from tests.fakes import World
from tests.unit.providers.fixtures import (
    NOW,
    SECRETS,
    Case,
    cases,
    fetch,
    other_secret,
    received,
)

WHATSAPP = "whatsapp_cloud"
CASES = {f"{case.provider}/{case.name}": case for case in cases()}
TEXT = CASES["whatsapp_cloud/text"].request
BATCH = CASES["whatsapp_cloud/batch"]


@pytest.fixture
def world() -> World:
    return World()


def intake(
    world: World,
    request: WebhookRequest,
    *,
    provider: str = WHATSAPP,
    secret: dict[str, Any] | None = None,
    ledger: FakeLedger | None = None,
    accounts: Accounts = NOT_LISTED,
) -> Intake:
    return take_in(
        request,
        find_provider(provider),
        secret=SECRETS[provider] if secret is None else secret,
        ledger=ledger if ledger is not None else world.ledger,
        media_files=world.ledger.media_files,
        clock=world.clock,
        fetch=fetch,
        accounts=accounts,
    )


def read(request: WebhookRequest) -> Sequence[Observed]:
    provider = find_provider(WHATSAPP)
    return provider.read(request, provider.read_secret(SECRETS[WHATSAPP]), NOW)


def signed(body: bytes, provider: str = WHATSAPP) -> WebhookRequest:
    call = Call(
        method="POST",
        url=f"https://passerelle.example/webhooks/{provider}",
        headers={"content-type": "application/json"},
        body=body,
    )
    return received(provider, find_client(provider).sign(call, SECRETS[provider], NOW))


def assert_untouched(world: World) -> None:
    assert len(world.ledger) == 0
    assert world.ledger.balance().received == 0
    assert world.events == []


class TestAnAccountWithASecretOfItsOwn:
    def test_its_secret_is_named_where_it_is_missing_or_not_usable(self, world: World) -> None:
        request = replace(TEXT, slug="milano")
        with pytest.raises(MissingSecret, match=r"for whatsapp_cloud/milano is not usable"):
            intake(world, request, secret={"verify_token": "v"})
        assert_untouched(world)

    def test_what_is_unreadable_is_kept_with_it(self, world: World) -> None:
        request = replace(signed(b"[]"), slug="milano")
        assert intake(world, request).quarantined == 1
        (kept,) = world.ledger.in_state(TouchpointState.QUARANTINED).items
        assert isinstance(kept, Quarantined)
        found = world.ledger.quarantined_request(kept.touchpoint_id)
        assert found is not None and found[1].slug == "milano"
        elsewhere = world.ledger.quarantine(WHATSAPP, signed(b"[]"), "unreadable", NOW)
        assert elsewhere != kept.touchpoint_id

    @pytest.mark.parametrize(("listed", "came_by"), [("milano", ""), (None, "milano")])
    def test_no_other_secret_speaks_for_it(
        self, world: World, listed: str | None, came_by: str
    ) -> None:
        """Else who holds one shop's secret writes to another, and is answered in its name."""
        (told,) = {one.touchpoint.account for one in read(TEXT)}
        line = Account(provider=WHATSAPP, account=told, slug=listed)
        taken = intake(world, replace(TEXT, slug=came_by), accounts=Accounts((line,)))
        assert (taken.received, taken.quarantined, len(world.ledger)) == (1, 1, 0)
        (kept,) = world.ledger.in_state(TouchpointState.QUARANTINED).items
        assert isinstance(kept, Quarantined) and kept.reason == ANOTHERS
        by_its_own = replace(TEXT, slug=listed or "")
        assert intake(world, by_its_own, accounts=Accounts((line,))).quarantined == 0
        assert len(world.ledger) == 1


class TestWhatIsGenuine:
    def test_cw_15131_it_is_durable_before_the_answer(self, world: World) -> None:
        assert intake(world, TEXT).response.status == 200
        (kept,) = world.ledger
        assert kept.text == "Bonjour, ma commande 4512 n'est toujours pas arrivée 😡"
        assert kept.received_at == world.clock.now()
        entry = world.ledger.read(kept.touchpoint_id)
        assert entry is not None and entry.state is TouchpointState.RECEIVED
        (event,) = world.events
        assert event == TouchpointReceived(
            touchpoint_id=kept.touchpoint_id,
            provider=WHATSAPP,
            channel="whatsapp",
            kind="message",
        )

    def test_the_part_of_the_request_it_came_from_is_kept_with_it(self, world: World) -> None:
        intake(world, TEXT)
        (kept,) = world.ledger
        raw = json.loads(world.ledger.raw[kept.touchpoint_id])
        assert raw["changes"][0]["value"]["messages"][0]["id"] == kept.provider_event_id

    def test_cw_13261_sent_twice_it_is_one_touchpoint_and_one_event(self, world: World) -> None:
        first, second = intake(world, TEXT), intake(world, TEXT)
        assert (first.received, first.duplicate) == (1, 0)
        assert (second.received, second.duplicate) == (1, 1)
        assert second.response == first.response
        assert len(world.ledger) == len(world.events) == 1
        assert world.ledger.balance().duplicate == 1

    def test_one_request_may_hold_several(self, world: World) -> None:
        taken = intake(world, BATCH.request)
        assert taken.received == len(BATCH.expected) > 1
        assert len(world.ledger) == taken.received - taken.duplicate
        assert world.ledger.balance().holds

    def test_one_request_may_hold_none(self, world: World) -> None:
        empty = {"object": "whatsapp_business_account", "entry": []}
        taken = intake(world, signed(json.dumps(empty).encode()))
        assert (taken.response.status, taken.received) == (200, 0)
        assert_untouched(world)


class TestWhatIsNot:
    def test_cw_14280_an_unsigned_message_changes_nothing(self, world: World) -> None:
        headers = {k: v for k, v in TEXT.headers.items() if k != "x-hub-signature-256"}
        with pytest.raises(Unauthentic):
            intake(world, replace(TEXT, headers=headers))
        assert_untouched(world)

    def test_cw_14280_a_message_that_was_changed_on_its_way_changes_nothing(
        self, world: World
    ) -> None:
        with pytest.raises(Unauthentic):
            intake(world, replace(TEXT, body=TEXT.body.replace(b"4512", b"4513")))
        assert_untouched(world)

    def test_an_unsigned_body_is_never_parsed_so_never_quarantined(self, world: World) -> None:
        with pytest.raises(Unauthentic):
            intake(world, webhook_request(b"\x00 not JSON"))
        assert_untouched(world)

    @pytest.mark.parametrize("provider", provider_names())
    def test_what_another_company_could_sign_changes_nothing(
        self, world: World, provider: str
    ) -> None:
        """Of every provider there is, so that a new one is not forgotten."""
        case = next(one for one in CASES.values() if one.provider == provider and one.expected)
        with pytest.raises(Unauthentic):
            intake(world, case.signed(other_secret(provider)), provider=provider)
        assert_untouched(world)

    def test_too_large_a_body_changes_nothing_even_when_it_is_signed(self, world: World) -> None:
        with pytest.raises(TooLarge):
            intake(world, signed(b" " * (find_provider(WHATSAPP).largest_body + 1)))
        assert_untouched(world)

    @pytest.mark.parametrize("secret", [{}, {"app_secrets": ["local-whatsapp-app-secret"]}])
    def test_no_secret_no_route(self, world: World, secret: dict[str, Any]) -> None:
        with pytest.raises(MissingSecret, match="secret for whatsapp_cloud") as raised:
            intake(world, TEXT, secret=secret)
        assert "local-whatsapp-app-secret" not in str(raised.value)
        assert_untouched(world)

    def test_a_secret_that_is_not_there_is_named(self, world: World) -> None:
        with pytest.raises(MissingSecret, match="there is no secret for whatsapp_cloud"):
            take_in(
                TEXT,
                find_provider(WHATSAPP),
                secret=None,
                ledger=world.ledger,
                media_files=world.ledger.media_files,
                clock=world.clock,
                fetch=fetch,
            )
        assert_untouched(world)


class TestQuarantine:
    def test_what_is_genuine_and_unreadable_is_kept_and_acknowledged(self, world: World) -> None:
        request = signed(b"\x00{ not JSON")
        taken = intake(world, request)
        assert taken.response.status == 200
        assert (taken.received, taken.quarantined, taken.duplicate) == (1, 1, 0)
        (kept,) = world.ledger.in_state(TouchpointState.QUARANTINED).items
        assert isinstance(kept, Quarantined) and kept.reason.startswith("the body is not JSON")
        found = world.ledger.quarantined_request(kept.touchpoint_id)
        assert found == (WHATSAPP, request)
        assert world.ledger.balance().quarantined == 1
        assert world.events == []

    def test_the_same_again_is_one_more_delivery_of_the_same(self, world: World) -> None:
        intake(world, signed(b"[]"))
        intake(world, signed(b"[]"))
        balance = world.ledger.balance()
        assert (balance.received, balance.quarantined, balance.duplicate) == (2, 1, 1)
        assert balance.holds

    def test_one_unreadable_message_keeps_no_other_waiting(self, world: World) -> None:
        """The whole request is kept for it, and can be read again: then the others are known."""
        body = json.loads(BATCH.call.body)
        body["entry"].append(
            {"id": "1", "changes": [{"field": "messages", "value": {"messages": 1}}]}
        )
        request = signed(json.dumps(body).encode())
        taken = intake(world, request)
        assert (taken.received, taken.quarantined, taken.duplicate) == (4, 1, 1)
        assert len(world.ledger) == 2
        assert world.ledger.balance().quarantined == 1
        again = intake(world, request)
        assert (again.received, again.quarantined, again.duplicate) == (4, 1, 3)
        assert len(world.ledger) == 2
        assert world.ledger.balance().holds

    def test_what_our_own_reading_stumbles_over_is_kept_and_not_quoted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider = find_provider(WHATSAPP)

        def broken(*_: object) -> list[Observed]:
            raise ValueError("+33612345678 is at fault")

        monkeypatch.setattr(provider, "parse", broken)
        assert intake(world, TEXT).quarantined == 1
        (kept,) = world.ledger.in_state(TouchpointState.QUARANTINED).items
        assert isinstance(kept, Quarantined)
        assert kept.reason == "our reading of it broke: ValueError"

    @pytest.mark.parametrize(
        "case", [c for c in CASES.values() if c.malformed], ids=lambda case: case.id
    )
    def test_every_recorded_malformed_request_is_quarantined(
        self, world: World, case: Case
    ) -> None:
        taken = intake(world, case.request, provider=case.provider)
        assert taken.quarantined == 1
        assert world.ledger.balance().quarantined == 1


class TestHandshake:
    def test_it_is_answered_and_kept_nowhere(self, world: World) -> None:
        taken = intake(world, CASES["whatsapp_cloud/handshake"].request)
        assert (taken.response.status, taken.response.body) == (200, "1158201444")
        assert taken == Intake(taken.response, received=0, duplicate=0, quarantined=0)
        assert_untouched(world)

    def test_whoever_does_not_know_the_token_is_refused(self, world: World) -> None:
        taken = intake(world, CASES["whatsapp_cloud/handshake_wrong_token"].request)
        assert taken.response.status == 403
        assert "1158201444" not in taken.response.body
        assert_untouched(world)


class TestMailbox:
    SESSION = "s-7f3c1d9e5b"

    def fetched(self, world: World, case: str = "web_chat/fetch_messages") -> list[str]:
        taken = intake(world, CASES[case].request, provider="web_chat")
        assert (taken.response.status, taken.received) == (200, 0)
        return [one["text"] for one in json.loads(taken.response.body)["messages"]]

    def sent(self, world: World, text: str, *, session: str = SESSION, minutes: int = 0) -> None:
        way = endpoint(Channel.WEB_CHAT, provider="web_chat", account="web", address=session)
        said = touchpoint(
            Message(text=text),
            provider="web_chat",
            account="web",
            key=text,
            channel=Channel.WEB_CHAT,
            direction=Direction.OUTBOUND,
            endpoint=way,
            at=NOW + timedelta(minutes=minutes),
        )
        world.ledger.record([Observed(said, b"")])

    def test_what_waits_is_fetched_oldest_first(self, world: World) -> None:
        self.sent(world, "two", minutes=2)
        self.sent(world, "one", minutes=1)
        assert self.fetched(world) == ["one", "two"]

    def test_who_asks_for_what_is_new_is_not_told_all_of_it_again(self, world: World) -> None:
        self.sent(world, "before eleven", minutes=-63)
        self.sent(world, "a minute before eleven", minutes=-61)
        self.sent(world, "after eleven", minutes=-30)
        fetched = self.fetched(world, "web_chat/fetch_messages_since")
        assert fetched == ["a minute before eleven", "after eleven"]

    def test_nobody_fetches_anothers_messages(self, world: World) -> None:
        self.sent(world, "for another", session="s-another")
        assert self.fetched(world) == []

    def test_without_a_session_nothing_is_shown(self, world: World) -> None:
        self.sent(world, "one")
        request = replace(CASES["web_chat/fetch_messages"].request, headers={})
        with pytest.raises(Unauthentic):
            intake(world, request, provider="web_chat")


class BrokenLedger(FakeLedger):
    """Keeps the first of a request, and breaks at the second."""

    class Unreachable(Exception):
        pass

    def record(self, observed: Sequence[Observed]) -> list[bool]:
        super().record(observed[:1])
        raise self.Unreachable

    def quarantine(self, *_: object) -> Any:
        raise self.Unreachable


class TestWhenTheLedgerFails:
    def test_cw_11987_there_is_no_answer_so_the_provider_sends_it_again(self, world: World) -> None:
        broken = BrokenLedger()
        with pytest.raises(BrokenLedger.Unreachable):
            intake(world, BATCH.request, ledger=broken)
        # The second time it works: what was kept the first time is a duplicate, nothing is lost.
        healed = FakeLedger()
        healed.record([Observed(next(iter(broken)), b"")])
        again = intake(world, BATCH.request, ledger=healed)
        assert len(healed) == again.received - again.duplicate + 1
        assert healed.balance().holds

    def test_what_cannot_be_quarantined_is_not_acknowledged(self, world: World) -> None:
        with pytest.raises(BrokenLedger.Unreachable):
            intake(world, signed(b"not JSON"), ledger=BrokenLedger())


class TestAProofThatCoversNoContent:
    """Mailgun signs a time and a token, and nothing of what they stand beside."""

    MAIL = CASES["mailgun/plain"].request

    def test_a_redelivery_is_a_duplicate(self, world: World) -> None:
        first, again = (intake(world, self.MAIL, provider="mailgun") for _ in range(2))
        assert (first.received, first.duplicate) == (1, 0)
        assert (again.received, again.duplicate) == (1, 1)

    def test_caught_and_put_beside_something_else_it_is_refused(self, world: World) -> None:
        intake(world, self.MAIL, provider="mailgun")
        forged = replace(self.MAIL, body=self.MAIL.body.replace(b"CAB-1", b"CAB-666"))
        with pytest.raises(Unauthentic):
            intake(world, forged, provider="mailgun")
        assert len(world.ledger) == 1

    def test_what_breaks_after_it_was_remembered_is_taken_when_it_comes_again(
        self, world: World
    ) -> None:
        broken = BrokenLedger()
        with pytest.raises(BrokenLedger.Unreachable):
            intake(world, self.MAIL, provider="mailgun", ledger=broken)
        proof = find_provider("mailgun").one_time_proof(
            self.MAIL, find_provider("mailgun").read_secret(SECRETS["mailgun"])
        )
        assert proof is not None
        assert broken.claim("mailgun", proof, NOW)


def test_what_is_quarantined_holds_no_secret_of_its_url(world: World) -> None:
    secret = SECRETS["postmark"]["webhook_secrets"][0]
    call = CASES["postmark/malformed_not_json"].call
    request = received("postmark", replace(call, url=f"{call.url}/{secret}"))
    assert intake(world, request, provider="postmark").quarantined == 1
    [one] = world.ledger.in_state(TouchpointState.QUARANTINED).items
    assert isinstance(one, Quarantined)
    found = world.ledger.quarantined_request(one.touchpoint_id)
    assert found is not None
    kept = found[1]
    assert secret not in kept.url + kept.path


def test_what_waits_in_a_mailbox_is_fetched_by_an_address_of_its_own(world: World) -> None:
    """A page asks again and again; what we signed a while ago would have ended."""
    secret = SECRETS["web_chat"]
    opened = intake(world, fetching("POST", "sessions", ""), provider="web_chat").response
    session = json.loads(opened.body)
    way = endpoint(
        Channel.WEB_CHAT,
        provider="web_chat",
        account=secret["account"],
        address=session["session"],
    )
    bill = Attachment(name="facture.pdf", content_type="application/pdf", object_key="k")
    sent = touchpoint(
        Message(text="La voici.", attachments=(bill,)),
        key="reply-1",
        provider="web_chat",
        account=secret["account"],
        channel=Channel.WEB_CHAT,
        direction=Direction.OUTBOUND,
        endpoint=way,
    )
    world.ledger.record_sent(sent, None)
    asked = fetching("GET", "messages", session["token"])
    (shown,) = json.loads(intake(world, asked, provider="web_chat").response.body)["messages"]
    assert shown["files"] == [
        {
            "url": "https://files.example/for-an-hour/k?name=facture.pdf",
            "name": "facture.pdf",
            "content_type": "application/pdf",
        }
    ]
    entry = world.ledger.read(sent.touchpoint_id)
    assert entry is not None and entry.touchpoint == sent, "nothing of it is kept"


def fetching(method: str, path: str, token: str) -> WebhookRequest:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    url = f"https://passerelle.example/webhooks/web_chat/{path}"
    body = b"" if method == "GET" else b"{}"
    return received("web_chat", Call(method=method, url=url, headers=headers, body=body))
