"""Slack: requests from the company's own people, to its app.

Proof: https://docs.slack.dev/authentication/verifying-requests-from-slack
What comes: `_slack_events`, `_slack_interactions`
Sending: https://docs.slack.dev/reference/methods/chat.postMessage
"""

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.touchpoint import Attachment
from shared.providers._form import FORM_TYPE, read_form
from shared.providers._slack_events import read_event
from shared.providers._slack_interactions import read_command, read_interaction
from shared.providers._slack_message import NAME, message_key
from shared.providers.base import (
    JSON_TYPE,
    MEGABYTE,
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Payload,
    Provider,
    Secret,
    WebhookRequest,
    WebhookResponse,
    read_json,
    read_model,
    retry_after,
    same,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

API = "https://slack.com/api/chat.postMessage"
FILES = "files.slack.com"

TOLERANCE = timedelta(minutes=5)
LONGEST_TEXT = 4000
"""What Slack recommends; it cuts at ten times as much."""
LONGEST_SECTION = 3000
LONGEST_BUTTON = 75
LONGEST_VALUE = 2000
MOST_BUTTONS = 25
"""https://docs.slack.dev/reference/block-kit/blocks"""

TOO_FAST = frozenset({"ratelimited", "rate_limited", "service_unavailable"})
PERHAPS = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Slack: some aspect of the operation may have succeeded before."""

REFUSALS: Mapping[str, RefusalReason] = {
    "channel_not_found": "invalid_recipient",
    "user_not_found": "invalid_recipient",
    "cannot_dm_bot": "invalid_recipient",
    "not_in_channel": "unreachable",
    "is_archived": "unreachable",
    "user_disabled": "unreachable",
    "messages_tab_disabled": "not_supported",
    "restricted_action": "blocked",
    "restricted_action_read_only_channel": "blocked",
    "restricted_action_thread_only_channel": "blocked",
    "restricted_action_thread_locked": "blocked",
    "restricted_action_non_threadable_channel": "blocked",
    "ekm_access_denied": "blocked",
    "team_access_not_granted": "unauthorized",
    "no_text": "content",
    "msg_too_long": "content",
    "msg_blocks_too_long": "content",
    "invalid_blocks": "content",
    "invalid_blocks_format": "content",
    "too_many_attachments": "content",
    "invalid_arguments": "content",
    "cannot_reply_to_message": "content",
    "message_limit_exceeded": "limit",
    "not_authed": "unauthorized",
    "invalid_auth": "unauthorized",
    "account_inactive": "unauthorized",
    "token_revoked": "unauthorized",
    "token_expired": "unauthorized",
    "no_permission": "unauthorized",
    "missing_scope": "unauthorized",
    "access_denied": "unauthorized",
    "org_login_required": "unauthorized",
    "no_token": "unauthorized",
    "choices": "content",
    "file_form": "not_supported",
}
"""https://docs.slack.dev/reference/methods/chat.postMessage#errors; the last three are ours."""

Token = Annotated[str, StringConstraints(pattern=r"^[!-~]{8,300}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{1,40}$")]


class SlackSecret(Secret):
    """The app's page at api.slack.com: `signing_secrets` under Basic Information, `bot_tokens`
    (xoxb-…) under OAuth & Permissions, one for each workspace by its id.

    `bot_users`, the app's user ids, are needed only where people have also installed it for
    themselves: then an event may not say who the app is, and so not that it is mentioned.
    """

    signing_secrets: list[str] = Field(min_length=1)
    bot_tokens: dict[TeamId, Token] = Field(min_length=1)
    bot_users: list[str] = []


class Answer(Payload):
    ok: bool
    error: str = Field(default="", max_length=100)
    channel: str | None = Field(default=None, pattern=r"^[A-Z0-9]{1,40}$")
    ts: str | None = Field(default=None, pattern=r"^[0-9]{1,12}\.[0-9]{1,9}$")


class Slack(Provider[SlackSecret]):
    name = NAME
    secret_type = SlackSecret
    largest_body = MEGABYTE
    longest_text = LONGEST_TEXT
    media_hosts = (FILES,)
    refusals = REFUSALS

    def challenge(self, request: WebhookRequest, secret: SlackSecret) -> WebhookResponse | None:
        """Slack asks once whether the URL is ours, and signs that as everything else.

        Without the signature nothing is answered here: `verify`, which follows, refuses it.
        https://docs.slack.dev/reference/events/url_verification
        """
        if b"url_verification" not in request.body or _what_is_wrong(request, secret):
            return None
        try:
            body = read_json(request.body)
        except MalformedPayload:
            return None
        if not isinstance(body, dict) or body.get("type") != "url_verification":
            return None
        challenge = body.get("challenge")
        return WebhookResponse(body=challenge) if isinstance(challenge, str) else None

    def verify(self, request: WebhookRequest, secret: SlackSecret, fetch: Fetch) -> None:
        if wrong := _what_is_wrong(request, secret):
            raise Unauthentic(wrong)

    def parse(
        self, request: WebhookRequest, secret: SlackSecret, received_at: datetime
    ) -> list[Observed]:
        digest = sha256(request.body).hexdigest()
        if request.content_type == JSON_TYPE:
            body = read_json(request.body)
            if not isinstance(body, dict):
                raise MalformedPayload("body: an object is expected")
            found = read_event(body, secret.bot_users, digest, received_at)
            return [Observed(one, request.body) for one in found]
        if request.content_type != FORM_TYPE:
            raise MalformedPayload("the body is declared neither as JSON nor as a form")
        fields = _form(request)
        if "ssl_check" in fields:
            # Slack looks at our certificate now and then.
            return []
        if "payload" in fields:
            read = read_interaction(fields["payload"], digest, received_at)
        else:
            read = read_command(fields, digest, received_at)
        return [Observed(read, request.body)]

    def prepare(self, message: "OutboundMessage", secret: SlackSecret) -> HttpRequest:
        """The API has no key that makes a message unique: one that may have been taken is not sent
        again.
        """
        token = secret.bot_tokens.get(message.endpoint.account)
        if token is None:
            raise _refused("no_token", "the secret has no token of this workspace")
        if len(message.text) > LONGEST_TEXT or not (message.text or message.files):
            code = "msg_too_long" if message.text else "no_text"
            raise _refused(code, f"a text has 1 to {LONGEST_TEXT} characters on Slack")
        body: dict[str, Any] = {
            "channel": message.endpoint.address,
            "text": _escaped(message.text),
        }
        if began := _thread(message):
            body["thread_ts"] = began
        if message.choices or message.files:
            body["blocks"] = _blocks(message)
        return HttpRequest(
            method="POST",
            url=API,
            headers={
                "authorization": f"Bearer {token}",
                "content-type": f"{JSON_TYPE}; charset=utf-8",
            },
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        )

    def receipt(self, response: HttpResponse) -> str:
        """Slack answers 200 to nearly everything, and says in the body whether it took it."""
        if response.status in {429, 503}:
            raise SendDelayed(
                f"Slack took nothing: HTTP {response.status}", retry_after=retry_after(response)
            )
        if response.status >= 500:
            raise SendUnconfirmed(f"Slack answered HTTP {response.status}")
        try:
            answer = read_model(Answer, read_json(response.body))
        except MalformedPayload:
            raise SendUnconfirmed("Slack answered what is no answer of its API") from None
        if answer.ok:
            if answer.channel is None or answer.ts is None:
                raise SendUnconfirmed("Slack took the message and gave no id")
            return message_key(answer.channel, answer.ts)
        code = answer.error if re.fullmatch(r"[a-z0-9_]{1,100}", answer.error) else "unknown"
        if code in TOO_FAST:
            raise SendDelayed(f"Slack took nothing: {code}", retry_after=retry_after(response))
        if code in PERHAPS:
            raise SendUnconfirmed(f"Slack answered {code}")
        raise _refused(code, f"Slack refused: {code}")

    def media(self, attachment: Attachment, secret: SlackSecret) -> HttpRequest | None:
        """Files are private to those who may see their channel, and so to the app's token.

        https://docs.slack.dev/reference/objects/file-object
        """
        team, _, url = (attachment.provider_reference or "").partition(":")
        token = secret.bot_tokens.get(team)
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        if token is None or parts.scheme != "https" or parts.netloc != FILES:
            return None
        return HttpRequest(
            method="GET", url=url, headers={"authorization": f"Bearer {token}"}, body=b""
        )


def _what_is_wrong(request: WebhookRequest, secret: SlackSecret) -> str:
    """With the proof; empty where it holds. The timestamp is signed with the body."""
    stamp = request.header("x-slack-request-timestamp")
    if not re.fullmatch(r"[0-9]{1,11}", stamp):
        return "X-Slack-Request-Timestamp is missing or no time"
    signed = f"v0:{stamp}:".encode() + request.body
    given = request.header("x-slack-signature")
    valid = (
        "v0=" + hmac.digest(key.encode(), signed, sha256).hex() for key in secret.signing_secrets
    )
    if not any(same(given, one) for one in valid):
        return "X-Slack-Signature is missing or wrong"
    moment = datetime.fromtimestamp(int(stamp), UTC)
    if abs(request.arrived_at - moment) > TOLERANCE:
        return "X-Slack-Request-Timestamp is more than five minutes away"
    return ""


def _form(request: WebhookRequest) -> dict[str, str]:
    """The fields; of a repeated one the last value. Raises MalformedPayload."""
    try:
        return {one.name: one.content.decode() for one in read_form(request)}
    except UnicodeDecodeError:
        raise MalformedPayload("the form is not UTF-8") from None


def _escaped(text: str) -> str:
    """So that no text of ours calls a whole channel, or hides where a link goes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _thread(message: "OutboundMessage") -> str | None:
    """The number of the message that began the exchange: an answer goes below it.

    In the app's own chat with a person, only where they opened a thread themselves.
    """
    address = message.endpoint.address
    keys = message.thread or ((message.in_reply_to,) if message.in_reply_to else ())
    channel, _, ts = keys[0].partition(":") if keys else ("", "", "")
    if channel != address or not re.fullmatch(r"[0-9]{1,12}\.[0-9]{1,9}", ts):
        return None
    return None if address.startswith("D") and len(keys) == 1 else ts


def _blocks(message: "OutboundMessage") -> list[dict[str, Any]]:
    """The text, then pictures, then buttons. `text` beside them is what a notification shows."""
    text = _escaped(message.text)
    if len(text) > LONGEST_SECTION:
        raise _refused(
            "msg_blocks_too_long", f"with pictures or buttons, {LONGEST_SECTION} characters"
        )
    blocks: list[dict[str, Any]] = []
    if text:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    for file in message.files:
        if file.form != "image":
            raise _refused("file_form", "Slack takes no file by its address, but pictures")
        blocks.append({"type": "image", "image_url": file.url, "alt_text": file.name or "image"})
    if message.choices:
        blocks.append({"type": "actions", "elements": _buttons(message)})
    return blocks


def _buttons(message: "OutboundMessage") -> list[dict[str, Any]]:
    buttons = [
        {
            "type": "button",
            "action_id": f"choice_{number}",
            "text": {"type": "plain_text", "text": one.title or one.id},
            "value": one.id or one.title,
        }
        for number, one in enumerate(message.choices)
    ]
    fit = all(
        0 < len(one.title or one.id) <= LONGEST_BUTTON and len(one.id or one.title) <= LONGEST_VALUE
        for one in message.choices
    )
    if not fit or len(buttons) > MOST_BUTTONS:
        raise _refused(
            "choices",
            f"up to {MOST_BUTTONS} choices of 1 to {LONGEST_BUTTON} characters on Slack",
        )
    return buttons


def _refused(code: str, detail: str) -> SendRefused:
    return SendRefused(detail, code=code, reason=REFUSALS.get(code, "unknown"))


PROVIDER = Slack()
