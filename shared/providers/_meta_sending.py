"""A message of ours in the words of the Send API, which Messenger and Instagram share.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
https://developers.facebook.com/documentation/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.domain.errors import SendRefused

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage
    from shared.domain.touchpoint import Choice

MOST_CHOICES, LONGEST_TITLE, LONGEST_PAYLOAD = 13, 20, 1000
"""https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies"""

_MID = re.compile(r"(m_|mid\.|aWdf)[\x21-\x7e]+")
"""How the id of a message begins, with Messenger and with Instagram. What else we answer has an id
that we made, which Meta does not know.
"""


class MessagingLimits(NamedTuple):
    longest_text: int
    counts_bytes: bool
    """Whether the length of a text is that of its UTF-8."""
    title: str


def outgoing(message: "OutboundMessage", limits: MessagingLimits) -> dict[str, Any]:
    """The body of the request. Raises SendRefused for what the channel cannot carry.

    A template is text here: the channel has none that are approved.
    """
    kind: dict[str, str] = {"messaging_type": "RESPONSE"}
    if message.as_human_agent:
        # Within seven days, and only what a person wrote:
        # https://developers.facebook.com/docs/features-reference/human-agent
        kind = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    answers = message.in_reply_to or ""
    return {
        "recipient": {"id": message.endpoint.address},
        **kind,
        "message": _content(message, limits),
        **({"reply_to": {"mid": answers}} if _MID.fullmatch(answers) else {}),
    }


def _content(message: "OutboundMessage", limits: MessagingLimits) -> dict[str, Any]:
    choices = [_quick_reply(one, limits) for one in message.choices]
    if len(choices) > MOST_CHOICES:
        raise SendRefused(
            f"{limits.title} offers {MOST_CHOICES} answers at most",
            code="choices",
            reason="not_supported",
        )
    offered = {"quick_replies": choices} if choices else {}
    if not message.files:
        _check_text(message.text, limits)
        return {"text": message.text, **offered}
    if len(message.files) > 1 or message.text:
        raise SendRefused(
            f"a file goes alone on {limits.title}, and words in a message of their own",
            code="files",
            reason="not_supported",
        )
    [file] = message.files
    return {"attachment": {"type": file.form, "payload": {"url": file.url}}, **offered}


def _check_text(text: str, limits: MessagingLimits) -> None:
    length = len(text.encode() if limits.counts_bytes else text)
    if not 0 < length <= limits.longest_text:
        unit = "bytes" if limits.counts_bytes else "characters"
        raise SendRefused(
            f"a text has 1 to {limits.longest_text} {unit} on {limits.title}",
            code="text_length",
            reason="content",
        )


def _quick_reply(choice: "Choice", limits: MessagingLimits) -> dict[str, str]:
    payload = choice.id or choice.title
    if not 0 < len(choice.title) <= LONGEST_TITLE or len(payload) > LONGEST_PAYLOAD:
        raise SendRefused(
            f"an answer has 1 to {LONGEST_TITLE} characters on {limits.title}",
            code="choice_length",
            reason="content",
        )
    return {"content_type": "text", "title": choice.title, "payload": payload}
