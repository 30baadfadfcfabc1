"""What understanding their messages teaches of a person: the language they write, how they feel."""

from shared.domain.model import Model
from shared.domain.profile import MOST_MOODS, LearnedLanguage, Mood


class Learned(Model):
    """A fold over understood messages, the same in whatever order they come."""

    language: LearnedLanguage | None = None
    moods: tuple[Mood, ...] = ()
    """The latest, newest first, one a touchpoint."""

    def after(self, language: LearnedLanguage | None, mood: Mood | None) -> "Learned":
        """Taught by one more message; equal to itself where that is nothing new.

        A message that was understood anew replaces what it taught before.
        """
        known = {one.touchpoint_id: one for one in self.moods}
        if mood is not None:
            known[mood.touchpoint_id] = mood
        newest = sorted(known.values(), key=_place, reverse=True)[:MOST_MOODS]
        languages = [one for one in (self.language, language) if one is not None]
        return Learned(
            language=max(languages, key=lambda one: (one.at, one.language), default=None),
            moods=tuple(newest),
        )


def _place(mood: Mood) -> tuple[object, str]:
    return mood.at, mood.touchpoint_id
