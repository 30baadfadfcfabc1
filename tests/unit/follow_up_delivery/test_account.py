"""An account that fails is left alone for a while; one message tries; none is lost meanwhile."""

from datetime import timedelta

import pytest

from functions.follow_up_delivery.logic.account import Asking, ask, tell
from functions.follow_up_delivery.logic.transmission import MOST_HELD
from shared.domain.breaker import BreakerState
from shared.domain.errors import (
    PasserelleError,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
)
from shared.domain.follow_up import FollowUp, FollowUpState
from shared.domain.suppression import NoticeState
from shared.events.catalogue import AccountResumed, AccountSuspended
from shared.events.envelope import Event
from tests.builders import SMS_LINE, WHATSAPP_LINE, endpoint, sms
from tests.fakes import FakeAccountBreakers
from tests.unit.follow_up_delivery.conftest import Promise
from tests.unit.follow_up_delivery.test_notice import send, word

MINUTE = timedelta(minutes=1)
LINE = ("whatsapp_cloud", WHATSAPP_LINE)
FAILURES, OPEN_FOR = 5, 5 * MINUTE


def state(promise: Promise) -> BreakerState:
    return promise.world.breakers.states.get(LINE, BreakerState())


def suspend(promise: Promise) -> BreakerState:
    """So many replies in a row have met a provider that is down."""
    for n in range(FAILURES):
        promise.world.sender.fail_next(SendUnconfirmed("HTTP 500"))
        reply(promise, n)
    assert state(promise).open_until == promise.world.clock.now() + OPEN_FOR
    return state(promise)


def reply(promise: Promise, n: int) -> FollowUp:
    promise.make_reply(f"Bonjour {n}")
    return promise.deliver()


def test_what_it_costs_while_all_is_well(promise: Promise) -> None:
    promise.deliver()
    assert (promise.world.breakers.reads, promise.world.breakers.writes) == (1, 0)


def test_after_so_many_failures_in_a_row_nobody_is_asked(promise: Promise) -> None:
    until = suspend(promise).open_until
    waiting = reply(promise, 9)
    assert waiting.state is FollowUpState.SCHEDULED
    assert waiting.due_at == until
    assert (waiting.failures, waiting.claimed_at) == (0, None)
    assert waiting.schedule_name in promise.world.timer
    assert len(promise.world.sender) == 0
    (told,) = promise.world.happened(AccountSuspended)
    assert told == AccountSuspended(provider=LINE[0], account=LINE[1], until=until)


def test_one_tries_and_a_success_lets_the_others_through(promise: Promise) -> None:
    suspend(promise)
    promise.world.clock.advance(OPEN_FOR)
    assert reply(promise, 10).state is FollowUpState.DONE
    assert state(promise) == BreakerState()
    assert promise.world.happened(AccountResumed) == [
        AccountResumed(provider=LINE[0], account=LINE[1])
    ]
    assert reply(promise, 11).state is FollowUpState.DONE


def test_a_failure_of_the_one_that_tries_opens_it_again(promise: Promise) -> None:
    suspend(promise)
    promise.world.clock.advance(OPEN_FOR)
    promise.world.sender.fail_next(SendDelayed("busy"))
    assert reply(promise, 10).state is FollowUpState.SCHEDULED
    assert reply(promise, 11).due_at == promise.world.clock.now() + OPEN_FOR
    assert len(promise.world.happened(AccountSuspended)) == 1, "it was suspended all the time"


def test_of_two_that_come_at_once_one_tries(promise: Promise) -> None:
    suspend(promise)
    promise.world.clock.advance(OPEN_FOR)
    promise.world.breakers.__class__ = Overtaken
    waiting = reply(promise, 10)
    assert waiting.due_at == promise.world.clock.now() + OPEN_FOR
    assert len(promise.world.sender) == 0


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (SendDelayed("busy"), True),
        (SendUnconfirmed("HTTP 502"), True),
        (SendRefused("no access", code="190", reason="unauthorized"), True),
        (SendRefused("quota", code="131048", reason="limit"), False),
        (SendRefused("?", code="1", reason="unknown"), False),
        (SendRefused("no such number", code="131026", reason="invalid_recipient"), False),
        (SendRefused("too long", code="131009", reason="content"), False),
    ],
)
def test_only_what_speaks_of_the_account_counts(
    promise: Promise, error: PasserelleError, counts: bool
) -> None:
    promise.world.sender.fail_next(error)
    promise.deliver()
    assert state(promise).failures == int(counts)


@pytest.mark.parametrize(
    ("reason", "failures"), [("content", 0), ("invalid_recipient", 0), ("limit", 2), ("unknown", 2)]
)
def test_a_refusal_of_one_message_shows_that_the_account_is_well(
    promise: Promise, reason: RefusalReason, failures: int
) -> None:
    promise.world.breakers.states[LINE] = BreakerState(failures=2)
    promise.world.sender.fail_next(SendRefused("no", code="1", reason=reason))
    promise.deliver()
    assert state(promise).failures == failures


def test_another_account_is_not_held(promise: Promise) -> None:
    suspend(promise)
    by_sms = promise.hear(sms(at=promise.world.clock.now()))
    promise.make_reply("Bonjour", to=by_sms.touchpoint_id)
    assert promise.deliver().state is FollowUpState.DONE


def test_what_waits_for_a_day_is_given_up_and_shown(promise: Promise) -> None:
    begun = promise.world.clock.now()
    by_sms = promise.hear(sms(at=begun))
    promise.make_reply(to=by_sms.touchpoint_id)
    for _ in range(MOST_HELD):
        hold_open(promise)
        assert promise.deliver(at=promise.deliver_at()).state is FollowUpState.SCHEDULED
    hold_open(promise)
    ended = promise.deliver(at=promise.deliver_at())
    assert (ended.state, ended.refusal_reason) == (FollowUpState.REFUSED, "unreachable")
    assert ended.result == "given up: this account failed too often; nobody asks it now"
    waited = promise.world.clock.now() - begun
    assert timedelta(hours=20) < waited < timedelta(hours=28)


def hold_open(promise: Promise) -> None:
    now = promise.deliver_at()
    promise.world.breakers.states["twilio", SMS_LINE] = BreakerState(
        failures=FAILURES, opened_at=now, open_until=now + MINUTE
    )


def test_a_notice_waits_as_well(promise: Promise) -> None:
    stop = word(promise, "STOP")
    assert stop.endpoint is not None
    now = promise.world.clock.now()
    line = (stop.endpoint.provider, stop.endpoint.account)
    promise.world.breakers.states[line] = BreakerState(
        failures=FAILURES, opened_at=now, open_until=now + OPEN_FOR
    )
    notice = send(promise, stop)
    assert notice is not None and notice.state is NoticeState.PENDING
    ((at, _),) = promise.world.timer.scheduled.values()
    assert at == now + OPEN_FOR
    assert len(promise.world.sender) == 0


def test_a_notice_waits_for_an_account_about_a_day_without_failing(promise: Promise) -> None:
    world, stop = promise.world, word(promise, "STOP")
    assert stop.endpoint is not None
    line = (stop.endpoint.provider, stop.endpoint.account)
    begun = world.clock.now()
    for held in range(1, MOST_HELD + 2):
        now = world.clock.now()
        world.breakers.states[line] = BreakerState(
            failures=FAILURES, opened_at=now, open_until=now + MINUTE
        )
        notice = send(promise, stop)
        assert notice is not None
        assert notice.failures == 0
        if held > MOST_HELD:
            break
        assert (notice.state, notice.held) == (NoticeState.PENDING, held)
        due, _ = world.timer.scheduled[f"notice-{stop.touchpoint_id}-{held}"]
        world.clock.advance(due - now)
    assert notice is not None and notice.state is NoticeState.REFUSED
    assert timedelta(hours=20) < world.clock.now() - begun < timedelta(hours=28)


class Overtaken(FakeAccountBreakers):
    """Somebody else is always quicker."""

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        return False


class OnceOvertaken(FakeAccountBreakers):
    """Somebody else told of a failure just before, once."""

    is_overtaken = False

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        if not self.is_overtaken:
            self.is_overtaken = True
            self.states[provider, account] = BreakerState(failures=before.failures + 1)
            return False
        return super().change(provider, account, before, after, event)


def test_failures_that_are_told_at_once_are_both_counted(promise: Promise) -> None:
    promise.world.breakers = OnceOvertaken()
    promise.world.sender.fail_next(SendDelayed("busy"))
    promise.deliver()
    assert state(promise).failures == 2


def test_where_others_always_tell_first_the_message_is_kept_all_the_same(
    promise: Promise,
) -> None:
    promise.world.breakers = Overtaken()
    asking = ask(endpoint(), promise.ports)
    assert isinstance(asking, Asking)
    tell(asking, failed=True, ports=promise.ports)
    promise.world.sender.fail_next(SendUnconfirmed("HTTP 500"))
    assert promise.deliver().state is FollowUpState.UNCONFIRMED
