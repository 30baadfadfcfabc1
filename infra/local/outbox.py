"""What the providers' simulators received, and the simulators themselves behind one address."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode

from botocore.exceptions import ConnectionClosedError

from infra.local.behaviour import Behaviour, Manner, Manners, fault_of
from infra.local.clock import VirtualClock
from infra.local.server import HangUp
from infra.local.simulators._media import media_answer
from infra.local.simulators.base import (
    SimulatedRequest,
    SimulatedResponse,
    Simulator,
    fallible,
    secrets_of,
    simulator_of,
)
from infra.local.simulators.email_ses import HOST as SES_HOST
from infra.local.simulators.push_sns import HOST as SNS_HOST
from infra.local.tables import Refused, Units

_IDS = ("id", "sid", "message_id", "messageId", "MessageId", "MessageID")
"""What providers call the id of a message they took."""
SES_PATH = "/v2/email/outbound-emails"


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
    behaviour: Behaviour
    """As it was told to answer; `disconnect` is an answer that never came."""

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
            "behaviour": self.behaviour,
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
        "files": [
            {
                "name": one.get_filename(),
                "content_type": one.get_content_type(),
                "size": len(one.get_payload(decode=True) or b""),
            }
            for one in mail.iter_attachments()
        ],
    }


def last_sent(sent: Iterable[Sent]) -> dict[str, str]:
    """The provider's id of what we last sent, by provider."""
    return {one.provider: one.message_id for one in sent if one.message_id}


class Outbox:
    """`plan` arranges for what the provider will call back about a message that it took; `pause`
    waits at the cloud's pace.
    """

    def __init__(
        self,
        clock: VirtualClock,
        secrets: Mapping[str, Any],
        *,
        plan: Callable[[str, SimulatedRequest, SimulatedResponse, Manner], None],
        pause: Callable[[float], None],
    ) -> None:
        self._clock = clock
        self._secrets = secrets
        self._plan = plan
        self._pause = pause
        self._lock = Lock()
        self._sent: list[Sent] = []
        self.manners = Manners()

    def all(self) -> list[Sent]:
        with self._lock:
            return list(self._sent)

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """What the provider's API answers. A host that is no provider's gets 502, and is kept.

        Raises HangUp where the provider was told to disconnect. What it refuses by itself it
        refuses whatever it was told.
        """
        if (medium := media_answer(request, self._secrets)) is not None:
            return medium
        if (found := simulator_of(request, self._secrets)) is None:
            response = SimulatedResponse(status=502, headers={}, body=b"no simulator of this host")
            self._keep(request.host, request, response, Behaviour.NORMAL)
            return response
        name, simulator = found
        account, response = self._by_any_account(name, simulator, request)
        if response.status >= 300:
            self._keep(name, request, response, Behaviour.NORMAL)
            return response
        manner = self.manners.take(name)
        if manner.answers is Behaviour.SLOW:
            self._pause(manner.seconds)
        fault = _faulty(name, manner)
        self._keep(name, request, fault or response, manner.answers)
        if fault is not None:
            return fault
        self._plan(account, request, response, manner)
        if manner.answers is Behaviour.DISCONNECT:
            raise HangUp
        return response

    def _by_any_account(
        self, name: str, simulator: Simulator, request: SimulatedRequest
    ) -> tuple[str, SimulatedResponse]:
        """As the account answers whose access the request shows, with its name; else as the
        provider's own.
        """
        for account, secret in secrets_of(name, self._secrets).items():
            response = simulator.answer(request, secret)
            if response.status != 401:
                return account, response
        return name, simulator.answer(request, self._secrets[name])

    def ses(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Units] | None:
        """Amazon SES, which moto plays, as it was told to behave. Raises Refused, and
        ConnectionClosedError where it was told to disconnect; None where moto shall answer.
        """
        if operation != "SendEmail":
            return None
        manner = self.manners.of("email_ses")
        if manner.answers in {Behaviour.NORMAL, Behaviour.SLOW}:
            return None
        self.manners.take("email_ses")
        if (fault := fault_of("email_ses", manner)) is None:
            self._keep("email_ses", _mail(parameters), _NOTHING, manner.answers)
            raise ConnectionClosedError(endpoint_url=f"https://{SES_HOST}")
        answer = _faulty("email_ses", manner) or _NOTHING
        self._keep("email_ses", _mail(parameters), answer, manner.answers)
        raise Refused(fault.code, fault.message, status=fault.status)

    def sns(
        self, operation: str, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Units] | None:
        """Amazon SNS where a device is written to; None for all else, which is moto's. Raises
        Refused, and ConnectionClosedError where it was told to disconnect.
        """
        if operation != "Publish" or "TargetArn" not in parameters:
            return None
        try:
            response = self.answer(_push(parameters))
        except HangUp:
            raise ConnectionClosedError(endpoint_url=f"https://{SNS_HOST}") from None
        told = json.loads(response.body)
        if response.status >= 300:
            raise Refused(told["Code"], told["Message"], status=response.status)
        return told, Units()

    def mail_left(
        self, service: str, operation: str, parameters: Mapping[str, Any], answer: dict[str, Any]
    ) -> None:
        """What moto took is kept like all that left."""
        if service != "sesv2" or operation != "SendEmail":
            return
        manner = self.manners.take("email_ses")
        if manner.answers is Behaviour.SLOW:
            self._pause(manner.seconds)
        body = json.dumps({"MessageId": answer.get("MessageId")}).encode()
        response = SimulatedResponse(status=200, headers={}, body=body)
        request = _mail(parameters)
        self._keep("email_ses", request, response, manner.answers)
        self._plan("email_ses", request, response, manner)

    def _keep(
        self,
        provider: str,
        request: SimulatedRequest,
        response: SimulatedResponse,
        behaviour: Behaviour,
    ) -> None:
        query = f"?{request.query}" if request.query else ""
        sent = Sent(
            at=f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
            provider=provider,
            method=request.method,
            url=f"https://{request.host}{request.path}{query}",
            headers=request.headers,
            body=request.body,
            status=response.status,
            answer=response.body,
            behaviour=behaviour,
        )
        with self._lock:
            self._sent.append(sent)


_NOTHING = SimulatedResponse(status=0, headers={}, body=b"")


def _faulty(name: str, manner: Manner) -> SimulatedResponse | None:
    """What its API says in place of taking a message."""
    simulator, fault = fallible(name), fault_of(name, manner)
    if simulator is None or fault is None:
        return None
    return simulator.tell(fault, manner.retry_after if fault.status == 429 else None)


def _mail(parameters: Mapping[str, Any]) -> SimulatedRequest:
    """As it is kept: the MIME itself, and the envelope in headers."""
    raw = parameters["Content"].get("Raw", {}).get("Data", b"")
    headers = {
        "content-type": "message/rfc822",
        "x-ses-from": parameters.get("FromEmailAddress", ""),
        "x-ses-to": ", ".join(parameters.get("Destination", {}).get("ToAddresses", [])),
    }
    return SimulatedRequest(
        method="POST",
        host=SES_HOST,
        path=SES_PATH,
        query="",
        headers=headers,
        body=raw if isinstance(raw, bytes) else b64decode(raw),
    )


def _push(parameters: Mapping[str, Any]) -> SimulatedRequest:
    """As SNS's query API has it, without the signature."""
    form = {"Action": "Publish", "Version": "2010-03-31"} | {
        name: parameters[name]
        for name in ("TargetArn", "MessageStructure", "Message")
        if name in parameters
    }
    return SimulatedRequest(
        method="POST",
        host=SNS_HOST,
        path="/",
        query="",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
    )
