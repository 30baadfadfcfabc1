"""Pages as a caller sees them."""

from collections.abc import Callable
from typing import Generic, TypeVar

from shared.domain.model import Model
from shared.ports.paging import Page

T = TypeVar("T")
U = TypeVar("U")

MOST_LOOKS = 10
"""How many pages of a store one answer may look through for what a filter lets pass."""


class Listing(Model, Generic[T]):
    """One page. `cursor` asks for what follows; null means there is no more."""

    items: tuple[T, ...]
    cursor: str | None = None


def filtered(
    fetch: Callable[[str | None], Page[T]], keep: Callable[[T], bool], cursor: str | None
) -> Page[T]:
    """The next page of which a filter leaves something.

    It may be shorter than a page, and is empty only at the end or after ten pages in vain.
    """
    kept: list[T] = []
    for _ in range(MOST_LOOKS):
        page = fetch(cursor)
        kept = [one for one in page.items if keep(one)]
        cursor = page.cursor
        if kept or cursor is None:
            break
    return Page(kept, cursor)
