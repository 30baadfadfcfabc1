"""The synthesised template: its resources, and the values its intrinsic functions stand for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
_IN_TEXT = re.compile(r"\$\{([^}!]+)\}")
_INTRINSIC = re.compile(r"^(Ref|Condition|Fn::\w+)$")


class TemplateError(Exception):
    """The template says something that the local cloud does not know. The message says where."""


@dataclass(frozen=True)
class Made:
    """A resource that exists: what `Ref` and `Fn::GetAtt` give."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


Make = Callable[[str, str, dict[str, Any]], Made]
"""Makes one resource: logical id, type, resolved properties."""


class Template:
    """Makes each resource once, before what refers to it."""

    def __init__(self, content: Mapping[str, Any], *, stack_name: str, make: Make) -> None:
        self._resources: Mapping[str, Mapping[str, Any]] = content["Resources"]
        self._pseudo = {**PSEUDO_PARAMETERS, "AWS::StackName": stack_name}
        self._make = make
        self._made: dict[str, Made] = {}
        self._being_made: list[str] = []

    def make_all(self) -> None:
        for logical_id in self._resources:
            self.made(logical_id)

    def made(self, logical_id: str) -> Made:
        if logical_id not in self._made:
            if logical_id in self._being_made:
                circle = " → ".join([*self._being_made, logical_id])
                raise TemplateError(f"resources refer to each other in a circle: {circle}")
            if logical_id not in self._resources:
                raise TemplateError(f"{logical_id} is not a resource of the template")
            resource = self._resources[logical_id]
            self._being_made.append(logical_id)
            properties = self.resolve(resource.get("Properties", {}))
            self._made[logical_id] = self._make(logical_id, resource["Type"], properties)
            self._being_made.pop()
        return self._made[logical_id]

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced by what it stands for."""
        match value:
            case dict() if len(value) == 1 and _INTRINSIC.match(name := next(iter(value))):
                return self._intrinsic(name, value[name])
            case dict():
                return {key: self.resolve(one) for key, one in value.items()}
            case list():
                return [self.resolve(one) for one in value]
            case _:
                return value

    def _intrinsic(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str():
                return self._ref(argument)
            case "Fn::GetAtt", [str(logical_id), str(attribute)]:
                return self._attribute(logical_id, attribute)
            case "Fn::Join", [str(separator), parts]:
                return separator.join(str(part) for part in self.resolve(parts))
            case "Fn::Sub", str():
                return _IN_TEXT.sub(lambda found: self._named(found[1]), argument)
            case "Fn::Select", [index, parts]:
                return self.resolve(parts)[int(index)]
            case "Fn::Split", [str(separator), text]:
                return str(self.resolve(text)).split(separator)
            case _:
                raise TemplateError(f"the local cloud does not know {name} {argument!r}")

    def _named(self, name: str) -> str:
        logical_id, dot, attribute = name.partition(".")
        return self._attribute(logical_id, attribute) if dot else self._ref(name)

    def _ref(self, name: str) -> str:
        return self._pseudo[name] if name in self._pseudo else self.made(name).ref

    def _attribute(self, logical_id: str, attribute: str) -> str:
        made = self.made(logical_id)
        if attribute not in made.attributes:
            raise TemplateError(f"the local cloud does not know the {attribute} of {logical_id}")
        return made.attributes[attribute]
