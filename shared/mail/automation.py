"""Whether a machine wrote a mail. Such a mail is kept, and opens no ticket: no loop can begin."""

from collections.abc import Callable, Mapping

from shared.domain.touchpoint import Automation
from shared.mail.reading import Mail

SEND_KEY_HEADER = "X-Passerelle-Send-Key"
"""On everything we send. Where it comes back, it is our own message."""

Rules = Mapping[str, Callable[[str], bool]]

ANSWERED_BY_MACHINES: Rules = {
    "auto-submitted": lambda value: not value.lower().startswith("no"),
    "x-autoreply": lambda value: value.lower() != "no",
    "x-autorespond": bool,
    "x-auto-response-suppress": lambda value: "all" in value.lower() or "oof" in value.lower(),
    "precedence": lambda value: value.lower() == "auto_reply",
}
"""RFC 3834, and what Exchange, Lotus, vacation(1) and their like set."""

SENT_TO_MANY: Rules = {
    "precedence": lambda value: value.lower() in {"bulk", "junk", "list"},
    "list-id": bool,
}
"""Not List-Unsubscribe or Feedback-ID: contact forms that mail through a provider have them."""
BOUNCING_SENDERS = {"mailer-daemon", "postmaster"}


def automation_of(mail: Mail, *, envelope_sender: str, own: frozenset[str]) -> Automation | None:
    """What kind of machine, or None for a person.

    `own` are our addresses in lower case. `envelope_sender` is empty where SMTP's MAIL FROM was.
    """
    senders = {box.address.lower() for box in mail.mailboxes("from")}
    if mail.header(SEND_KEY_HEADER.lower()) or senders & own:
        return Automation.ECHO
    if mail.content_type == "multipart/report" or _bounces(senders | {envelope_sender.lower()}):
        return Automation.BOUNCE
    if (
        _any(mail, ANSWERED_BY_MACHINES)
        or mail.header("return-path") == "<>"
        or envelope_sender in {"", "<>"}
    ):
        return Automation.AUTO_REPLY
    if _any(mail, SENT_TO_MANY) and not _through_our_own_list(mail, own):
        return Automation.BOT
    return None


def _bounces(senders: set[str]) -> bool:
    return any(sender.partition("@")[0] in BOUNCING_SENDERS for sender in senders)


def _any(mail: Mail, rules: Rules) -> bool:
    return any(rule(value) for name, rule in rules.items() for value in mail.headers.get(name, ()))


def _through_our_own_list(mail: Mail, own: frozenset[str]) -> bool:
    """A group of the company's own domain that hands its customers' mails on to us."""
    list_id = mail.header("list-id").rpartition("<")[2].rstrip("> ").lower()
    return any(list_id.endswith(f".{address.partition('@')[2]}") for address in own)
