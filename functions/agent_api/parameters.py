"""What several routes take from the path and the query string."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import BeforeValidator

from shared.domain.model import Instant
from shared.domain.ticket import TicketStatus
from shared.domain.touchpoint import TouchpointState

DEFAULT_LIMIT = 20


def _with_plus(text: object) -> object:
    """A plus sign that nobody encoded arrives as a space: 2026-11-23T12:00:00 01:00."""
    return text.replace(" ", "+") if isinstance(text, str) else text


Limit = Annotated[int, Query(ge=1, le=100, description="The most items of one page.")]
Cursor = Annotated[
    str | None, Query(max_length=2000, description="From the page before; asks for what follows.")
]
Since = Annotated[
    Instant | None,
    BeforeValidator(_with_plus),
    Query(description="Only what is not older, as ISO 8601 with its offset from UTC."),
]
PathId = Annotated[str, Path(max_length=64)]
Id = Annotated[str | None, Query(min_length=1, max_length=64)]
State = Annotated[TouchpointState, Query(description="Where their journey stands.")]
Status = Annotated[
    TicketStatus | None, Query(description="Without it, a queue shows what has not ended.")
]
