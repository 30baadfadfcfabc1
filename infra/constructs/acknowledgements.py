"""Findings of cdk-nag that stay, each with its reason, beside the construct that causes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

PACK = "AwsSolutions"


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """`reasons` are by rule, without the pack's name: `S1`, `IAM5[Resource::*]`."""
    Validations.of(construct).acknowledge(
        *(
            Acknowledgment(id=f"{PACK}::{PACK}-{rule}", reason=reason)
            for rule, reason in reasons.items()
        )
    )


def acknowledge_wildcards(construct: IConstruct, resources: Iterable[str], reason: str) -> None:
    """Those of `resources` that hold a `*`, each of which is a finding of its own."""
    stack = Stack.of(construct)
    for resource in resources:
        shown = _shown(stack.resolve(resource))
        if "*" in shown:
            acknowledge(construct, {f"IAM5[Resource::{shown}]": reason})


def _shown(value: Any) -> str:
    """A resolved ARN in the words of cdk-nag: `<bucket.Arn>/*`."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_shown, parts))
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case _:
            raise ValueError(f"no form for {value}")
