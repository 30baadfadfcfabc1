"""What an agent answers: words, with files or choices, or one of the company's templates."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from functions.agent_api.logic.reply_windows import sendable_templates, windows_now
from functions.agent_api.logic.tickets import existing_ticket
from functions.agent_api.logic.uploads import ReplyFile, files_to_send
from functions.agent_api.logic.writers import refuse_too_long, writer_of
from shared.domain.errors import Conflict, InvalidInput, Unlisted, WindowClosed
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply
from shared.domain.model import FollowUpId, Model, TicketId, TouchpointId, derived_id
from shared.domain.reply_window import open_window
from shared.domain.sending import OutboundFile
from shared.domain.ticket import Ticket, TicketStatus
from shared.domain.touchpoint import Choice, Endpoint, Touchpoint, Writer
from shared.events.catalogue import FollowUpScheduled
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger, MediaFiles
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock, FileType
from shared.ports.tickets import TicketStore
from shared.providers.base import find_provider

MOST_CHOICES = 10
"""WhatsApp's longest list; three of them are buttons. A channel that takes fewer refuses it."""
MOST_FILES = 10


class OfferedChoice(Model):
    """One answer to pick from. What they pick comes back with its `id`."""

    id: str = Field(min_length=1, max_length=200)
    title: str = Field(min_length=1, max_length=80, description="WhatsApp takes 20 characters.")


class Reply(Model):
    """What an agent answers: `text`, perhaps with `choices` or `files`; or one `template`."""

    template: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="One of the company's `reply_templates`, in place of words. It leaves where "
        "the reply window has closed, if the channel approved it.",
    )
    choices: tuple[OfferedChoice, ...] = Field(
        default=(),
        max_length=MOST_CHOICES,
        description="Buttons or a list, where the channel has them; elsewhere it is refused.",
    )
    files: tuple[ReplyFile, ...] = Field(
        default=(),
        max_length=MOST_FILES,
        description="Uploaded here (`POST /v1/uploads`), or lying at an address.",
    )
    text: Annotated[
        str, Field(max_length=4096, validate_default=True, description="Not with a template.")
    ] = ""
    touchpoint_id: TouchpointId | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="The touchpoint it answers, and so the way it takes; "
        "without it, the customer's latest.",
    )
    written_by: Writer = Field(
        default=Writer.PERSON,
        description="`machine` is whatever a model wrote: it is preceded by words that say so, in "
        "the customer's language. With a client's own token (client credentials) it is always "
        "`machine`, and need not be said.",
    )

    @field_validator("choices")
    @classmethod
    def _choices_differ(cls, choices: tuple[OfferedChoice, ...]) -> tuple[OfferedChoice, ...]:
        for name in ("id", "title"):
            if len({getattr(one, name) for one in choices}) < len(choices):
                raise ValueError(f"each needs its own {name}")
        return choices

    @field_validator("text")
    @classmethod
    def _says_something(cls, text: str, info: ValidationInfo) -> str:
        """Something to read in it, and no control characters but tab and line break."""
        alone = bool(info.data.get("files")) and not info.data.get("choices")
        if info.data.get("template") is not None:
            if text or info.data.get("files") or info.data.get("choices"):
                raise ValueError("a template is sent alone")
        elif not text.strip() and (text or not alone):
            raise ValueError("must not be blank")
        if any(ord(letter) < 32 and letter not in "\t\n\r" for letter in text):
            raise ValueError("must not hold control characters")
        return text


class PromisedReply(Model):
    """A reply on its way. Where it stands is read from the follow-up."""

    follow_up_id: FollowUpId
    ticket_id: TicketId
    answers: TouchpointId
    state: FollowUpState


def reply(
    ticket_id: TicketId,
    said: Reply,
    *,
    agent: str,
    is_machine: bool,
    idempotency_key: str | None,
    tickets: TicketStore,
    profiles: ProfileStore,
    ledger: Ledger,
    media_files: MediaFiles,
    file_type: FileType,
    policies: Policies,
    clock: Clock,
) -> PromisedReply:
    """Promise to send what an agent answers, due at once; the send gate has the last word.

    `is_machine`: whether the agent is no person. Raises NotFound, Conflict where the touchpoint
    cannot be answered, WindowClosed where words may not go there now, and InvalidInput when the
    words are too long for their way or it cannot carry what goes along, an upload is not there or
    not what it is said to be, the template is none that agents may send, or the idempotency key
    stands for another reply already.
    """
    stated = said.written_by if "written_by" in said.model_fields_set else None
    written_by = writer_of(stated, caller_is_machine=is_machine)
    if said.template is not None and said.template not in policies.sending.reply_templates:
        listed = ", ".join(policies.sending.reply_templates) or "none"
        raise Unlisted(f"must be one of {listed}", field="template")
    ticket = existing_ticket(ticket_id, tickets)
    if ticket.status is TicketStatus.CLOSED:
        raise Conflict("a closed ticket cannot be answered; open one by answering its touchpoint")
    answers = said.touchpoint_id or ticket.answerable.touchpoint_id
    answered, way_back = _way_back(answers, ticket, ledger)
    refuse_too_long(said.text, written_by, way_back, policies)
    provider = find_provider(way_back.provider)
    for lacking in sorted(provider.lacks):
        if getattr(said, lacking):
            raise InvalidInput(f"this way carries no {lacking}", field=lacking)
    now = clock.now()
    reply_id = _reply_id(ticket, said, answers, agent, written_by, idempotency_key)
    _refuse_closed_window(
        reply_id,
        said.template,
        written_by,
        answered,
        way_back,
        ticket,
        now,
        tickets=tickets,
        profiles=profiles,
        ledger=ledger,
        policies=policies,
    )
    files = files_to_send(
        said.files,
        ticket_id,
        media_files=media_files,
        file_type=file_type,
        policy=policies.media,
        promised=_promised_files(ticket_id, reply_id, said, tickets),
    )
    if not provider.has_room(file.size or 0 for file in files):
        reason = f"too large together for this way: {provider.largest_mail} bytes of a whole mail"
        raise InvalidInput(reason, field="files")
    action = SendReply(
        text=said.text,
        template=said.template,
        choices=tuple(Choice(id=one.id, title=one.title) for one in said.choices),
        files=files,
        answers=answers,
        agent=agent,
        written_by=written_by,
    )
    promised = FollowUp(
        follow_up_id=reply_id,
        ticket_id=ticket_id,
        profile_id=ticket.profile_id,
        name="reply",
        since=now,
        due_at=now,
        action=action,
    )
    event = FollowUpScheduled(
        follow_up_id=promised.follow_up_id,
        ticket_id=ticket_id,
        profile_id=ticket.profile_id,
        name=promised.name,
        due_at=now,
        immediate=True,
    )
    standing = tickets.promise(promised, event)
    if standing.action != promised.action:
        raise InvalidInput("this key was used for another reply", field="idempotency-key")
    return PromisedReply(
        follow_up_id=standing.follow_up_id,
        ticket_id=ticket_id,
        answers=answers,
        state=standing.state,
    )


def _promised_files(
    ticket_id: TicketId, reply_id: FollowUpId, said: Reply, tickets: TicketStore
) -> tuple[OutboundFile, ...]:
    """Of the same reply, where it was promised before; asked only where it has files."""
    before = tickets.read_follow_up(ticket_id, reply_id) if said.files else None
    action = before.action if before is not None else None
    return action.files if isinstance(action, SendReply) else ()


def _way_back(answers: TouchpointId, ticket: Ticket, ledger: Ledger) -> tuple[Touchpoint, Endpoint]:
    """The touchpoint it answers, and its endpoint. Raises InvalidInput or Conflict where there is
    none.
    """
    entry = ledger.read(answers)
    if entry is None:
        raise InvalidInput("there is no such touchpoint", field="touchpoint_id")
    if entry.profile_id != ticket.profile_id:
        raise Conflict("this touchpoint is of another profile")
    if entry.touchpoint.endpoint is None:
        raise Conflict("this touchpoint has no way back; answer another one")
    return entry.touchpoint, entry.touchpoint.endpoint


def _refuse_closed_window(
    reply_id: FollowUpId,
    template: str | None,
    written_by: Writer,
    answered: Touchpoint,
    endpoint: Endpoint,
    ticket: Ticket,
    now: datetime,
    *,
    tickets: TicketStore,
    profiles: ProfileStore,
    ledger: Ledger,
    policies: Policies,
) -> None:
    """Say at the door what the send gate would say later. Raises WindowClosed.

    A reply that was promised while the window was open is no new one, and is not refused.
    """
    if endpoint.channel not in policies.sending.reply_windows:
        return
    profile = profiles.read(ticket.profile_id)
    whose = profile.profile_ids if profile is not None else (ticket.profile_id,)
    windows = windows_now(answered, endpoint, whose, now, ledger=ledger, policies=policies)
    is_persons = written_by is Writer.PERSON
    if open_window(windows, now, by_person=is_persons) is not None:
        return
    language = (profile.language if profile is not None else None) or ticket.last.language
    templates = sendable_templates(endpoint.channel, language, policies)
    if template in templates:
        return
    if tickets.read_follow_up(ticket.ticket_id, reply_id) is not None:
        return
    closed_at = windows[-1 if is_persons else 0].open_until
    since = f"it closed at {closed_at.isoformat()}" if closed_at else "they never wrote there"
    raise WindowClosed(f"the reply window is closed: {since}", templates=templates)


def _reply_id(
    ticket: Ticket,
    said: Reply,
    answers: TouchpointId,
    agent: str,
    written_by: Writer,
    key: str | None,
) -> FollowUpId:
    """From the caller's key; without one, from the words and the state of the ticket they answer.

    So a repeated request is one reply, and the same words on another day are a new one.
    """
    if key is not None:
        return FollowUpId(derived_id("reply", ticket.ticket_id, "key", agent, key))
    how = "words" if written_by is Writer.PERSON else "machine"
    beside = said.model_dump_json(include={"template", "choices", "files"}, exclude_defaults=True)
    causes = (how, agent, answers, said.text, str(ticket.version))
    # Alone, words have the ids they had before anything could stand beside them.
    more = () if beside == "{}" else (beside,)
    return FollowUpId(derived_id("reply", ticket.ticket_id, *causes, *more))
