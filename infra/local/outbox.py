"""What the providers' simulators received, and the simulators themselves behind one address."""

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from infra.local.clock import VirtualClock
from infra.local.simulators._media import media_answer
from infra.local.simulators.base import (
    SimulatedRequest,
    SimulatedResponse,
    Simulator,
    secrets_of,
    simulator_of,
)

_IDS = ("id", "sid", "message_id", "messageId", "MessageId", "MessageID")
"""What providers call the id of a message they took."""
SES_URL = "https://email.us-east-1.amazonaws.com/v2/email/outbound-emails"


@dataclass(frozen=True)
class Sent:
    """One request to a provider's API, as the provider would have got it, and its answer."""

    at: str
    provider: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes

    @property
    def message_id(self) -> str | None:
        """The provider's id of the message it took; None where it took none."""
        try:
            answer = json.loads(self.answer)
        except ValueError:
            return None
        if self.status >= 300 or not isinstance(answer, dict):
            return None
        found = (
            answer.get("messages") or answer.get("SMSMessageData", {}).get("Recipients") or [answer]
        )
        return next((found[0][name] for name in _IDS if name in found[0]), None)

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "provider": self.provider,
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "body": self.body.decode("utf-8", "replace"),
            "parsed": self._parsed(),
            "response": {"status": self.status, "body": self.answer.decode("utf-8", "replace")},
        }

    def _parsed(self) -> Any:
        """The body as JSON, form fields or mail by its content type; None where it is none."""
        kind = next((v for k, v in self.headers.items() if k.lower() == "content-type"), "")
        match kind.split(";")[0]:
            case "application/json":
                try:
                    return json.loads(self.body)
                except ValueError:
                    return None
            case "application/x-www-form-urlencoded":
                return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
            case "message/rfc822":
                return _read_mail(self.body)
        return None


def _read_mail(body: bytes) -> dict[str, Any]:
    mail = message_from_bytes(body, policy=policy.default)
    part = mail.get_body(("plain", "html"))
    return {
        "headers": {name: str(value) for name, value in mail.items()},
        "text": part.get_content() if part is not None else "",
    }


def last_sent(sent: Iterable[Sent]) -> dict[str, str]:
    """The provider's id of what we last sent, by provider."""
    return {one.provider: one.message_id for one in sent if one.message_id}


class Outbox:
    def __init__(self, clock: VirtualClock, secrets: Mapping[str, Any]) -> None:
        self._clock = clock
        self._secrets = secrets
        self._lock = Lock()
        self._sent: list[Sent] = []

    def all(self) -> list[Sent]:
        with self._lock:
            return list(self._sent)

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """What the provider's API answers. A host that is no provider's gets 502, and is kept."""
        if (medium := media_answer(request, self._secrets)) is not None:
            return medium
        if (found := simulator_of(request, self._secrets)) is None:
            name = request.host
            response = SimulatedResponse(status=502, headers={}, body=b"no simulator of this host")
        else:
            name, simulator = found
            response = self._by_any_account(name, simulator, request)
        query = f"?{request.query}" if request.query else ""
        self._keep(
            name,
            request.method,
            f"https://{request.host}{request.path}{query}",
            request.headers,
            request.body,
            response.status,
            response.body,
        )
        return response

    def _by_any_account(
        self, name: str, simulator: Simulator, request: SimulatedRequest
    ) -> SimulatedResponse:
        """As the account answers whose access the request shows; else as the provider's own."""
        own, *others = secrets_of(name, self._secrets)
        answers = (simulator.answer(request, secret) for secret in (own, *others))
        return next((one for one in answers if one.status != 401), simulator.answer(request, own))

    def mail_left(
        self, service: str, operation: str, parameters: Mapping[str, Any], answer: dict[str, Any]
    ) -> None:
        """Mail goes to Amazon SES, which moto plays; here it is kept like all that left."""
        if service != "sesv2" or operation != "SendEmail":
            return
        raw = parameters["Content"].get("Raw", {}).get("Data", b"")
        self._keep(
            "email_ses",
            "POST",
            SES_URL,
            {
                "content-type": "message/rfc822",
                "x-ses-from": parameters.get("FromEmailAddress", ""),
                "x-ses-to": ", ".join(parameters.get("Destination", {}).get("ToAddresses", [])),
            },
            raw if isinstance(raw, bytes) else b64decode(raw),
            200,
            json.dumps({"MessageId": answer.get("MessageId")}).encode(),
        )

    def _keep(
        self,
        provider: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        status: int,
        answer: bytes,
    ) -> None:
        sent = Sent(
            at=f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
            provider=provider,
            method=method,
            url=url,
            headers=headers,
            body=body,
            status=status,
            answer=answer,
        )
        with self._lock:
            self._sent.append(sent)
