"""What is kept of files is said for every form, and what became of them changes nothing else."""

import pytest
from pydantic import ByteSize, ValidationError

from shared.domain.media import (
    MediaPolicy,
    Medium,
    MediumState,
    file_form_of,
    has_media,
    medium_name,
    sent_media,
    with_links,
    with_media,
)
from shared.domain.sending import OutboundFile
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


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("image/png", "image"),
        ("audio/ogg", "audio"),
        ("video/mp4", "video"),
        ("application/pdf", "file"),
        ("text/plain", "file"),
        ("", "file"),
    ],
)
def test_a_file_is_shown_as_what_it_is(content_type: str, form: str) -> None:
    assert file_form_of(content_type) == form


def test_all_files_of_a_message_that_leaves_are_held_in_memory() -> None:
    assert policies().media.together <= 12_000_000
    with pytest.raises(ValidationError, match="together"):
        MediaPolicy(largest=policies().media.largest, types=frozenset(), together=ByteSize(10**8))


OURS = Attachment(name="bill", content_type="application/pdf", size=7, object_key="k")
SENT = touchpoint(Message(text="voici", attachments=(OURS, FILES[0])))


def test_of_what_we_sent_our_own_files_are_known() -> None:
    medium = Medium(
        state=MediumState.STORED, object_key="k", content_type="application/pdf", size=7
    )
    assert sent_media(SENT) == {"0": medium}
    assert with_media(SENT, sent_media(SENT)) == SENT
    assert sent_media(SEEN) == {}


def test_outside_a_file_of_ours_is_named_by_an_address_and_the_rest_stays() -> None:
    shown = with_links(SENT, lambda key, name: f"https://files.example/{key}/{name}")
    assert isinstance(shown.content, Message)
    ours, other = shown.content.attachments
    assert (ours.provider_reference, ours.object_key) == ("https://files.example/k/bill", None)
    assert other == FILES[0]
    assert with_links(SEEN, lambda key, name: "never asked") is SEEN


def test_a_file_that_leaves_lies_somewhere_and_its_content_is_never_kept() -> None:
    with pytest.raises(ValidationError, match="where it lies"):
        OutboundFile(name="bill.pdf")
    file = OutboundFile(object_key="k", content=b"secret")
    assert "secret" not in file.model_dump_json() and "secret" not in repr(file)
