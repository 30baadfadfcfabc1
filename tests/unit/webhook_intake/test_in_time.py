"""Whoever dials is answered within a second, and is promised only what is durable."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from functions.webhook_intake.logic import HANDING_OVER, KEEPING, Intake, take_in
from functions.webhook_intake.request import is_proven, proven, webhook_request
from shared.domain.errors import Unauthentic
from shared.domain.touchpoint import TouchpointState
from shared.providers.base import Observed, WebhookRequest, find_provider, provider_names
from tests.fake_ledger import FakeLedger
from tests.fakes import World
from tests.unit.providers.fixtures import SECRETS, cases, fetch
from tests.unit.webhook_intake.test_request import GATEWAY, gateway_event

T = TypeVar("T")
USSD = "africas_talking_ussd"
(SECRET,) = SECRETS[USSD]["path_secrets"]
CASES = {case.name: case for case in cases() if case.provider == USSD}
PROMISES = CASES["answered"].request
SCREEN = CASES["option_chosen"].request
SORRY = "END Sorry, we could not note that. Please dial again in a moment."


class FakeHaste:
    """Time as the test says: `slow` work is not done in time, and only by `late`. What was handed
    over is taken in again by the test.
    """

    def __init__(self, *, slow: bool = False, deaf: bool = False) -> None:
        self.slow, self.deaf = slow, deaf
        self.limits: list[timedelta] = []
        self.handed_over: list[WebhookRequest] = []
        self.pending: list[Callable[[], object]] = []

    def within(self, limit: timedelta, work: Callable[[], T]) -> T | None:
        self.limits.append(limit)
        # The second piece of work is the handing over.
        if self.deaf if len(self.limits) == 2 else self.slow:
            self.pending.append(work)
            return None
        try:
            return work()
        except ConnectionError:
            return None

    def hand_over(self, request: WebhookRequest) -> bool:
        self.handed_over.append(request)
        return True

    def late(self) -> None:
        """What was too slow is done after all."""
        while self.pending:
            self.pending.pop()()


class DeadLedger(FakeLedger):
    def record(self, observed: Sequence[Observed]) -> list[bool]:
        raise ConnectionError

    def quarantine(self, *_: object) -> Any:
        raise ConnectionError


@pytest.fixture
def world() -> World:
    return World()


def intake(
    world: World,
    request: WebhookRequest,
    haste: FakeHaste | None,
    ledger: FakeLedger | None = None,
    *,
    is_proven: bool = False,
) -> Intake:
    return take_in(
        request,
        find_provider(USSD),
        secret=SECRETS[USSD],
        ledger=ledger if ledger is not None else world.ledger,
        media_files=world.ledger.media_files,
        clock=world.clock,
        fetch=fetch,
        haste=haste,
        is_proven=is_proven,
    )


def failing(how: str) -> tuple[FakeHaste, FakeLedger | None]:
    return (FakeHaste(slow=True), None) if how == "slow" else (FakeHaste(), DeadLedger())


class TestTheStoreIsQuick:
    def test_it_is_kept_before_the_answer(self, world: World) -> None:
        haste = FakeHaste()
        taken = intake(world, PROMISES, haste)
        assert taken.response.body == "END Thank you. We will tell you by SMS."
        (kept,) = world.ledger
        assert kept.text == "Order status: 4411"
        assert (taken.received, taken.handed_over, haste.handed_over) == (1, 0, [])

    def test_all_that_may_take_time_takes_less_than_a_second(self, world: World) -> None:
        haste = FakeHaste(slow=True)
        intake(world, PROMISES, haste)
        limit = find_provider(USSD).answer_within
        assert limit == timedelta(seconds=1)
        assert haste.limits == [KEEPING * limit, HANDING_OVER * limit]
        assert sum(haste.limits, timedelta()) <= 0.9 * limit

    def test_trap_11_the_same_session_and_text_twice_is_one_touchpoint(self, world: World) -> None:
        first, again = (intake(world, PROMISES, FakeHaste()) for _ in range(2))
        assert first.response == again.response
        assert (again.received, again.duplicate) == (1, 1)
        assert len(world.ledger) == len(world.events) == 1

    def test_each_step_of_a_session_is_one_and_only_the_complete_message_asks(
        self, world: World
    ) -> None:
        for name in ("dialled", "option_chosen", "answered"):
            intake(world, CASES[name].request, FakeHaste())
        assert [one.needs_understanding for one in world.ledger] == [False, False, True]


@pytest.mark.parametrize("how", ["slow", "dead"])
class TestTheStoreIsNot:
    @pytest.mark.parametrize("name", ["dialled", "option_chosen", "answered", "call_me_back"])
    def test_it_is_handed_over_and_the_answer_is_the_same(
        self, world: World, how: str, name: str
    ) -> None:
        haste, ledger = failing(how)
        taken = intake(world, CASES[name].request, haste, ledger)
        assert taken.response.body == CASES[name].content["answer"]["body"]
        assert (taken.received, taken.handed_over, taken.not_kept) == (0, 1, 0)
        (handed_over,) = haste.handed_over
        assert len(world.ledger) == 0
        # Lambda invokes the function again, and nobody waits.
        assert intake(world, handed_over, None, is_proven=True).received == 1
        assert len(world.ledger) == 1
        assert world.ledger.balance().holds

    def test_nothing_is_promised_where_that_fails_too(self, world: World, how: str) -> None:
        haste, ledger = failing(how)
        haste.deaf = True
        taken = intake(world, PROMISES, haste, ledger)
        assert taken.response.body == SORRY
        assert (taken.received, taken.handed_over, taken.not_kept) == (0, 0, 1)
        assert len(world.ledger) == 0

    def test_but_the_next_screen_comes_for_the_last_request_tells_all(
        self, world: World, how: str
    ) -> None:
        haste, ledger = failing(how)
        haste.deaf = True
        taken = intake(world, SCREEN, haste, ledger)
        assert taken.response.body == "CON Please type your order number."
        intake(world, PROMISES, FakeHaste())
        (kept,) = world.ledger
        assert kept.text == "Order status: 4411"

    def test_what_nobody_can_read_is_handed_over_like_anything(
        self, world: World, how: str
    ) -> None:
        request = CASES["malformed_no_phone"].request
        haste, ledger = failing(how)
        taken = intake(world, request, haste, ledger)
        assert (taken.response.body, taken.handed_over) == (SORRY, 1)
        assert intake(world, request, None).quarantined == 1
        assert len(world.ledger.in_state(TouchpointState.QUARANTINED).items) == 1


class TestTheStoreComesLate:
    def test_it_is_one_touchpoint_and_one_more_delivery(self, world: World) -> None:
        haste = FakeHaste(slow=True)
        intake(world, PROMISES, haste)
        haste.late()
        again = intake(world, PROMISES, None)
        assert (again.received, again.duplicate) == (1, 1)
        assert len(world.ledger) == len(world.events) == 1
        assert world.ledger.balance().holds


def dialled(slug: str) -> dict[str, Any]:
    """The gateway's event, with the secret in each of the places where the gateway writes it."""
    path = "/".join(one for one in (slug, SECRET) if one)
    raw = f"/webhooks/{USSD}/{path}"
    return gateway_event(
        PROMISES.body,
        rawPath=raw,
        routeKey="POST /webhooks/{provider}/{path+}",
        headers={"host": GATEWAY, "content-type": "application/x-www-form-urlencoded"},
        requestContext={
            "domainName": GATEWAY,
            "http": {"method": "POST", "path": raw},
            "timeEpoch": 1_795_348_800_123,
        },
        pathParameters={"provider": USSD, "path": path},
    )


class TestNobodyWaits:
    def test_a_failure_rises_so_that_lambda_tries_again(self, world: World) -> None:
        with pytest.raises(ConnectionError):
            intake(world, PROMISES, None, DeadLedger())

    @pytest.mark.parametrize("slug", ["", "milano"])
    def test_what_lies_in_the_queue_holds_no_secret_and_is_believed(
        self, world: World, slug: str
    ) -> None:
        event = dialled(slug)
        first = webhook_request(event, public_url="", account_secrets=(f"{USSD}/milano",))
        haste = FakeHaste(slow=True)
        intake(world, first, haste)
        (bare,) = haste.handed_over
        waiting = proven(event, bare)
        assert SECRET not in json.dumps(waiting)
        assert json.loads(json.dumps(waiting)) == waiting
        again = webhook_request(waiting, public_url="", account_secrets=(f"{USSD}/milano",))
        assert (again.slug, again.body, again.arrived_at) == (slug, first.body, first.arrived_at)
        assert again.headers == first.headers
        assert again.url == first.url.replace(SECRET, "-")
        assert is_proven(waiting)
        assert intake(world, again, None, is_proven=True).received == 1
        assert intake(world, first, None).duplicate == 1

    def test_nobody_outside_can_say_that_it_is_proven(self, world: World) -> None:
        """Whatever a caller writes stands in a header, the query, the path or the body."""
        event = dialled("")
        event["headers"] |= {"passerelle_proven": "true"}
        event["rawQueryString"] = "passerelle_proven=true"
        event["pathParameters"]["path"] = event["rawPath"] = "passerelle_proven"
        event["body"] = "passerelle_proven=true&" + event["body"]
        assert not is_proven(event)
        with pytest.raises(Unauthentic):
            intake(world, webhook_request(event, public_url=""), None)
        assert len(world.ledger) == 0


def test_only_who_hangs_up_is_answered_in_haste() -> None:
    hurried = {name for name in provider_names() if find_provider(name).answer_within is not None}
    assert hurried == {USSD}


def test_for_everybody_else_haste_changes_nothing(world: World) -> None:
    case = next(one for one in cases() if one.id == "twilio-sms")
    haste = FakeHaste(slow=True)
    taken = take_in(
        case.request,
        find_provider("twilio"),
        secret=SECRETS["twilio"],
        ledger=world.ledger,
        media_files=world.ledger.media_files,
        clock=world.clock,
        fetch=fetch,
        haste=haste,
    )
    assert (taken.received, haste.limits) == (1, [])
