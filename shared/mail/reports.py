"""What mail servers and mail programs report of a mail of ours: bounces, complaints, receipts.

RFC 3464 (delivery status), RFC 5965 (abuse reports, ARF), RFC 8098 (read receipts). Anybody can
write such a mail. So it counts only where it returns a header that only a mail of ours bears.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from shared.mail.automation import SEND_KEY_HEADER
from shared.mail.reading import MESSAGE_ID, Mail, Part
from shared.mail.text import decoded, one_line

Status = Literal["sent", "delivered", "read", "failed"]

ACTIONS: Mapping[str, Status] = {
    "failed": "failed",
    "delayed": "sent",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
}
"""RFC 3464, 2.3.3."""

_LONGEST = 20_000
_ORIGINALS = {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
_OUR_MARK = re.compile(rf"^{SEND_KEY_HEADER}:\s*\S", re.IGNORECASE | re.MULTILINE)
_ORIGINAL_ID = re.compile(rf"^message-id:\s*({MESSAGE_ID.pattern})", re.IGNORECASE | re.MULTILINE)


class Report(NamedTuple):
    """`message_id` is the original's `<…>`; `bears_our_mark` whether it came back with our header.

    `recipient` is empty where it names none. `reason` is `dsn:5.1.1` or `complaint:abuse`.
    """

    status: Status
    message_id: str
    bears_our_mark: bool
    recipient: str
    reason: str
    kind: Literal["bounce", "complaint"] | None
    """What it says of every other mail to there; None where it says nothing of them."""


def read_report(mail: Mail) -> Report | None:
    """None for every mail that is no report, or does not say of which mail."""
    for part in mail.parts:
        match part.content_type:
            case "message/delivery-status" | "message/global-delivery-status":
                return _delivery(mail, _groups(part))
            case "message/feedback-report":
                return _feedback(mail, _merged(part))
            case "message/disposition-notification" | "message/global-disposition-notification":
                return _disposition(mail, _merged(part))
    return None


def _delivery(mail: Mail, groups: list[dict[str, str]]) -> Report | None:
    """Of the first recipient: we write to one at a time."""
    told = next((one for one in groups if "action" in one), None)
    original = _original(mail)
    status = ACTIONS.get(told["action"].lower()) if told else None
    if told is None or original is None or status is None:
        return None
    code = told.get("status", "").split(" ")[0]
    return Report(
        status=status,
        message_id=original[0],
        bears_our_mark=original[1],
        recipient=_address(told.get("final-recipient") or told.get("original-recipient", "")),
        reason=f"dsn:{code or told['action'].lower()}"[:200],
        kind="bounce" if status == "failed" and code.startswith("5.") else None,
    )


def _feedback(mail: Mail, fields: dict[str, str]) -> Report | None:
    original = _original(mail)
    if original is None:
        return None
    kind = fields.get("feedback-type", "other").lower()
    return Report(
        status="failed",
        message_id=original[0],
        bears_our_mark=original[1],
        recipient=_address(fields.get("original-rcpt-to") or fields.get("removal-recipient", "")),
        reason=f"complaint:{kind}"[:200],
        kind=None if kind == "not-spam" else "complaint",
    )


def _disposition(mail: Mail, fields: dict[str, str]) -> Report | None:
    """Only `displayed` says that somebody read it; the rest is no news of ours."""
    original_id = MESSAGE_ID.search(fields.get("original-message-id", ""))
    outcome = fields.get("disposition", "").rpartition(";")[2].partition("/")[0].strip().lower()
    if original_id is None or outcome != "displayed":
        return None
    original = _original(mail)
    return Report(
        status="read",
        message_id=original_id[0],
        bears_our_mark=original is not None and original[1],
        recipient=_address(fields.get("final-recipient", "")),
        reason="mdn:displayed",
        kind=None,
    )


def _original(mail: Mail) -> tuple[str, bool] | None:
    """The Message-ID of the mail that came back, and whether it bears our mark."""
    for part in mail.parts:
        if part.content_type in _ORIGINALS:
            head = re.split(r"\n\s*\n", decoded(part.content[:_LONGEST], None).lstrip())[0]
            unfolded = re.sub(r"\n[ \t]+", " ", head)
            if found := _ORIGINAL_ID.search(unfolded):
                return found[1], _OUR_MARK.search(unfolded) is not None
    return None


def _groups(part: Part) -> list[dict[str, str]]:
    text = decoded(part.content[:_LONGEST], None)
    return [dict(_fields(group)) for group in re.split(r"\n\s*\n", text) if group.strip()]


def _merged(part: Part) -> dict[str, str]:
    return {name: value for group in _groups(part) for name, value in group.items()}


def _fields(group: str) -> Iterator[tuple[str, str]]:
    for line in re.sub(r"\n[ \t]+", " ", group).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), one_line(value)


def _address(value: str) -> str:
    """`rfc822; ann@example.org`, or without its type."""
    return value.rpartition(";")[2].strip().strip("<>")
