"""What came in one request and goes its way together."""

import pytest

from shared.domain.batch import MOST_OF_A_BATCH, batches
from shared.domain.touchpoint import Attachment, Content, Direction, Message, PageView, Touchpoint
from tests.builders import call_part, sms, touchpoint

PAGE = PageView(name="Kettle", url="https://www.boutique.example/kettle")


def view(number: int, content: Content = PAGE) -> Touchpoint:
    return touchpoint(content, key=f"view-{number}", direction=Direction.PASSIVE)


def test_what_nobody_thinks_about_is_told_of_together_each_once() -> None:
    first, second = view(1), view(2)
    assert batches([first, second, first]) == [[first, second]]


def test_one_alone_is_told_of_by_itself() -> None:
    assert batches([view(1), view(1)]) == []
    assert batches([]) == []


@pytest.mark.parametrize(
    "other",
    [
        sms("Toujours rien ?"),
        call_part("answered"),
        view(3, Message(text="photo", attachments=(Attachment(provider_reference="1"),))),
    ],
    ids=["words", "a call", "files"],
)
def test_what_has_a_longer_way_goes_alone(other: Touchpoint) -> None:
    first, second = view(1), view(2)
    assert batches([first, other, second]) == [[first, second]]


def test_no_event_tells_of_too_many() -> None:
    groups = batches([view(number) for number in range(2 * MOST_OF_A_BATCH + 1)])
    assert [len(one) for one in groups] == [MOST_OF_A_BATCH, MOST_OF_A_BATCH, 1]
