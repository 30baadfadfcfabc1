"""A page of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    pass


T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """`cursor` continues after this page; None means there is no more."""

    items: list[T]
    cursor: str | None
