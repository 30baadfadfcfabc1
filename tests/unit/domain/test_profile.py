from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.domain.identity import IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled, united
from shared.domain.identity_tie import TieKind, tie
from shared.domain.profile import LearnedLanguage, Profile, Trait, as_one
from shared.domain.touchpoint import Channel, Direction
from tests import builders
from tests.builders import NOON

POLICY = builders.policies().identity
IN, OUT = Direction.INBOUND, Direction.OUTBOUND


def profile(**fields: Any) -> Profile:
    return Profile.model_validate(
        {"profile_id": builders.profile_id(), "created_at": NOON} | fields
    )


@pytest.mark.parametrize(
    ("contacts", "channel"),
    [
        ({}, None),
        ({(OUT, Channel.SMS): 9}, None),
        ({(IN, Channel.EMAIL): 1, (IN, Channel.WHATSAPP): 2, (OUT, Channel.SMS): 9}, "whatsapp"),
        ({(IN, Channel.EMAIL): 2, (IN, Channel.SMS): 2}, "sms"),
    ],
)
def test_the_preferred_channel_is_where_they_speak_most(
    contacts: dict[tuple[Direction, Channel], int], channel: str | None
) -> None:
    assert profile(contacts=contacts).preferred_channel == channel


@pytest.mark.parametrize(
    ("traits", "learned", "language"),
    [
        ({}, None, None),
        ({}, "it", "it"),
        ({"language": "fr"}, "it", "fr"),
        ({"language": "pt_BR"}, None, "pt"),
        ({"locale": "en-GB"}, None, "en"),
        ({"language": "FR", "locale": "en-GB"}, None, "fr"),
        ({"language": 7}, "it", "it"),
        ({"language": "", "locale": ""}, "it", "it"),
    ],
)
def test_the_language_stated_goes_before_the_one_learned(
    traits: dict[str, Any], learned: str | None, language: str | None
) -> None:
    taught = LearnedLanguage(language=learned, at=NOON) if learned else None
    stated = {name: Trait(value=value, at=NOON) for name, value in traits.items()}
    assert profile(traits=stated, learned_language=taught).language == language


def test_a_person_holds_what_their_profiles_hold_in_whatever_order_they_are_read() -> None:
    phone = builders.identifier()
    mail = builders.identifier("awa@example.com", IdentifierType.EMAIL)
    card = builders.identifier("card-7", IdentifierType.LOYALTY_CARD)
    homes = [phone, mail, card]
    ties = [
        tie(phone.key, one.key, TieKind.MERGED, NOON, "agent:1", "she said so")
        for one in (mail, card)
    ]
    keys = frozenset(one.key for one in homes)
    graph = settled(united([IdentityGraph(identifiers=keys, homes=keys)], ties), POLICY)
    profiles = [
        Profile(
            profile_id=one.profile_id,
            created_at=NOON + timedelta(days=n),
            identifiers=(one,),
            traits={"city": Trait(value=f"city {n}", at=NOON - timedelta(days=n))},
            contacts={(IN, Channel.SMS): n},
            spend={"EUR": 1000 * n},
            last_at={IN: NOON + timedelta(days=n)},
        )
        for n, one in enumerate(homes)
    ]
    person, *others = (
        as_one(graph.person_of(phone.key), graph, order) for order in permutations(profiles)
    )
    assert all(other == person for other in others)
    assert person.profile_id == phone.profile_id
    assert set(person.profile_ids) == {one.profile_id for one in homes}
    assert person.traits["city"].value == "city 0"
    assert person.contacts == {(IN, Channel.SMS): 3}
    assert person.spend == {"EUR": 3000}
    assert person.last_at[IN] == NOON + timedelta(days=2)
    assert person.created_at == NOON
