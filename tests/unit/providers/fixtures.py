"""The recorded requests of every provider, and how to replay them (docs/adding-a-provider.md)."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from infra.local.clients.base import Call, find_client
from shared.providers.base import WebhookRequest, find_provider, provider_names

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests/fixtures/providers"
SECRETS: dict[str, dict[str, Any]] = json.loads((ROOT / "infra/local/secrets.json").read_text())
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOST = "https://passerelle.example"


@dataclass(frozen=True)
class Case:
    """One recorded request and what it means."""

    provider: str
    name: str
    call: Call
    content: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.provider}-{self.name}"

    @property
    def expected(self) -> list[dict[str, Any]]:
        expected: list[dict[str, Any]] = self.content.get("expected", [])
        return expected

    @property
    def malformed(self) -> bool:
        return "malformed" in self.content

    def signed(self, secret: Mapping[str, Any] | None = None) -> WebhookRequest:
        """The call made genuine, by the local secret or another one."""
        return received(
            self.provider,
            find_client(self.provider).sign(self.call, secret or SECRETS[self.provider], NOW),
        )

    @cached_property
    def request(self) -> WebhookRequest:
        return self.signed()

    @property
    def is_handshake(self) -> bool:
        provider = find_provider(self.provider)
        secret = provider.read_secret(SECRETS[self.provider])
        return provider.challenge(self.request, secret) is not None


def received(provider: str, call: Call) -> WebhookRequest:
    """A call as webhook_intake sees it."""
    url = urlsplit(call.url)
    return WebhookRequest(
        method=call.method,
        url=call.url,
        path=url.path.removeprefix(f"/webhooks/{provider}").strip("/"),
        headers={name.lower(): value for name, value in call.headers.items()},
        query=tuple(parse_qsl(url.query, keep_blank_values=True)),
        body=call.body,
        arrived_at=NOW,
    )


def read_case(provider: str, file: Path) -> Case:
    content = json.loads(file.read_text())
    request = content["request"]
    url = f"{HOST}/webhooks/{provider}"
    if request.get("path"):
        url += f"/{request['path']}"
    if request.get("query"):
        url += f"?{urlencode([tuple(pair) for pair in request['query']])}"
    body = (
        b64decode(request["body_base64"])
        if "body_base64" in request
        else request.get("body", "").encode()
    )
    call = Call(
        method=request["method"], url=url, headers=dict(request.get("headers", {})), body=body
    )
    return Case(provider, file.stem, call, content)


def cases() -> list[Case]:
    """Every fixture of every provider there is."""
    return [
        read_case(provider, file)
        for provider in provider_names()
        for file in sorted((FIXTURES / provider).glob("*.json"))
    ]


def other_secret(provider: str) -> dict[str, Any]:
    """The secret of another company."""
    content: dict[str, Any] = json.loads((FIXTURES / provider / "secrets/other.json").read_text())
    return content


def rotating_secret(provider: str) -> dict[str, Any]:
    """The local secret while another company's proofs are valid too."""
    merged: dict[str, Any] = _merged(SECRETS[provider], other_secret(provider))
    return merged


def _merged(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, dict):
        return {key: _merged(value, theirs.get(key, value)) for key, value in ours.items()}
    return [*ours, *theirs] if isinstance(ours, list) else ours


def tampered(request: WebhookRequest) -> WebhookRequest:
    """The same request with one bit of its body changed, in the middle."""
    middle = len(request.body) // 2
    flipped = bytes([request.body[middle] ^ 1])
    body = request.body[:middle] + flipped + request.body[middle + 1 :]
    return replace(request, body=body)


def fetch(url: str) -> bytes:
    """The network, as far as a proof may use it: every page is empty."""
    assert url.startswith("https://")
    return b""
