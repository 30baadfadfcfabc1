"""The stack as it is synthesised, once for all tests of a process."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.app import build

Resource = dict[str, Any]


class Synthesised(NamedTuple):
    folder: Path
    template: dict[str, Any]

    def resources(self, type_: str) -> dict[str, Resource]:
        """The resources of a type, by logical id."""
        return {
            logical_id: resource
            for logical_id, resource in self.template["Resources"].items()
            if resource["Type"] == type_
        }

    def functions(self) -> dict[str, Resource]:
        """The properties of each function, by its name in the house."""
        found = {}
        for resource in self.resources("AWS::Lambda::Function").values():
            _, name, module, attribute = resource["Properties"]["Handler"].split(".")
            assert (module, attribute) == ("handler", "handler")
            found[name] = resource["Properties"]
        return found

    def statements(self, role: Any) -> list[dict[str, Any]]:
        """What the policies of a role allow; the role is given as a function has it."""
        logical_id = role["Fn::GetAtt"][0]
        return [
            statement
            for policy in self.resources("AWS::IAM::Policy").values()
            if {"Ref": logical_id} in policy["Properties"]["Roles"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]


def synthesise(folder: Path, **context: str) -> Synthesised:
    """Fails where cdk-nag has an error that is not acknowledged."""
    build({"bundle": "none", "providers": "all", **context}, folder).synth()
    text = (folder / "Passerelle.template.json").read_text(encoding="utf-8")
    return Synthesised(folder, json.loads(text))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise(tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise(
        tmp_path_factory.mktemp("cdk.out"),
        production="true",
        providers="whatsapp_cloud, twilio",
        bedrock_model_id="eu.amazon.nova-micro-v1:0",
        alarm_email="on-call@example.com",
        public_url="https://api.example.com",
        mail_identities="example.com",
        push_applications="GCM/Boutique",
        web_origins="https://shop.example.com",
    )
