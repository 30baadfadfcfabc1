"""What is kept of files is said for every form, and what became of them changes nothing else."""

import pytest
from pydantic import ValidationError

from shared.domain.media import (
    MediaPolicy,
    Medium,
    MediumState,
    has_media,
    medium_name,
    with_media,
)
from shared.domain.touchpoint import Attachment, Message, Reaction
from tests.builders import policies, touchpoint

FILES = (Attachment(name="a", provider_reference="1"), Attachment(name="b", size=7))
SEEN = touchpoint(Message(text="voilà", attachments=FILES))


def test_every_form_has_its_limit() -> None:
    with pytest.raises(ValidationError, match="nothing is said of audio, voice, video, sticker"):
        MediaPolicy(largest={"file": 1, "image": 2}, types=frozenset())


def test_the_companys_own_keep_nothing_that_runs() -> None:
    types = policies().media.types
    assert not {one for one in types if "html" in one or "svg" in one or "script" in one}
    assert max(policies().media.largest.values()) <= 100_000_000


def test_what_has_no_files_has_none() -> None:
    assert has_media(SEEN)
    assert not has_media(touchpoint())
    assert not has_media(touchpoint(Reaction(message_id="1", emoji="👍")))
    assert not has_media(touchpoint(Message(attachments=(Attachment(name="b"),))))


def test_where_files_are_is_told_by_name_and_the_rest_stays() -> None:
    medium = Medium(state=MediumState.STORED, object_key="k", content_type="image/png", size=3)
    moved = with_media(SEEN, {medium_name(FILES[0], 0): medium})
    assert isinstance(moved.content, Message)
    first, second = moved.content.attachments
    assert (first.object_key, first.content_type, first.size) == ("k", "image/png", 3)
    assert (first.name, first.provider_reference) == ("a", "1")
    assert second == FILES[1]
    assert moved.touchpoint_id == SEEN.touchpoint_id


def test_what_is_refused_is_nowhere_and_keeps_what_was_said_of_it() -> None:
    refused = with_media(SEEN, {"1": Medium(state=MediumState.REFUSED, because="type")})
    assert isinstance(refused.content, Message)
    assert refused.content.attachments == FILES
    assert with_media(SEEN, {}) is SEEN
