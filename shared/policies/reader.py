"""Read the policies. A wrong one raises PolicyError with file, line and reason.

A function reads those it uses; `check` reads all of them and holds them against each other, before
anything is deployed or run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from shared.domain.errors import PolicyError

# A policy's type is imported when the policy is read, so that a function pays only for its own.
if TYPE_CHECKING:
    from shared.domain.account import Accounts
    from shared.domain.ai_use import AiRegister
    from shared.domain.classification import IntentMeaning
    from shared.domain.follow_up import FollowUpRule
    from shared.domain.identity import IdentityPolicy
    from shared.domain.matching import MatchingPolicy, MatchModel
    from shared.domain.media import MediaPolicy
    from shared.domain.opting import ConsentPolicy
    from shared.domain.retention import RetentionPolicy
    from shared.domain.segment import SegmentPolicy
    from shared.domain.sending import SendingPolicy
    from shared.domain.sla import Calendar
    from shared.domain.template import Templates
    from shared.domain.ticket import CustomerWord, PriorityRule, Routing, SlaPolicy
    from shared.domain.understanding import UnderstandingPolicy
    from shared.domain.ussd import UssdMenu

FOLDER = Path(__file__).parent

PolicyT = TypeVar("PolicyT")


class Policies:
    """All policies of the company, each read when it is first asked for.

    A property is the file of its name, and raises PolicyError where that is wrong.
    """

    def __init__(self, folder: Path, instead: Mapping[str, Path] | None = None) -> None:
        """`instead`: by the name of a policy, the file that counts and not the folder's own."""
        self.folder = folder
        self.instead = dict(instead or {})

    def file(self, name: str) -> Path:
        """Where the policy of that name stands."""
        return self.instead.get(name, self.folder / f"{name}.yaml")

    @cached_property
    def accounts(self) -> Accounts:
        from shared.domain.account import Accounts

        return self._read("accounts", Accounts)

    @cached_property
    def intents(self) -> dict[str, IntentMeaning]:
        from shared.domain.classification import IntentMeaning

        return self._read("intents", dict[str, IntentMeaning])

    @cached_property
    def routing(self) -> Routing:
        from shared.domain.ticket import Routing

        return self._read("routing", Routing)

    @cached_property
    def priorities(self) -> tuple[PriorityRule, ...]:
        from shared.domain.ticket import PriorityRule

        return self._read("priorities", tuple[PriorityRule, ...])

    @cached_property
    def sla(self) -> SlaPolicy:
        from shared.domain.ticket import SlaPolicy

        return self._read("sla", SlaPolicy)

    @cached_property
    def calendars(self) -> dict[str, Calendar]:
        from shared.domain.sla import Calendar

        return self._read("calendars", dict[str, Calendar])

    @cached_property
    def follow_ups(self) -> tuple[FollowUpRule, ...]:
        from shared.domain.follow_up import FollowUpRule

        return self._read("follow_ups", tuple[FollowUpRule, ...])

    @cached_property
    def templates(self) -> Templates:
        from shared.domain.template import Templates

        return self._read("templates", Templates)

    @cached_property
    def sending(self) -> SendingPolicy:
        from shared.domain.sending import SendingPolicy

        return self._read("sending", SendingPolicy)

    @cached_property
    def identity(self) -> IdentityPolicy:
        from shared.domain.identity import IdentityPolicy

        return self._read("identity", IdentityPolicy)

    @cached_property
    def understanding(self) -> UnderstandingPolicy:
        from shared.domain.understanding import UnderstandingPolicy

        return self._read("understanding", UnderstandingPolicy)

    @cached_property
    def consent(self) -> ConsentPolicy:
        from shared.domain.opting import ConsentPolicy

        return self._read("consent", ConsentPolicy)

    @cached_property
    def segments(self) -> SegmentPolicy:
        from shared.domain.segment import SegmentPolicy

        return self._read("segments", SegmentPolicy)

    @cached_property
    def retention(self) -> RetentionPolicy:
        from shared.domain.retention import RetentionPolicy

        return self._read("retention", RetentionPolicy)

    @cached_property
    def matching(self) -> MatchingPolicy:
        from shared.domain.matching import MatchingPolicy

        return self._read("matching", MatchingPolicy)

    @cached_property
    def media(self) -> MediaPolicy:
        from shared.domain.media import MediaPolicy

        return self._read("media", MediaPolicy)

    @cached_property
    def ai_register(self) -> AiRegister:
        from shared.domain.ai_use import AiRegister

        return self._read("ai_register", AiRegister)

    @cached_property
    def ussd(self) -> UssdMenu:
        from shared.domain.ussd import UssdMenu

        return self._read("ussd", UssdMenu)

    @property
    def calendar(self) -> Calendar:
        """The one SLA targets and follow-ups are counted in, where an account has none."""
        return self.calendars[self.sla.calendar]

    def calendar_of(self, *words: CustomerWord) -> Calendar:
        """That of the account which the earliest of a ticket's words came to, while there is a
        calendar of that name.
        """
        from shared.domain.ticket import earliest

        return self.calendars.get(earliest(*words).calendar or "", self.calendar)

    def _read(self, name: str, type_: type[PolicyT]) -> PolicyT:
        policy: PolicyT = PolicyFile(self.file(name)).read(type_)
        return policy

    def _replace(self, **policies: object) -> Policies:
        """A copy with these policies instead, as of a NamedTuple."""
        if unknown := policies.keys() - set(NAMES):
            raise ValueError(f"no policy is called {', '.join(sorted(unknown))}")
        other = copy(self)
        vars(other).update(policies)
        return other


NAMES = tuple(name for name, one in vars(Policies).items() if isinstance(one, cached_property))
"""Of all policies."""


@cache
def read_policies(folder: Path = FOLDER) -> Policies:
    """The policies of a folder. None is read yet, and so none is checked."""
    return Policies(folder)


@cache
def read_match_model(file: Path = FOLDER / "matching_model.json") -> MatchModel:
    """The weights that `infra.matching` learned."""
    from shared.domain.matching import MatchModel

    try:
        return MatchModel.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise PolicyError(f"{file.name}: {reason}") from None


class PolicyFile:
    """One YAML file that remembers on which line each part of it stands.

    Every scalar is read as text, and the policy's own types say what it is: YAML would make a
    number of 18:00, and of `no` (a language) or `on` a truth value.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
            loader = yaml.CBaseLoader(text)
            self.root = loader.get_single_node()
            self.content = loader.construct_document(self.root) if self.root else None
        except OSError as error:
            raise PolicyError(f"{path.name}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise self._at(error.object.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
        except yaml.reader.ReaderError as error:
            raise self._at(text.count("\n", 0, error.position) + 1, error.reason) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._at(mark.line + 1 if mark else 1, f"{error.problem}") from None
        self._refuse_doubles(self.root)

    def _at(self, line: int, reason: str) -> PolicyError:
        return PolicyError(f"{self.path.name}, line {line}: {reason}")

    def _refuse_doubles(self, node: yaml.Node | None) -> None:
        """Of a key that is there twice YAML keeps the last, and the first is silently lost."""
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                if key.value in seen:
                    raise self._at(key.start_mark.line + 1, f"{key.value!r} is there twice")
                seen.add(key.value)
                self._refuse_doubles(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._refuse_doubles(value)

    def read(self, type_: Any) -> Any:
        try:
            return TypeAdapter(type_).validate_python(self.content)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            deeper = getattr(problem.get("ctx", {}).get("error"), "where", ())
            raise self.wrong(
                (*problem["loc"], *deeper), problem["msg"].removeprefix("Value error, ")
            ) from None

    def wrong(self, where: Sequence[int | str], reason: str) -> PolicyError:
        path = ".".join(map(str, where))
        return self._at(self.line(where), f"{path}: {reason}" if path else reason)

    def line(self, where: Sequence[int | str]) -> int:
        """The line of the part that `where` leads to, or of the closest part around it."""
        node, line = self.root, 1
        for step in where:
            if isinstance(node, yaml.MappingNode):
                found = next(
                    ((key, value) for key, value in node.value if key.value == str(step)), None
                )
            elif (
                isinstance(node, yaml.SequenceNode)
                and isinstance(step, int)
                and 0 <= step < len(node.value)
            ):
                found = (node.value[step], node.value[step])
            else:
                continue
            if found is None:
                continue
            line, node = found[0].start_mark.line + 1, found[1]
        return line
