"""Pages that are made from the code still say what the code says."""

from infra.event_docs import PAGE, page
from shared.events.catalogue import EVENTS


def test_the_page_of_events_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m infra.event_docs"


def test_each_event_and_each_field_has_its_line() -> None:
    text = page()
    for event in EVENTS:
        section = text.split(f"## {event.__name__}\n")[1].split("\n## ")[0]
        assert all(f"| `{name}` |" in section for name in event.model_fields)
