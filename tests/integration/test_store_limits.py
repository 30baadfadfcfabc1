"""The largest thing each step may write is one that DynamoDB takes."""

from datetime import timedelta

from functions.profile_update.logic.update import LARGEST_TRAIT, MOST_TRAITS
from shared.domain.follow_up import FollowUpState
from shared.domain.profile import Trait
from shared.domain.touchpoint import Channel, Direction, Message
from shared.events.catalogue import FollowUpDone
from tests.builders import (
    NOON,
    endpoint,
    follow_up,
    observed,
    profile_id,
    profile_tie,
    ticket,
    touchpoint,
    whatsapp_message,
)
from tests.integration.conftest import Stores


def test_a_profile_takes_the_most_traits_under_the_longest_names(real_stores: Stores) -> None:
    """An expression holds 4 KB, and every name stands in it more than once."""
    seen = whatsapp_message()
    real_stores.ledger.record([observed(seen)])
    trait = Trait(value="é" * LARGEST_TRAIT, at=NOON)
    traits = {f"{n:02} {'é' * 97}": trait for n in range(MOST_TRAITS)}
    real_stores.profiles.attach(profile_tie(seen, traits=traits, finished=True))
    profile = real_stores.profiles.read(profile_id())
    assert profile is not None and profile.traits == traits


def test_a_long_chat_shows_its_latest_messages(real_stores: Stores) -> None:
    line = endpoint(Channel.WEB_CHAT, provider="web_chat", account="web", address="session")
    for n in range(102):
        promise = follow_up(name=f"reply_{n}")
        event = FollowUpDone(
            follow_up_id=promise.follow_up_id,
            ticket_id=ticket().ticket_id,
            profile_id=profile_id(),
            name=promise.name,
            state="done",
        )
        sent = touchpoint(
            Message(text=f"message {n}"),
            provider="web_chat",
            account="web",
            channel=Channel.WEB_CHAT,
            direction=Direction.OUTBOUND,
            key=f"m{n}",
            endpoint=line,
            at=NOON + timedelta(minutes=n),
        )
        real_stores.tickets.promise(promise, event)
        done = promise.model_copy(update={"state": FollowUpState.DONE})
        real_stores.tickets.end(done, FollowUpState.SCHEDULED, event, sent=sent)
    shown = [entry.touchpoint.text for entry in real_stores.ledger.mailbox(line)]
    assert shown[-1] == "message 101"
    assert shown == [f"message {n}" for n in range(2, 102)]
