"""Pages as the fakes cut them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.domain.errors import InvalidInput
from shared.ports.paging import Page

T = TypeVar("T")


def page_of(
    items: Iterable[T],
    key: Callable[[T], str],
    *,
    limit: int,
    cursor: str | None,
    newest_first: bool = False,
) -> Page[T]:
    """One page in the order of `key`. The cursor holds the last key, so inserts shift no page."""
    ordered = sorted(items, key=key, reverse=newest_first)
    if cursor is not None:
        last = _read_cursor(cursor)
        ordered = [one for one in ordered if (key(one) < last if newest_first else key(one) > last)]
    more = len(ordered) > limit
    return Page(ordered[:limit], _write_cursor(key(ordered[limit - 1])) if more else None)


def _write_cursor(key: str) -> str:
    return urlsafe_b64encode(f"fake:{key}".encode()).decode()


def _read_cursor(cursor: str) -> str:
    try:
        mark, key = urlsafe_b64decode(cursor.encode()).decode().split(":", 1)
    except ValueError:
        mark, key = "", ""
    if mark != "fake":
        raise InvalidInput("the cursor is not one of ours", field="cursor")
    return key
