from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.model import ProfileId, TouchpointId
from shared.domain.sending import MessageClass
from shared.domain.suppression import (
    HELP_AGAIN_AFTER,
    MOST_CONFIRMED,
    Notice,
    Release,
    Suppression,
    SuppressionKind,
    SuppressionRecord,
    address_subject,
    endpoint_subject,
    lifted_by_provider,
    person_subject,
    subjects_of,
    told_by_provider,
)
from shared.domain.touchpoint import Channel, Stop
from tests.builders import NOON, PHONE, endpoint

OPT_OUT = SuppressionKind.OPT_OUT


def suppression(
    kind: SuppressionKind = OPT_OUT, *, hours: int = 0, **fields: object
) -> Suppression:
    usual = {"kind": kind, "reason": "the person opted out", "by": "word:opt_out_keyword"}
    return Suppression.model_validate(usual | {"at": NOON + timedelta(hours=hours)} | fields)


def release(kind: SuppressionKind = OPT_OUT, *, hours: int = 0) -> Release:
    return Release(
        kind=kind, reason="START", by="word:opt_in_keyword", at=NOON + timedelta(hours=hours)
    )


def notice(template: str = "help", *, hours: float = 0, of: str = "touchpoint-1") -> Notice:
    fields = {"template": template, "touchpoint_id": of, "at": NOON + timedelta(hours=hours)}
    return Notice.model_validate(fields)


kinds = st.sampled_from([OPT_OUT, SuppressionKind.BOUNCE])
moments = st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
statements = st.one_of(
    st.builds(
        Suppression,
        kind=kinds,
        classes=st.sampled_from(["all", "marketing"]),
        reason=st.sampled_from(["one reason", "another"]),
        by=st.sampled_from(["agent:1", "provider:twilio"]),
        at=moments,
        touchpoint_id=st.none(),
    ),
    st.builds(
        Release,
        kind=kinds,
        reason=st.just("asked for it"),
        by=st.sampled_from(["agent:1", "word:start", "provider:twilio"]),
        at=moments,
        touchpoint_id=st.none(),
    ),
)


@given(st.lists(statements, max_size=8), st.randoms())
def test_the_record_does_not_depend_on_the_order_of_arrival(
    said: list[Suppression | Release], random: Random
) -> None:
    one, other = SuppressionRecord(), SuppressionRecord()
    for statement in said:
        one = one.told(statement)
    for statement in random.sample(said, len(said)):
        other = other.told(statement)
    assert one.model_dump_json() == other.model_dump_json()
    assert one == SuppressionRecord().told(*said)


@given(st.lists(statements, max_size=8), statements)
def test_what_is_said_twice_changes_nothing(
    said: list[Suppression | Release], again: Suppression | Release
) -> None:
    record = SuppressionRecord().told(*said, again)
    assert record.told(again) == record
    assert not record.told(again).differs(record)


def test_the_later_of_a_stop_and_a_release_counts_and_the_stop_at_the_same_instant() -> None:
    stopped = SuppressionRecord().told(suppression(hours=1))
    assert stopped.stops(OPT_OUT)
    assert stopped.told(release(hours=0)).stops(OPT_OUT)
    assert stopped.told(release(hours=1)).stops(OPT_OUT)
    lifted = stopped.told(release(hours=2))
    assert not lifted.stops(OPT_OUT)
    assert lifted.active == ()
    assert lifted.release_of(OPT_OUT) == release(hours=2)
    assert stopped.release_of(OPT_OUT) is None
    assert lifted.told(suppression(hours=3)).stops(OPT_OUT)


def test_each_kind_stands_by_itself() -> None:
    record = SuppressionRecord().told(
        suppression(), suppression(SuppressionKind.BOUNCE), release(hours=1)
    )
    assert [one.kind for one in record.active] == [SuppressionKind.BOUNCE]


def test_only_a_change_of_what_stands_is_a_difference() -> None:
    nothing = SuppressionRecord()
    stopped = nothing.told(suppression(hours=1))
    assert stopped.differs(nothing)
    assert nothing.told(release()).differs(nothing)
    assert not stopped.told(suppression(hours=2)).differs(stopped)
    assert not stopped.told(release(hours=0)).differs(stopped)
    assert stopped.told(release(hours=2)).differs(stopped)
    assert nothing.release_of(OPT_OUT) is None


def test_a_stop_to_marketing_lets_the_rest_through() -> None:
    marketing = suppression(classes="marketing")
    assert marketing.stops(MessageClass.MARKETING)
    assert not marketing.stops(MessageClass.SERVICE)
    assert suppression().stops(MessageClass.SERVICE)


def test_a_subject_names_no_address() -> None:
    for subject in subjects_of(endpoint(), [ProfileId("p1")]):
        assert PHONE.removeprefix("+") not in subject


def test_an_address_is_the_same_however_it_is_written() -> None:
    mail = endpoint(Channel.EMAIL, provider="email_ses", address="Awa@Example.com")
    same = mail.model_copy(update={"address": "awa@example.com"})
    assert endpoint_subject(mail) == endpoint_subject(same)
    assert address_subject(Channel.WHATSAPP, PHONE) == address_subject(
        Channel.WHATSAPP, PHONE.removeprefix("+")
    )


def test_the_same_number_on_another_channel_or_line_is_another_subject() -> None:
    one = endpoint()
    others = [
        one.model_copy(update={"channel": Channel.SMS}),
        one.model_copy(update={"account": "another"}),
        one.model_copy(update={"provider": "twilio"}),
    ]
    subjects = {endpoint_subject(each) for each in (one, *others)}
    assert len(subjects) == 4
    assert address_subject(one.channel, one.address) not in subjects


def test_endpoint_address_and_every_profile_of_the_person_may_stop_a_message() -> None:
    way = endpoint()
    assert subjects_of(way, [ProfileId("p1"), ProfileId("p2")]) == (
        endpoint_subject(way),
        address_subject(way.channel, way.address),
        person_subject(ProfileId("p1")),
        "profile#p2",
    )


def test_the_last_word_on_a_subscription_is_the_one_confirmed() -> None:
    out, back, help_ = notice("opt_out_confirmed"), notice("opt_in_confirmed"), notice()
    record = SuppressionRecord().with_notice(out).with_notice(help_).with_notice(back)
    assert record.notices == {"subscription": back, "help": help_}


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        (timedelta(0), False),
        (HELP_AGAIN_AFTER - timedelta(seconds=1), False),
        (HELP_AGAIN_AFTER, True),
    ],
)
def test_help_is_given_once_an_hour(after: timedelta, wanted: bool) -> None:
    record = SuppressionRecord()
    assert record.wants_help(notice())
    record = record.with_notice(notice())
    again = notice(of=TouchpointId("touchpoint-2"), hours=after / timedelta(hours=1))
    assert record.wants_help(again) is wanted


@pytest.mark.parametrize(
    ("stop", "everywhere"),
    [
        (Stop(kind="bounce"), True),
        (Stop(kind="complaint"), True),
        (Stop(kind="provider_block"), False),
        (Stop(kind="opt_out", classes="marketing"), False),
    ],
)
def test_what_a_provider_says_of_an_address_or_of_one_line(stop: Stop, everywhere: bool) -> None:
    way = endpoint()
    subject, told = told_by_provider(way, stop, NOON, TouchpointId("t"))
    address = address_subject(way.channel, way.address)
    assert subject == (address if everywhere else endpoint_subject(way))
    assert (told.kind, told.classes, told.at) == (stop.kind, stop.classes, NOON)
    assert (told.by, told.touchpoint_id) == ("provider:whatsapp_cloud", "t")


@pytest.mark.parametrize("kind", ["provider_block", "bounce"])
def test_what_a_provider_lifts_is_what_it_had_stopped(
    kind: Literal["provider_block", "bounce"],
) -> None:
    way, stop = endpoint(), Stop(kind=kind)
    subject, told = told_by_provider(way, stop, NOON, TouchpointId("t"))
    other, lifted = lifted_by_provider(way, stop, NOON + timedelta(hours=1), TouchpointId("u"))
    assert other == subject
    record = SuppressionRecord().told(lifted, told)
    assert record.active == ()
    assert record.release_of(SuppressionKind(kind)) == lifted


def test_what_a_word_stopped_no_provider_lifts() -> None:
    """They want offers again in the provider's own settings, and still have our STOP."""
    stop = Stop(kind="opt_out", classes="marketing")
    hour = timedelta(hours=1)
    _, told = told_by_provider(endpoint(), stop, NOON + hour, TouchpointId("t"))
    _, lifted = lifted_by_provider(endpoint(), stop, NOON + 2 * hour, TouchpointId("u"))
    by_word: Suppression | Release = suppression(hours=0)
    for said in permutations((by_word, lifted)):
        record = SuppressionRecord().told(*said)
        assert record.active == (by_word,)
        assert record.release_of(SuppressionKind.OPT_OUT) is None
    started = release(hours=1)
    for all_said in permutations((by_word, lifted, started)):
        assert SuppressionRecord().told(*all_said).active == ()
    assert SuppressionRecord().told(told, lifted).active == ()
    assert SuppressionRecord().told(lifted).differs(SuppressionRecord())


def test_who_says_stop_and_start_in_turns_is_answered_a_few_times_a_day() -> None:
    record = SuppressionRecord()
    for n in range(MOST_CONFIRMED):
        due = notice("opt_out_confirmed", hours=n / 100, of=f"touchpoint-{n}")
        assert record.may_confirm(due)
        record = record.with_notice(due)
        record = record.with_notice(due)
    assert not record.may_confirm(notice("opt_out_confirmed", hours=1, of="one more"))
    assert record.may_confirm(notice("opt_out_confirmed", hours=25, of="tomorrow"))
    assert record.with_notice(notice("help", hours=1)).confirmed_at == record.confirmed_at
