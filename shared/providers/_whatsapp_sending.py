"""A message of ours in the words of WhatsApp's API.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.domain.errors import SendRefused

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundFile, OutboundMessage, TemplateUse

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
"""Also of the question above reply buttons."""
MOST_BUTTONS, LONGEST_BUTTON, LONGEST_BUTTON_ID = 3, 20, 256
MOST_ROWS, LONGEST_ROW, LONGEST_ROW_ID = 10, 24, 200
"""https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-list-messages
and .../interactive-reply-buttons-messages
"""
LIST_LABEL = {"de": "Auswahl", "es": "Opciones", "it": "Opzioni", "nl": "Opties", "pt": "Opções"}
"""On the button that opens a list, by language; elsewhere `Options`."""


def outgoing(message: "OutboundMessage") -> dict[str, Any]:
    """The content in the API's words. Raises SendRefused for what WhatsApp cannot carry."""
    if message.template is not None:
        return {"type": "template", "template": _template(message.template)}
    if len(message.files) > 1:
        raise SendRefused(
            "a WhatsApp message carries one file", code="files", reason="not_supported"
        )
    if message.choices:
        return {"type": "interactive", "interactive": _interactive(message)}
    if message.files:
        return _medium(message.files[0], message.text)
    _check_text(message.text, LONGEST_TEXT)
    return {"type": "text", "text": {"body": message.text}}


def _check_text(text: str, longest: int, *, may_be_empty: bool = False) -> None:
    if not (text or may_be_empty) or len(text) > longest:
        raise SendRefused(
            f"a text has 1 to {longest} characters here on WhatsApp",
            code="text_length",
            reason="content",
        )


MEDIA: Mapping[str, str] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "file": "document",
}
"""Our forms of a file in WhatsApp's words."""


def _medium(file: "OutboundFile", caption: str) -> dict[str, Any]:
    kind = MEDIA[file.form]
    _check_text(caption, LONGEST_CAPTION, may_be_empty=True)
    if kind == "audio" and caption:
        raise SendRefused("audio goes without words on WhatsApp", code="caption", reason="content")
    return {"type": kind, kind: _linked(file) | ({"caption": caption} if caption else {})}


def _linked(file: "OutboundFile") -> dict[str, str]:
    """Meta fetches it, and only a document shows its name."""
    named = file.form == "file" and file.name
    return {"link": file.url} | ({"filename": file.name} if named else {})


def _interactive(message: "OutboundMessage") -> dict[str, Any]:
    """Up to three answers are buttons, up to ten a list."""
    is_list = len(message.choices) > MOST_BUTTONS
    longest_title = LONGEST_ROW if is_list else LONGEST_BUTTON
    longest_id = LONGEST_ROW_ID if is_list else LONGEST_BUTTON_ID
    options = [{"id": one.id or one.title, "title": one.title} for one in message.choices]
    if len(options) > MOST_ROWS or (is_list and message.files):
        raise SendRefused(
            f"WhatsApp offers {MOST_ROWS} answers at most, and {MOST_BUTTONS} beside a file",
            code="choices",
            reason="not_supported",
        )
    for option in options:
        if not 0 < len(option["title"]) <= longest_title or len(option["id"]) > longest_id:
            raise SendRefused(
                f"an answer has 1 to {longest_title} characters here on WhatsApp",
                code="choice_length",
                reason="content",
            )
    if len({option["id"] for option in options}) < len(options):
        raise SendRefused("two answers are the same", code="choice_twice", reason="content")
    _check_text(message.text, LONGEST_TEXT if is_list else LONGEST_CAPTION)
    body = {"body": {"text": message.text}}
    if is_list:
        language = (message.language or "").split("-")[0].lower()
        label = LIST_LABEL.get(language, "Options")
        return {
            "type": "list",
            **body,
            "action": {"button": label, "sections": [{"rows": options}]},
        }
    buttons = [{"type": "reply", "reply": option} for option in options]
    return {"type": "button", **_header(message), **body, "action": {"buttons": buttons}}


def _header(message: "OutboundMessage") -> dict[str, Any]:
    if not message.files:
        return {}
    kind = MEDIA[message.files[0].form]
    if kind == "audio":
        raise SendRefused(
            "audio goes without answers on WhatsApp", code="choices", reason="not_supported"
        )
    return {"header": {"type": kind, kind: _linked(message.files[0])}}


def _template(use: "TemplateUse") -> dict[str, Any]:
    """Line breaks and runs of spaces, refused in a parameter (error 132018), are folded."""
    parameters = [{"type": "text", "text": " ".join(one.split())} for one in use.parameters]
    body = [{"type": "body", "parameters": parameters}] if parameters else []
    return {
        "name": use.name,
        "language": {"code": use.language},
        **({"components": body} if body else {}),
    }
