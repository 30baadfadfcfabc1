"""What hypothesis draws: moments around two changes of clocks, calendars, customer words."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import strategies as st

from shared.domain.sla import Calendar, Opening, SlaTarget
from shared.domain.ticket import CustomerWord, Priority, SlaPolicy
from tests.builders import NOON, endpoint

PARIS = Calendar(
    time_zone="Europe/Paris",
    openings={
        "monday": (
            Opening(opens=time(8, 30), until=time(12, 30)),
            Opening(opens=time(13, 30), until=time(18, 30)),
        ),
        "tuesday": (Opening(opens=time(8, 30), until=time(12, 30)),),
        "wednesday": (Opening(opens=time(22), until=time(0)),),
        "thursday": (Opening(opens=time(0), until=time(0)),),
        "sunday": (Opening(opens=time(1), until=time(4)),),
    },
    holidays=frozenset({date(2026, 12, 24)}),
)
"""Split days, nights to midnight, and Sunday hours in which the clocks change."""

moments = st.datetimes(
    min_value=datetime(2026, 10, 20), max_value=datetime(2027, 4, 5), timezones=st.just(UTC)
)
durations = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(hours=100))

SLA = SlaPolicy(
    calendar="paris",
    targets={
        Priority.LOW: SlaTarget(first_response=timedelta(hours=8), resolution=timedelta(hours=40)),
        Priority.NORMAL: SlaTarget(
            first_response=timedelta(hours=4), resolution=timedelta(hours=24)
        ),
        Priority.HIGH: SlaTarget(first_response=timedelta(hours=2), resolution=timedelta(hours=16)),
        Priority.URGENT: SlaTarget(
            first_response=timedelta(hours=1), resolution=timedelta(hours=8)
        ),
    },
)

# Few moments and few ids, so that ties and repetitions happen.
_minutes = st.integers(min_value=0, max_value=600)


@st.composite
def customer_words(draw: st.DrawFn) -> list[CustomerWord]:
    """One to five words, each touchpoint once."""
    ids = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5, unique=True))
    return [
        CustomerWord.model_validate(
            {
                "touchpoint_id": id_,
                "at": NOON + timedelta(minutes=draw(_minutes)),
                "endpoint": endpoint(),
                "intent": draw(st.sampled_from(["refund", "order_status"])),
                "priority": draw(st.sampled_from(Priority)),
            }
        )
        for id_ in ids
    ]
