"""Money as bodies tell it: an amount, and its currency (ISO 4217)."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints


def _as_amount(value: object) -> object:
    """Money is decimal text; a JSON number is taken for what it shows."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return format(Decimal(repr(value)), "f")


Amount = Annotated[
    str,
    BeforeValidator(_as_amount),
    StringConstraints(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"),
]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
