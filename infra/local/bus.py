"""EventBridge: the bus, its rules from the template, and how an event becomes a target's input."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from moto.events.models import EventPattern
from moto.stepfunctions.parser.asl.utils.json_path import extract_json

from infra.local.clock import VirtualClock
from infra.local.tables import Refused, Units
from infra.local.template import ACCOUNT, REGION, TemplateError

_PLACEHOLDER = re.compile(r'"?<([A-Za-z0-9_.-]+)>"?')


@dataclass(frozen=True)
class Target:
    """Where a matching event goes, and in which form."""

    arn: str
    input_path: str | None = None
    paths: Mapping[str, str] | None = None
    template: str | None = None
    dead_letter_arn: str | None = None

    @classmethod
    def read(cls, properties: Mapping[str, Any]) -> "Target":
        known = {
            "Arn",
            "Id",
            "RoleArn",
            "InputPath",
            "InputTransformer",
            "DeadLetterConfig",
            "RetryPolicy",
        }
        if unknown := set(properties) - known:
            raise TemplateError(
                f"the local cloud does not know a target's {', '.join(sorted(unknown))}"
            )
        transformer = properties.get("InputTransformer", {})
        return cls(
            arn=properties["Arn"],
            input_path=properties.get("InputPath"),
            paths=transformer.get("InputPathsMap"),
            template=transformer.get("InputTemplate"),
            dead_letter_arn=properties.get("DeadLetterConfig", {}).get("Arn"),
        )

    def input(self, event: dict[str, Any]) -> Any:
        if self.template is not None:
            values = {name: extract_json(path, event) for name, path in (self.paths or {}).items()}
            return json.loads(
                _PLACEHOLDER.sub(lambda found: json.dumps(values[found[1]]), self.template)
            )
        return event if self.input_path is None else extract_json(self.input_path, event)


@dataclass(frozen=True)
class Rule:
    name: str
    pattern: EventPattern
    targets: tuple[Target, ...]


class Bus:
    """`deliver` is given each target and its input; it takes them on and returns at once."""

    def __init__(self, clock: VirtualClock, deliver: Callable[[Target, Any, str], None]) -> None:
        self._clock = clock
        self._deliver = deliver
        self._rules: dict[str, list[Rule]] = {}
        self._changes: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "PutRule": self._put_rule,
            "PutTargets": self._put_targets,
            "RemoveTargets": self._remove_targets,
            "DeleteRule": self._delete_rule,
        }
        self.listeners: list[Callable[[dict[str, Any]], None]] = []

    def add_bus(self, name: str) -> None:
        self._rules[name] = []

    def add_rule(self, name: str, properties: Mapping[str, Any]) -> None:
        if properties.get("State", "ENABLED") != "ENABLED":
            return
        bus = properties["EventBusName"]
        if bus not in self._rules:
            raise TemplateError(f"the rule {name} listens to a bus that is not in the template")
        pattern = EventPattern.load(json.dumps(properties["EventPattern"]))
        targets = tuple(map(Target.read, properties.get("Targets", [])))
        self._rules[bus].append(Rule(name, pattern, targets))

    def answer(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Units] | None:
        """PutEvents, and the rules that are made while it runs; everything else is moto's."""
        if change := self._changes.get(operation):
            return change(parameters), Units()
        if operation != "PutEvents":
            return None
        entries = parameters["Entries"]
        if not 1 <= len(entries) <= 10:
            raise Refused("ValidationException", "Entries must hold 1 to 10 entries")
        answers = [self._put(entry) for entry in entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedEntryCount": failed, "Entries": answers}, Units()

    def _put_rule(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        name, bus = parameters["Name"], parameters["EventBusName"]
        before = self._rule(bus, name)
        pattern = EventPattern.load(parameters["EventPattern"])
        self._replace(bus, name, Rule(name, pattern, before.targets if before else ()))
        return {"RuleArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/{name}"}

    def _put_targets(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        rule = self._existing(parameters)
        targets = tuple(map(Target.read, parameters["Targets"]))
        self._replace(parameters["EventBusName"], rule.name, replace(rule, targets=targets))
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def _remove_targets(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        rule = self._existing(parameters)
        self._replace(parameters["EventBusName"], rule.name, replace(rule, targets=()))
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def _delete_rule(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._replace(parameters["EventBusName"], parameters["Name"], None)
        return {}

    def _rule(self, bus: str, name: str) -> Rule | None:
        if bus not in self._rules:
            raise Refused("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        return next((one for one in self._rules[bus] if one.name == name), None)

    def _existing(self, parameters: Mapping[str, Any]) -> Rule:
        rule = self._rule(parameters["EventBusName"], parameters["Rule"])
        if rule is None:
            raise Refused("ResourceNotFoundException", "this rule does not exist on this bus")
        return rule

    def _replace(self, bus: str, name: str, rule: Rule | None) -> None:
        """As one step: events are put while rules are made."""
        others = [one for one in self._rules[bus] if one.name != name]
        self._rules[bus] = [*others, rule] if rule else others

    def _put(self, entry: Mapping[str, Any]) -> dict[str, str]:
        name = entry.get("EventBusName", "default").rpartition("/")[2]
        if name not in self._rules:
            return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no such event bus"}
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event = {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": ACCOUNT,
            "time": f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
            "region": REGION,
            "resources": list(entry.get("Resources", [])),
            "detail": detail,
        }
        for listener in self.listeners:
            listener(event)
        for target, input_ in self._matching(name, event):
            self._deliver(target, input_, event["id"])
        return {"EventId": event["id"]}

    def _matching(self, bus: str, event: Any) -> Sequence[tuple[Target, Any]]:
        return [
            (target, target.input(event))
            for rule in self._rules[bus]
            if rule.pattern.matches_event(event)
            for target in rule.targets
        ]
