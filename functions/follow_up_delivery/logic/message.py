"""From a promise to words: in the person's language, to the endpoint it answers."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from shared.domain.disclosure import TEMPLATE, Written, disclosed
from shared.domain.follow_up import SendReply, SendTemplate
from shared.domain.profile import Profile
from shared.domain.sending import (
    MessageClass,
    OutboundFile,
    OutboundMessage,
    TemplateUse,
    Verdict,
)
from shared.domain.suppression import NoticeTemplate
from shared.domain.template import PREFERENCE_URL
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import (
    Attachment,
    Channel,
    Choice,
    Direction,
    Endpoint,
    Message,
    Touchpoint,
    Writer,
)
from shared.policies.reader import Policies


class Draft(NamedTuple):
    """A message before the gate: where to, in which words, and the approved template with the same
    words.
    """

    endpoint: Endpoint
    message_class: MessageClass
    written: Written
    subject: str | None
    language: str | None
    template: TemplateUse | None
    in_reply_to: str
    thread: tuple[str, ...]
    purpose: str | None = None
    """What it is for, where it does not follow from its class."""
    is_notice: bool = False
    """Whether an opt-out, an opt-in or a call for help calls for it."""
    unsubscribe_url: str | None = None
    """Of what is advertised by mail."""
    their_language: str | None = None
    """What the recipient reads, as far as it is known; `language` is what the words are in."""
    is_answer: bool = False
    """Whether an agent answers, person or machine, and no rule."""
    is_persons_answer: bool = False
    """Whether an agent who is a person answers, and no rule or machine."""
    choices: tuple[Choice, ...] = ()
    files: tuple[OutboundFile, ...] = ()

    def message(self, send_key: str, policies: Policies, verdict: Verdict) -> OutboundMessage:
        """What leaves. All messages are made here, and here a machine's are preceded by the words
        that say so, in the recipient's language.
        """
        text, disclosure = self.written.text, None
        if self.written.needs_disclosure:
            _, wording = policies.templates.wording(TEMPLATE, self.their_language)
            disclosure = wording.filled({})
            text = disclosed(text, disclosure)
        return OutboundMessage(
            send_key=send_key,
            endpoint=self.endpoint,
            message_class=self.message_class,
            text=text,
            written_by=self.written.by,
            disclosure=disclosure,
            template=self.template if verdict is Verdict.SEND_TEMPLATE else None,
            files=self.files,
            choices=self.choices,
            as_human_agent=verdict is Verdict.SEND_AS_HUMAN_AGENT,
            subject=self.subject,
            in_reply_to=self.in_reply_to,
            thread=self.thread,
            language=self.language,
            unsubscribe_url=self.unsubscribe_url,
        )


class Words(NamedTuple):
    """What is said. `subject` is for whoever wrote without one, on a channel that has any."""

    written: Written
    message_class: MessageClass
    language: str | None
    subject: str | None = None
    template: TemplateUse | None = None


def write(
    action: SendTemplate | SendReply,
    ticket: Ticket,
    answered: Touchpoint,
    profile: Profile | None,
    policies: Policies,
    link: Callable[[], str],
) -> Draft:
    """The draft that answers `answered`, whose endpoint the caller has made sure of.

    `link` makes the way to the person's preferences, where the words show it or a mail advertises;
    what it raises rises.
    """
    assert answered.endpoint is not None
    asked = answered.content if isinstance(answered.content, Message) else Message()
    theirs = (profile.language if profile else None) or ticket.last.language
    reply = action if isinstance(action, SendReply) else None
    words = _words(action, ticket, answered.endpoint, theirs, policies, link)
    advertises = words.message_class is MessageClass.MARKETING
    by_mail = answered.endpoint.channel is Channel.EMAIL
    return Draft(
        endpoint=answered.endpoint,
        message_class=words.message_class,
        written=words.written,
        subject=words.subject if asked.subject is None else _reply_subject(asked.subject),
        language=words.language,
        template=words.template,
        in_reply_to=answered.provider_event_id,
        thread=(*asked.thread, answered.provider_event_id),
        purpose=action.purpose if isinstance(action, SendTemplate) else None,
        unsubscribe_url=link() if advertises and by_mail else None,
        their_language=theirs,
        is_answer=reply is not None,
        is_persons_answer=reply is not None and reply.written_by is Writer.PERSON,
        choices=reply.choices if reply else (),
        files=reply.files if reply else (),
    )


def write_notice(
    template: NoticeTemplate, answered: Touchpoint, profile: Profile | None, policies: Policies
) -> Draft:
    """The draft of what a word calls for, to the endpoint it came from, which the caller has made
    sure of.
    """
    assert answered.endpoint is not None
    asked = answered.content if isinstance(answered.content, Message) else Message()
    spoken = policies.accounts.of(answered.provider, answered.account).language
    wanted = (profile.language if profile else None) or answered.language or spoken
    language, wording = policies.templates.wording(template, wanted)
    return Draft(
        endpoint=answered.endpoint,
        message_class=MessageClass.LEGAL,
        written=Written(wording.filled({}), Writer.PERSON),
        subject=wording.subject,
        language=language,
        template=None,
        in_reply_to=answered.provider_event_id,
        thread=(*asked.thread, answered.provider_event_id),
        is_notice=True,
        their_language=wanted,
    )


def _reply_subject(subject: str) -> str:
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def _words(
    action: SendTemplate | SendReply,
    ticket: Ticket,
    endpoint: Endpoint,
    theirs: str | None,
    policies: Policies,
    link: Callable[[], str],
) -> Words:
    transactional = MessageClass.TRANSACTIONAL
    if isinstance(action, SendReply) and action.template is None:
        written = Written(action.text, action.written_by)
        return Words(written, transactional, ticket.last.language)
    assert action.template is not None
    message_class = transactional if isinstance(action, SendReply) else action.message_class
    return _from_template(action.template, message_class, ticket, endpoint, theirs, policies, link)


def _from_template(
    name: str,
    message_class: MessageClass,
    ticket: Ticket,
    endpoint: Endpoint,
    theirs: str | None,
    policies: Policies,
    link: Callable[[], str],
) -> Words:
    """In the person's language, with the provider's approved template where there is one."""
    language, wording = policies.templates.wording(name, theirs)
    values = {"ticket_number": ticket.number}
    if wording.asks_for_link:
        values[PREFERENCE_URL] = link()
    approved = wording.approved_on(endpoint.channel)
    template = None
    if approved is not None:
        parameters = tuple(values[variable] for variable in wording.variables)
        template = TemplateUse(
            name=approved.name, language=approved.language, parameters=parameters
        )
    written = Written(wording.filled(values), Writer.PERSON)
    return Words(written, message_class, language, wording.subject, template)


def outbound_touchpoint(message: OutboundMessage, message_id: str, now: datetime) -> Touchpoint:
    """What left, as the ledger keeps it.

    Its id is the one a delivery status or an echo will have.
    """
    return Touchpoint(
        provider=message.endpoint.provider,
        account=message.endpoint.account,
        provider_event_id=message_id,
        channel=message.endpoint.channel,
        direction=Direction.OUTBOUND,
        occurred_at=now,
        received_at=now,
        endpoint=message.endpoint,
        language=message.language,
        content=Message(
            text=message.text,
            subject=message.subject,
            attachments=tuple(map(_attachment, message.files)),
            offers=message.choices,
            in_reply_to=message.in_reply_to,
            message_class=message.message_class.value,
            written_by=message.written_by,
        ),
    )


def _attachment(file: OutboundFile) -> Attachment:
    """What is not ours lies where the provider fetched it."""
    return Attachment(
        form=file.form,
        name=file.name,
        content_type=file.content_type,
        size=file.size,
        object_key=file.object_key,
        provider_reference=file.url or None,
    )
