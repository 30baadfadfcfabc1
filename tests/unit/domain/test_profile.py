from typing import Any

import pytest

from shared.domain.profile import LearnedLanguage, Profile, Trait
from shared.domain.touchpoint import Channel, Direction
from tests import builders
from tests.builders import NOON

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
