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
        return Learned(language=self._language_after(language), moods=tuple(newest))

    def corrects(self, before: "Learned") -> bool:
        """Whether a message that was known before now teaches another mood."""
        felt = {one.touchpoint_id: one.sentiment for one in before.moods}
        return any(
            felt.get(one.touchpoint_id, one.sentiment) != one.sentiment for one in self.moods
        )

    def _language_after(self, language: LearnedLanguage | None) -> LearnedLanguage | None:
        known = self.language
        if known is None or language is None:
            return known or language
        if known.touchpoint_id and known.touchpoint_id == language.touchpoint_id:
            return language
        return max(known, language, key=lambda one: (one.at, one.language))


def _place(mood: Mood) -> tuple[object, str]:
    return mood.at, mood.touchpoint_id
