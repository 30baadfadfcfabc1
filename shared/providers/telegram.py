"""Telegram through its Bot API.

Webhooks: https://core.telegram.org/bots/api#setwebhook; what they mean: `_telegram_updates`
Sending: https://core.telegram.org/bots/api#sendmessage
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from shared.domain.errors import (
    MalformedPayload,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.touchpoint import (
    Attachment,
    Stop,
)
from shared.providers._telegram_message import Chat, MessageId, message_key
from shared.providers._telegram_updates import (
    BLOCKED,
    NAME,
    Line,
    number_in_chat,
    read_update,
)
from shared.providers.base import (
    JSON_TYPE,
    MEGABYTE,
    Fetch,
    HttpRequest,
    HttpResponse,
    Observed,
    Outcome,
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

HOST = "api.telegram.org"

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LONGEST_CALLBACK = 64
"""Bytes of what a button sends back. https://core.telegram.org/bots/api#inlinekeyboardbutton"""
MOST_FILES = 10

REFUSED_AS: Mapping[str, str] = {
    "Forbidden: bot was blocked by the user": "bot_blocked",
    "Forbidden: user is deactivated": "user_deactivated",
    "Forbidden: bot can't initiate conversation with a user": "no_conversation",
    "Forbidden: bot can't send messages to bots": "is_bot",
    "Forbidden: the bot can't send messages to the bot": "is_bot",
    "Bad Request: chat not found": "chat_not_found",
    "Bad Request: PEER_ID_INVALID": "chat_not_found",
    "Bad Request: message text is empty": "text_empty",
    "Bad Request: message is too long": "text_too_long",
    "Bad Request: message caption is too long": "caption_too_long",
    "Bad Request: BUTTON_DATA_INVALID": "button_data",
    "Bad Request: wrong HTTP URL specified": "file_url",
    "Bad Request: wrong file identifier/HTTP URL specified": "file_url",
    "Bad Request: failed to get HTTP URL content": "file_url",
    "Bad Request: wrong type of the web page content": "file_type",
}
"""Telegram has no codes beyond HTTP's, so these descriptions, whole and as its server's source has
them, stand for codes; any other refusal keeps the HTTP status as its code. Where Telegram words
one anew, its reason becomes `unknown`, and nothing else changes.

https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp
"""

REFUSALS: Mapping[str, RefusalReason] = {
    "bot_blocked": "opted_out",
    "user_deactivated": "unreachable",
    "no_conversation": "unreachable",
    "is_bot": "invalid_recipient",
    "chat_not_found": "invalid_recipient",
    "text_empty": "content",
    "text_too_long": "content",
    "caption_too_long": "content",
    "button_data": "content",
    "file_url": "content",
    "file_type": "content",
    "file_mix": "content",
    "no_bot": "unauthorized",
    "401": "unauthorized",
    "404": "unauthorized",  # a token that is none
    "413": "content",
}
STOPS: Mapping[str, Stop] = {
    "bot_blocked": BLOCKED,
    "user_deactivated": Stop(kind="bounce"),
}

_FILE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


# The secret


class Bot(BaseModel):
    """One bot of the company's."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: str = Field(pattern=r"^[1-9][0-9]{0,19}:[A-Za-z0-9_-]{24,100}$")
    secret_tokens: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,256}$")]] = (
        Field(min_length=1)
    )

    @property
    def id(self) -> str:
        return self.token.partition(":")[0]


class TelegramSecret(Secret):
    """`bots`: each with its `token` from @BotFather and its `secret_tokens`, which are yours to
    invent (16 to 256 of A-Z, a-z, 0-9, _ and -) and are given to `setWebhook` as `secret_token`.
    """

    bots: list[Bot] = Field(min_length=1)

    @model_validator(mode="after")
    def _tells_them_apart(self) -> Self:
        owners: dict[str, str] = {}
        for bot in self.bots:
            if any(owners.setdefault(one, bot.id) != bot.id for one in bot.secret_tokens):
                raise ValueError("two bots have the same secret token")
        return self

    def bot(self, account: str) -> Bot | None:
        """The newest entry of that bot."""
        return next((one for one in self.bots if one.id == account), None)


# What comes and is answered


class Numbered(Payload):
    """An update."""

    update_id: MessageId


class SentMessage(Payload):
    message_id: Annotated[int, Field(ge=1, lt=2**53)]
    chat: Chat
    business_connection_id: str | None = None


class Parameters(Payload):
    retry_after: int | None = None


class Answer(Payload):
    ok: bool
    result: JsonValue = None
    description: str = ""
    parameters: Parameters = Parameters()


class StoredFile(Payload):
    file_path: str = Field(max_length=500)


class Telegram(Provider[TelegramSecret]):
    name = NAME
    secret_type = TelegramSecret
    largest_body = MEGABYTE
    longest_text = LONGEST_TEXT
    media_hosts = (HOST,)
    refusals = REFUSALS
    stops = STOPS

    def verify(self, request: WebhookRequest, secret: TelegramSecret, fetch: Fetch) -> None:
        """The secret token is the whole proof: it says nothing of the body, which TLS protects."""
        if _proven(request, secret) is None:
            raise Unauthentic("X-Telegram-Bot-Api-Secret-Token is missing or wrong")

    def parse(
        self, request: WebhookRequest, secret: TelegramSecret, received_at: datetime
    ) -> list[Observed]:
        if request.content_type != JSON_TYPE:
            raise MalformedPayload("the body is not declared as JSON")
        update = read_json(request.body)
        if not isinstance(update, dict):
            raise MalformedPayload("body: an object is expected")
        number = read_model(Numbered, update).update_id
        bot = _proven(request, secret) or _only_bot(request, secret)
        line = Line(bot.id, number, received_at)
        return [Observed(one, request.body) for one in read_update(line, update)]

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """A pressed button is seen to turn until it is answered, and an answer to the webhook may
        be a call of the API: https://core.telegram.org/bots/api#making-requests-when-getting-updates
        """
        for one in observed:
            kind, _, number = one.touchpoint.provider_event_id.partition(":")
            if kind == "callback":
                call = {"method": "answerCallbackQuery", "callback_query_id": number}
                return WebhookResponse(body=json.dumps(call), content_type=JSON_TYPE)
        return WebhookResponse()

    def prepare(self, message: "OutboundMessage", secret: TelegramSecret) -> HttpRequest:
        """The API has no key that makes a message unique: one that may have been taken is not sent
        again.
        """
        bot = secret.bot(message.endpoint.account)
        if bot is None:
            raise _refused("no_bot", "the secret has no token of this bot")
        connection, _, chat = message.endpoint.address.rpartition(":")
        method, content = _outgoing(message)
        body: dict[str, Any] = {"chat_id": int(chat), **content}
        if connection:
            body["business_connection_id"] = connection
        answered = number_in_chat(message.in_reply_to, message.endpoint.address)
        if answered is not None:
            # What the person has deleted meanwhile is answered all the same.
            body["reply_parameters"] = {
                "message_id": answered,
                "allow_sending_without_reply": True,
            }
        return HttpRequest(
            method="POST",
            url=f"https://{HOST}/bot{bot.token}/{method}",
            headers={"content-type": JSON_TYPE},
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        )

    def receipt(self, response: HttpResponse) -> str:
        try:
            answer = read_model(Answer, read_json(response.body))
        except MalformedPayload:
            answer = Answer(ok=False)
        if response.status == 200 and answer.ok:
            return _message_id(answer.result)
        code = REFUSED_AS.get(answer.description, str(response.status))
        if response.status in {429, 503}:
            stated = answer.parameters.retry_after
            wait = retry_after(response)
            if stated is not None and 0 <= stated <= 86_400:
                wait = timedelta(seconds=stated)
            raise SendDelayed(f"Telegram took nothing: HTTP {response.status}", retry_after=wait)
        if 400 <= response.status < 500:
            raise _refused(code, f"Telegram refused: code {code}")
        raise SendUnconfirmed(f"Telegram answered HTTP {response.status}")

    def media(self, attachment: Attachment, secret: TelegramSecret) -> HttpRequest | None:
        """Where the file lies, which Telegram tells for an hour; 20 MB at most.

        https://core.telegram.org/bots/api#getfile
        """
        account, _, file_id = (attachment.provider_reference or "").partition(":")
        bot = secret.bot(account)
        if bot is None or not file_id:
            return None
        query = urlencode({"file_id": file_id})
        return HttpRequest(
            method="GET",
            url=f"https://{HOST}/bot{bot.token}/getFile?{query}",
            headers={},
            body=b"",
        )

    def media_location(
        self, attachment: Attachment, response: HttpResponse, secret: TelegramSecret
    ) -> HttpRequest | None:
        """Only `getFile` answers in JSON; whatever a person sent is served as octets."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        if headers.get("content-type", "").split(";")[0].strip().lower() != JSON_TYPE:
            return None
        answer = read_model(Answer, read_json(response.body))
        path = read_model(StoredFile, answer.result).file_path if answer.ok else ""
        bot = secret.bot((attachment.provider_reference or "").partition(":")[0])
        if bot is None or not _FILE_PATH.fullmatch(path):
            raise MalformedPayload("file_path: Telegram tells no place of the file")
        return HttpRequest(
            method="GET",
            url=f"https://{HOST}/file/bot{bot.token}/{quote(path)}",
            headers={},
            body=b"",
        )


# Proof


def _proven(request: WebhookRequest, secret: TelegramSecret) -> Bot | None:
    """The bot whose secret token the request carries; only the one in the path, where one is."""
    given = request.header("x-telegram-bot-api-secret-token")
    fitting = [
        bot
        for bot in secret.bots
        for token in bot.secret_tokens
        if same(given, token) and request.path in {"", bot.id}
    ]
    return fitting[0] if fitting else None


def _only_bot(request: WebhookRequest, secret: TelegramSecret) -> Bot:
    """For a request out of quarantine, which is kept without its secret token."""
    possible = {bot.id: bot for bot in secret.bots if request.path in {"", bot.id}}
    if len(possible) != 1:
        raise MalformedPayload("nothing in the request says which bot it is for")
    return next(iter(possible.values()))


# Sending


def _outgoing(message: "OutboundMessage") -> tuple[str, dict[str, Any]]:
    """The method and its content."""
    keyboard = _keyboard(message)
    if not message.files:
        if not 0 < len(message.text) <= LONGEST_TEXT:
            code = "text_too_long" if message.text else "text_empty"
            raise _refused(code, f"a text has 1 to {LONGEST_TEXT} characters on Telegram")
        return "sendMessage", {"text": message.text, **keyboard}
    if len(message.text) > LONGEST_CAPTION:
        raise _refused(
            "caption_too_long", f"the text of a file has {LONGEST_CAPTION} characters on Telegram"
        )
    caption = {"caption": message.text} if message.text else {}
    if len(message.files) == 1:
        (file,) = message.files
        method, field = _METHODS[file.form]
        return method, {field: file.url, **caption, **keyboard}
    kinds = {file.form for file in message.files}
    mixes = kinds <= {"image", "video"} or len(kinds) == 1
    if not mixes or keyboard or len(message.files) > MOST_FILES:
        raise _refused(
            "file_mix",
            f"up to {MOST_FILES} files go together, pictures and videos or one sort, no buttons",
        )
    media = [
        {"type": _METHODS[file.form][1], "media": file.url, **(caption if n == 0 else {})}
        for n, file in enumerate(message.files)
    ]
    return "sendMediaGroup", {"media": media}


_METHODS = {
    "file": ("sendDocument", "document"),
    "image": ("sendPhoto", "photo"),
    "audio": ("sendAudio", "audio"),
    "video": ("sendVideo", "video"),
}
"""The method for one file, and its field there and in a group."""


def _keyboard(message: "OutboundMessage") -> dict[str, Any]:
    """A button on each line."""
    rows = [
        [{"text": one.title or one.id, "callback_data": one.id or one.title}]
        for one in message.choices
    ]
    if any(not 0 < len(row[0]["callback_data"].encode()) <= LONGEST_CALLBACK for row in rows):
        raise _refused(
            "button_data", f"a choice is known by 1 to {LONGEST_CALLBACK} bytes on Telegram"
        )
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _message_id(result: JsonValue) -> str:
    """Of several files the first one's."""
    first = result[0] if isinstance(result, list) and result else result
    try:
        sent = read_model(SentMessage, first)
    except MalformedPayload:
        raise SendUnconfirmed("Telegram took the message and gave no id") from None
    return message_key(sent.chat.id, sent.message_id, sent.business_connection_id)


def _refused(code: str, detail: str) -> SendRefused:
    return SendRefused(detail, code=code, reason=REFUSALS.get(code, "unknown"))


PROVIDER = Telegram()
