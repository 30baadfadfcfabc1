"""Read the policies. A wrong one raises PolicyError with file, line and reason, at synth and at
start alike.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from shared.domain.classification import IntentMeaning
from shared.domain.errors import PolicyError
from shared.domain.follow_up import FollowUpRule, SendTemplate
from shared.domain.identity import IdentityPolicy
from shared.domain.matching import MatchingPolicy, MatchModel
from shared.domain.opting import ConsentPolicy
from shared.domain.retention import RetentionPolicy
from shared.domain.segment import SegmentPolicy
from shared.domain.sending import SendingPolicy
from shared.domain.sla import Calendar
from shared.domain.suppression import NoticeTemplate
from shared.domain.template import Templates
from shared.domain.ticket import PriorityRule, Routing, SlaPolicy
from shared.domain.understanding import UnderstandingPolicy

FOLDER = Path(__file__).parent
NOTICES: frozenset[str] = frozenset(get_args(NoticeTemplate))
"""Templates that words of a person call for, whatever the follow-ups are."""


class Policies(NamedTuple):
    """All policies of the company.

    Their cross-references hold: no rule names a queue or a template that is not there.
    """

    intents: dict[str, IntentMeaning]
    routing: Routing
    priorities: tuple[PriorityRule, ...]
    sla: SlaPolicy
    calendars: dict[str, Calendar]
    follow_ups: tuple[FollowUpRule, ...]
    templates: Templates
    sending: SendingPolicy
    identity: IdentityPolicy
    understanding: UnderstandingPolicy
    consent: ConsentPolicy
    segments: SegmentPolicy
    retention: RetentionPolicy
    matching: MatchingPolicy

    @property
    def calendar(self) -> Calendar:
        """The one SLA targets and follow-ups are counted in."""
        return self.calendars[self.sla.calendar]


@cache
def read_policies(folder: Path = FOLDER) -> Policies:
    """All policies of a folder, checked one by one and against each other."""
    files = {name: PolicyFile(folder / f"{name}.yaml") for name in Policies._fields}
    policies = Policies(
        **{name: file.read(Policies.__annotations__[name]) for name, file in files.items()}
    )
    _check_references(policies, files)
    return policies


@cache
def read_match_model(file: Path = FOLDER / "matching_model.json") -> MatchModel:
    """The weights that `infra.matching` learned."""
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
            self.root = yaml.compose(text, Loader=yaml.CBaseLoader)
            self.content = yaml.load(text, Loader=yaml.CBaseLoader)
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
            problems = error.errors(include_url=False, include_context=False)
            raise self.wrong(
                problems[0]["loc"], problems[0]["msg"].removeprefix("Value error, ")
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


def _check_references(policies: Policies, files: dict[str, PolicyFile]) -> None:
    for queue, intents in policies.routing.queues.items():
        for position, intent in enumerate(intents):
            if intent not in policies.intents:
                raise files["routing"].wrong(
                    ("queues", queue, position), f"{intent!r} is not in intents.yaml"
                )
    for intent in policies.routing.continues - set(policies.intents):
        raise files["routing"].wrong(("continues",), f"{intent!r} is not in intents.yaml")
    for position, rule in enumerate(policies.priorities):
        for intent in (rule.intents or frozenset()) - set(policies.intents):
            raise files["priorities"].wrong(
                (position, "intents"), f"{intent!r} is not in intents.yaml"
            )
    last = len(policies.priorities) - 1
    if last < 0 or policies.priorities[last].model_dump(exclude={"priority"}, exclude_none=True):
        rule_or_file = (last,) if policies.priorities else ()
        raise files["priorities"].wrong(rule_or_file, "the last rule must hold for everything")
    for where, intent in policies.understanding.intents_named():
        if intent not in policies.intents:
            raise files["understanding"].wrong(where, f"{intent!r} is not in intents.yaml")
    if policies.sla.calendar not in policies.calendars:
        raise files["sla"].wrong(
            ("calendar",), f"{policies.sla.calendar!r} is not in calendars.yaml"
        )
    for message_class, purpose in policies.sending.purposes.items():
        if purpose not in policies.consent.purposes:
            raise files["sending"].wrong(
                ("purposes", message_class), f"{purpose!r} is not in consent.yaml"
            )
    for template in sorted(NOTICES - set(policies.templates.templates)):
        reason = f"{template} is missing: a word calls for it"
        raise files["templates"].wrong(("templates",), reason)
    names: set[str] = set()
    for position, follow_up in enumerate(policies.follow_ups):
        for queue in (follow_up.queues or frozenset()) - set(policies.routing.queues):
            raise files["follow_ups"].wrong(
                (position, "queues"), f"{queue!r} is not a queue of routing.yaml"
            )
        action = follow_up.then
        if isinstance(action, SendTemplate) and action.template not in policies.templates.templates:
            reason = f"{action.template!r} is not in templates.yaml"
            raise files["follow_ups"].wrong((position, "then", "template"), reason)
        if isinstance(action, SendTemplate) and action.purpose not in {
            None,
            *policies.consent.purposes,
        }:
            reason = f"{action.purpose!r} is not in consent.yaml"
            raise files["follow_ups"].wrong((position, "then", "purpose"), reason)
        if follow_up.name in names:
            raise files["follow_ups"].wrong(
                (position, "name"), f"{follow_up.name!r} is there twice"
            )
        names.add(follow_up.name)
