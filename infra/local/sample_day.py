"""The sample day: `samples/day.yaml` as genuine, signed HTTP requests."""

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes
from email.utils import format_datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import yaml

from infra.local.clients.base import Call, find_client

SAMPLES = Path(__file__).parent / "samples"
SHOP_TIME = ZoneInfo("Europe/Paris")
OPENING = time(8, 30)
_WEEKDAYS_WITH_A_NEXT = range(4)
_FORGERY = "f" * 64
_SNS_AGENT = "Amazon Simple Notification Service Agent"


@dataclass(frozen=True)
class Sample:
    """One webhook of the day. `status` is what the house must answer."""

    id: str
    day: int
    at: time
    person: str
    provider: str
    about: str
    status: int
    content: Mapping[str, Any]

    @property
    def is_forged(self) -> bool:
        return bool(self.content.get("forged"))

    @property
    def again(self) -> str | None:
        """The id of the one it repeats."""
        return self.content.get("again")

    def moment(self, first_day: date) -> datetime:
        day = first_day + timedelta(days=self.day - 1)
        return datetime.combine(day, self.at, SHOP_TIME).astimezone(UTC)


@cache
def samples() -> tuple[Sample, ...]:
    """The day in order."""
    entries = yaml.safe_load((SAMPLES / "day.yaml").read_text(encoding="utf-8"))
    return tuple(
        Sample(
            id=entry["id"],
            day=entry.get("day", 1),
            at=time.fromisoformat(entry["at"]),
            person=entry["person"],
            provider=entry["provider"],
            about=entry["about"],
            status=entry.get("status", 200),
            content=entry,
        )
        for entry in entries
    )


def find_sample(sample_id: str) -> Sample | None:
    return next((one for one in samples() if one.id == sample_id), None)


def first_day(now: datetime) -> date:
    """The next morning in the shop that has a working day behind it."""
    here = now.astimezone(SHOP_TIME)
    day = here.date() if here.time() < OPENING else here.date() + timedelta(days=1)
    while day.weekday() not in _WEEKDAYS_WITH_A_NEXT:
        day += timedelta(days=1)
    return day


class Player:
    """Makes each sample a genuine call. It remembers bodies, so that `again` repeats them exactly.

    `sent` are the ids that providers gave to what we last sent through them.
    """

    def __init__(self, url: str, secrets: Mapping[str, Any]) -> None:
        self._url = url
        self._secrets = secrets
        self._played: dict[str, Call] = {}

    def call(self, sample: Sample, moment: datetime, sent: Mapping[str, str]) -> Call:
        """The request, signed now. `moment` is when the contact happened, by the moved clock."""
        if sample.again is not None:
            unsigned = self._played[sample.again]
        else:
            happened = moment - timedelta(minutes=sample.content.get("late", 0))
            unsigned = self._unsigned(sample, happened, sent)
            self._played[sample.id] = unsigned
        signed = find_client(sample.provider).sign(
            unsigned, self._secrets[sample.provider], datetime.now(UTC)
        )
        return _forged(signed) if sample.is_forged else signed

    def _unsigned(self, sample: Sample, happened: datetime, sent: Mapping[str, str]) -> Call:
        content = sample.content
        headers = {str(k).lower(): str(v) for k, v in content.get("headers", {}).items()}
        stamps = _stamps(happened, sent)
        if "form" in content:
            body = urlencode(_stamped(content["form"], stamps)).encode()
            headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
        elif "eml" in content:
            text = (SAMPLES / "mail" / content["eml"]).read_text(encoding="utf-8")
            mail = text.replace("@rfc5322", stamps["@rfc5322"]).replace("\n", "\r\n").encode()
            body, mail_headers = _notification(mail, happened)
            headers |= mail_headers
        else:
            body = json.dumps(_stamped(content["json"], stamps), ensure_ascii=False).encode()
            headers["content-type"] = "application/json"
        if content.get("gzip"):
            body = gzip.compress(body, mtime=0)
            headers["content-encoding"] = "gzip"
        url = f"{self._url}/webhooks/{sample.provider}{content.get('path', '')}"
        return Call(method="POST", url=url, headers=headers, body=body)


def _stamps(moment: datetime, sent: Mapping[str, str]) -> dict[str, Any]:
    return {
        "@epoch": str(int(moment.timestamp())),
        "@epoch_number": int(moment.timestamp()),
        "@iso": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        "@rfc5322": format_datetime(moment),
        **{f"@sent:{provider}": message_id for provider, message_id in sent.items()},
    }


def _stamped(value: Any, stamps: Mapping[str, Any]) -> Any:
    match value:
        case str():
            return stamps.get(value, value)
        case dict():
            return {key: _stamped(one, stamps) for key, one in value.items()}
        case list():
            return [_stamped(one, stamps) for one in value]
        case _:
            return value


def _forged(call: Call) -> Call:
    """With a signature that somebody made up: as long as a genuine one, and in its place."""
    headers = {
        name: f"sha256={_FORGERY}" if name.lower() == "x-hub-signature-256" else value
        for name, value in call.headers.items()
    }
    return replace(call, headers=headers)


def _notification(mail: bytes, moment: datetime) -> tuple[bytes, dict[str, str]]:
    """A mail as Amazon SES hands it to Amazon SNS, whole and in Base64, and SNS's own headers."""
    head = message_from_bytes(mail)
    name = sha256(mail).hexdigest()
    message_id = f"{name[:8]}-{name[8:12]}-4{name[13:16]}-8{name[17:20]}-{name[20:32]}"
    sender = str(head["Return-Path"] or "<>")
    topic = "arn:aws:sns:eu-west-1:123456789012:mail-received"
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
    passed = {"status": "PASS"}
    received = {
        "notificationType": "Received",
        "mail": {
            "timestamp": stamp,
            "source": sender if sender == "<>" else sender.strip("<>"),
            "messageId": name[:40],
            "destination": ["support@boutique.example"],
            "headersTruncated": False,
            "headers": [],
        },
        "receipt": {
            "timestamp": stamp,
            "processingTimeMillis": 412,
            "recipients": ["support@boutique.example"],
            "spamVerdict": passed,
            "virusVerdict": passed,
            "spfVerdict": passed,
            "dkimVerdict": passed,
            "dmarcVerdict": passed,
            "action": {"type": "SNS", "topicArn": topic, "encoding": "BASE64"},
        },
        "content": b64encode(mail).decode(),
    }
    body = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic,
        "Subject": "Amazon SES Email Receipt Notification",
        "Message": json.dumps(received),
    }
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": _SNS_AGENT,
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": topic,
    }
    return json.dumps(body).encode(), headers
