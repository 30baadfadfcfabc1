"""What understanding their messages teaches of a person: the language they write, how they feel."""

from collections.abc import Sequence
from typing import TypeVar

from shared.domain.model import Model, TouchpointId
from shared.domain.profile import MOST_MOODS, LearnedLanguage, Mood

MOST_LANGUAGES = 5
"""So many of the latest may be taken back, and the one before still counts."""

Lesson = TypeVar("Lesson", bound=LearnedLanguage | Mood)


class Learned(Model):
    """A fold over understood messages, the same in whatever order they come."""

    languages: tuple[LearnedLanguage, ...] = ()
    """Of the latest messages that left no doubt, newest first, one a touchpoint."""
    moods: tuple[Mood, ...] = ()
    """The latest, newest first, one a touchpoint."""

    @property
    def language(self) -> LearnedLanguage | None:
        """The one that counts: of the latest message."""
        return self.languages[0] if self.languages else None

    def after(
        self, touchpoint_id: TouchpointId, language: LearnedLanguage | None, mood: Mood | None
    ) -> "Learned":
        """Taught by one more message; equal to itself where that is nothing new.

        A message that was understood anew replaces what it taught before, or takes it back where it
        teaches nothing any more: what a person released is as if it had never been said.
        """
        return Learned(
            languages=_latest(self.languages, touchpoint_id, language, MOST_LANGUAGES),
            moods=_latest(self.moods, touchpoint_id, mood, MOST_MOODS),
        )

    def corrects(self, before: "Learned") -> bool:
        """Whether a message that was known before now teaches another mood, or none."""
        felt = {one.touchpoint_id: one.sentiment for one in before.moods}
        return len(self.moods) < len(before.moods) or any(
            felt.get(one.touchpoint_id, one.sentiment) != one.sentiment for one in self.moods
        )


def _latest(
    known: Sequence[Lesson], touchpoint_id: TouchpointId, lesson: Lesson | None, most: int
) -> tuple[Lesson, ...]:
    others = [one for one in known if one.touchpoint_id != touchpoint_id]
    taught = [*others, lesson] if lesson is not None else others
    return tuple(sorted(taught, key=_place, reverse=True)[:most])


def _place(one: LearnedLanguage | Mood) -> tuple[object, str]:
    return one.at, one.touchpoint_id
