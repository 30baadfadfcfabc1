"""The menu that people dial: screens, and which of them an input leads to.

A session is the inputs so far, joined by stars. What is shown follows from them alone, so the same
request has the same answer, and nothing has to be remembered between two of them.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.model import Misplaced, Model
from shared.domain.touchpoint import Choice

JOINT = "*"
SEPTETS = 182
"""Of GSM 7-bit text in one screen (3GPP TS 23.038, 5: 160 octets)."""
UNITS = 80
"""UTF-16 units in a screen that holds any other character: the same octets, two for each."""
ONE_SEPTET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
TWO_SEPTETS = frozenset("^{}\\[~]|€")
_VARIABLE = re.compile(r"\{([a-z0-9_]+)\}")
LONGEST_ANSWER = 182

ScreenName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[*#0-9]{2,40}$")]
Words = dict[Language, Annotated[str, StringConstraints(min_length=1)]]
"""The same in several languages."""

FORMS: Mapping[str, re.Pattern[str]] = {
    "text": re.compile(r".*\S.*", re.DOTALL),
    "digits": re.compile(r"\s*[0-9]+\s*"),
}
"""What a question takes for an answer."""


class Option(Model):
    label: Words
    goes_to: ScreenName
    key: str = Field(default="", pattern=r"^[0-9]{0,2}$")
    """What is typed for it; its place in the list, where nothing is said."""


class Menu(Model):
    kind: Literal["menu"] = "menu"
    says: Words
    options: tuple[Option, ...] = Field(min_length=1)

    def keyed(self) -> Iterator[tuple[str, Option]]:
        for place, option in enumerate(self.options, start=1):
            yield option.key or str(place), option

    def option(self, typed: str) -> tuple[str, Option] | None:
        return next((one for one in self.keyed() if one[0] == typed.strip()), None)

    @property
    def leads_to(self) -> tuple[str, ...]:
        return tuple(option.goes_to for option in self.options)


class Question(Model):
    kind: Literal["question"] = "question"
    says: Words
    takes: Literal["text", "digits"] = "text"
    goes_to: ScreenName

    def accepts(self, typed: str) -> bool:
        return len(typed) <= LONGEST_ANSWER and bool(FORMS[self.takes].fullmatch(typed))

    @property
    def leads_to(self) -> tuple[str, ...]:
        return (self.goes_to,)


class End(Model):
    """The last screen. `records` is the message that the person has then sent us, with what they
    answered in it: `{order_number}` is the answer to the question of that name. Without it nothing
    was asked for, and nothing is promised.
    """

    kind: Literal["end"] = "end"
    says: Words
    records: Words | None = None

    leads_to: ClassVar[tuple[str, ...]] = ()


Screen = Annotated[Menu | Question | End, Field(discriminator="kind")]


class Notes(Model):
    """What is said beside the screens."""

    invalid: Words
    """Above the screen that is shown again."""
    not_recorded: Words
    """In place of an end that would promise what nobody could keep."""


class Step(NamedTuple):
    """Where the inputs of a session lead, and what the last of them says."""

    shown: str
    ends: bool
    language: str
    said: str
    """The label of the option that was chosen, the answer, or what was typed in vain."""
    choice: Choice | None
    records: str | None
    """The message that is complete with this step."""


class UssdMenu(Model):
    """`policies/ussd.yaml`. A text that is not there in a language is read in the fallback's."""

    fallback_language: Language
    languages: dict[Language, str] = Field(min_length=1, max_length=9)
    """By code, each by its own name. Where there are several, the first screen asks for one."""
    lines: dict[Line, Language] = {}
    """The numbers on which one language is spoken and none is asked for."""
    notes: Notes
    first: ScreenName
    screens: dict[ScreenName, Screen] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for where, reason in self._contradictions():
            raise Misplaced(where, reason)
        return self

    def step(self, text: str, line: str) -> Step:
        """What is shown after these inputs on this line."""
        return _Session(self, line).after(text.split(JOINT) if text else [])

    def say(self, words: Words, language: str) -> str:
        return words.get(language) or words[self.fallback_language]

    def shown(self, screen: Menu | Question | End, language: str) -> str:
        lines = [self.say(screen.says, language)]
        if isinstance(screen, Menu):
            lines += [f"{key}. {self.say(one.label, language)}" for key, one in screen.keyed()]
        return "\n".join(lines)

    def refused(self, shown: str, language: str) -> str:
        return f"{self.say(self.notes.invalid, language)}\n{shown}"

    @cached_property
    def choice_of_language(self) -> str:
        return "\n".join(f"{n}. {name}" for n, name in enumerate(self.languages.values(), start=1))

    def language_of(self, line: str) -> str | None:
        """The one spoken on that line; None where people are asked."""
        if line in self.lines:
            return self.lines[line]
        return self.fallback_language if len(self.languages) == 1 else None

    # What must hold

    def _contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if self.fallback_language not in self.languages:
            yield ("fallback_language",), "it is not one of the languages"
        for line, language in self.lines.items():
            if language not in self.languages:
                yield ("lines", line), f"{language} is not one of the languages"
        for where, words in self._all_words():
            if self.fallback_language not in words:
                yield where, f"it is missing in {self.fallback_language}, the fallback language"
            for language in words:
                if language not in self.languages:
                    yield (*where, language), f"{language} is not one of the languages"
        yield from self._broken_ways()
        yield from self._wrong_records()
        yield from self._too_long()

    def _all_words(self) -> Iterator[tuple[tuple[str | int, ...], Words]]:
        yield ("notes", "invalid"), self.notes.invalid
        yield ("notes", "not_recorded"), self.notes.not_recorded
        for name, screen in self.screens.items():
            where = ("screens", name)
            yield (*where, "says"), screen.says
            if isinstance(screen, Menu):
                for place, option in enumerate(screen.options):
                    yield (*where, "options", place, "label"), option.label
            if isinstance(screen, End) and screen.records is not None:
                yield (*where, "records"), screen.records

    def _broken_ways(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every way leads to a screen, every screen is on a way, and none goes on for ever."""
        if self.first not in self.screens:
            yield ("first",), f"there is no screen {self.first!r}"
        for name, screen in self.screens.items():
            if missing := [one for one in screen.leads_to if one not in self.screens]:
                yield ("screens", name), f"it goes to {missing[0]!r}, which is no screen"
            if isinstance(screen, Menu):
                keys = [key for key, _ in screen.keyed()]
                if len(keys) != len(set(keys)):
                    yield ("screens", name, "options"), "two options have the same key"
        reached = self._reached(self.first)
        for name in self.screens:
            if name not in reached:
                yield ("screens", name), "nothing leads to it"
            if not any(isinstance(self.screens[one], End) for one in self._reached(name)):
                yield ("screens", name), "no way from it comes to an end"

    def _reached(self, start: str, around: str = "") -> set[str]:
        """Every screen that can be shown from `start` on, without ever passing `around`."""
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name not in reached and name != around:
                reached.add(name)
                waiting += self.screens[name].leads_to
        return reached

    def _wrong_records(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for name, screen in self.screens.items():
            records = screen.records if isinstance(screen, End) else None
            for language, text in (records or {}).items():
                where = ("screens", name, "records", language)
                for variable in _VARIABLE.findall(text):
                    if not isinstance(self.screens.get(variable), Question):
                        yield where, f"{{{variable}}} is no question of this menu"
                    elif name in self._reached(self.first, around=variable):
                        yield where, f"somebody can come here without being asked {variable!r}"

    def _too_long(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Each screen with the note above it: whoever mistypes must still see the whole."""
        for language in self.languages:
            if reason := too_long(self.say(self.notes.not_recorded, language)):
                yield ("notes", "not_recorded", language), reason
        if reason := too_long(self.refused(self.choice_of_language, self.fallback_language)):
            yield ("languages",), reason
        for name, screen in self.screens.items():
            for language in self.languages:
                shown = self.shown(screen, language)
                if not isinstance(screen, End):
                    shown = self.refused(shown, language)
                if reason := too_long(shown):
                    yield ("screens", name), f"{language}: {reason}"


class _Session:
    """One walk through the menu, input by input."""

    def __init__(self, menu: UssdMenu, line: str) -> None:
        self.menu = menu
        self.language = menu.language_of(line)
        self.name = menu.first
        self.answers: dict[str, str] = {}
        self.asked = ""
        """The question whose answer came last."""
        self.in_vain = False
        self.said = ""
        self.choice: Choice | None = None

    @property
    def screen(self) -> Menu | Question | End:
        return self.menu.screens[self.name]

    def after(self, inputs: list[str]) -> Step:
        for typed in inputs:
            self._take(typed)
        menu, language = self.menu, self.language or self.menu.fallback_language
        ends = self.language is not None and isinstance(self.screen, End)
        shown = menu.choice_of_language
        if self.language is not None:
            shown = menu.shown(self.screen, language)
        if self.in_vain and not ends:
            shown = menu.refused(shown, language)
        records = self.screen.records if ends and isinstance(self.screen, End) else None
        return Step(
            shown=shown,
            ends=ends,
            language=language,
            said=self.said,
            choice=self.choice if records is None else self._completed(),
            records=None if records is None else self._filled(menu.say(records, language)),
        )

    def _completed(self) -> Choice:
        """The end that was reached says what they want, however they came there."""
        return Choice(id=self.name, title=self.choice.title if self.choice else "")

    def _take(self, typed: str) -> None:
        self.in_vain, self.said, self.choice = False, typed, None
        if self.language is None:
            self._choose_language(typed)
            return
        match self.screen:
            case Menu() as menu if (found := menu.option(typed)) is not None:
                key, option = found
                self.said = self.menu.say(option.label, self.language)
                self.choice = Choice(id=key, title=self.said)
                self.name, self.asked = option.goes_to, ""
            case Question() as question if question.accepts(typed):
                self.answers[self.name] = typed.strip()
                self.asked, self.name = self.name, question.goes_to
            case End():
                # Nothing is typed after an end: what seems so was a star within the last answer.
                if self.asked:
                    self.answers[self.asked] += JOINT + typed
                    self.said = self.answers[self.asked]
            case _:
                self.in_vain = True

    def _choose_language(self, typed: str) -> None:
        key = typed.strip()
        languages = enumerate(self.menu.languages.items(), start=1)
        chosen = next((one for place, one in languages if str(place) == key), None)
        if chosen is None:
            self.in_vain = True
            return
        self.language, self.said = chosen
        self.choice = Choice(id=key, title=self.said)

    def _filled(self, text: str) -> str:
        """What an answer holds is never read as a variable."""
        return _VARIABLE.sub(lambda found: self.answers[found[1]], text)


def too_long(shown: str) -> str | None:
    """Why this does not fit into one screen; None where it does."""
    strange = next((one for one in shown if one not in ONE_SEPTET | TWO_SEPTETS), None)
    if strange is None:
        septets = len(shown) + sum(one in TWO_SEPTETS for one in shown)
        return f"{septets} characters, a screen has {SEPTETS}" if septets > SEPTETS else None
    units = len(shown.encode("utf-16-le")) // 2
    if units <= UNITS:
        return None
    return f"{units} characters; with {strange!r}, which is not GSM 7-bit, a screen has {UNITS}"
