"""/v1/tickets"""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Query

from functions.agent_api.logic import replies
from functions.agent_api.logic import tickets as logic
from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.replies import PromisedReply, Reply
from functions.agent_api.logic.tickets import TicketDetail, TicketEdit, TicketView
from functions.agent_api.parameters import DEFAULT_LIMIT, Cursor, Id, Limit, PathId, Status
from functions.agent_api.ports import (
    Agent,
    CallerIsMachine,
    ClockPort,
    CompanyPolicies,
    FileTypePort,
    LedgerPort,
    MediaFilesPort,
    ProfilesPort,
    TicketsPort,
)
from shared.domain.model import ProfileId, TicketId

router = Router()
TAGS = ["tickets"]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key is the same reply, however often it is sent.",
    ),
]
ReplyBody = Annotated[
    Reply,
    Body(
        openapi_examples={
            "answer": {"value": {"text": "Bonjour, votre colis arrive demain avant midi."}},
            "a model's": {
                "value": {"text": "Votre colis est parti ce matin.", "written_by": "machine"}
            },
            "a question with buttons": {
                "value": {
                    "text": "Quand passons-nous ?",
                    "choices": [
                        {"id": "am", "title": "Le matin"},
                        {"id": "pm", "title": "L'après-midi"},
                    ],
                }
            },
            "a file": {
                "value": {
                    "text": "Voici votre facture.",
                    "files": [{"upload_id": "1tSrdMXLTUgzb3sfrWdOAH4P8CxhXm5v"}],
                }
            },
            "a template, once the window is closed": {"value": {"template": "answer_is_ready"}},
        }
    ),
]
EditBody = Annotated[
    TicketEdit,
    Body(
        openapi_examples={
            "take": {"value": {"status": "open", "assignee": "agent-7", "version": 3}},
            "resolve": {"value": {"status": "resolved"}},
        }
    ),
]


@router.get(
    "/v1/tickets",
    tags=TAGS,
    operation_id="list_tickets",
    summary="Tickets of a queue, an assignee or a profile",
)
def list_tickets(
    tickets: TicketsPort,
    profiles: ProfilesPort,
    policies: CompanyPolicies,
    clock: ClockPort,
    queue: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    status: Status = None,
    assignee: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    profile: Id = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[TicketView]:
    return logic.list_tickets(
        queue=queue,
        status=status,
        assignee=assignee,
        profile=ProfileId(profile) if profile is not None else None,
        limit=limit,
        cursor=cursor,
        tickets=tickets,
        profiles=profiles,
        policies=policies,
        clock=clock,
    )


@router.get(
    "/v1/tickets/<ticket_id>",
    tags=TAGS,
    operation_id="read_ticket",
    summary="A ticket: clocks, log, follow-ups, touchpoints, reply window",
)
def read_ticket(
    ticket_id: PathId,
    tickets: TicketsPort,
    profiles: ProfilesPort,
    ledger: LedgerPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> TicketDetail:
    return logic.read_ticket(
        TicketId(ticket_id),
        tickets=tickets,
        profiles=profiles,
        ledger=ledger,
        policies=policies,
        clock=clock,
    )


@router.post(
    "/v1/tickets/<ticket_id>/replies",
    tags=TAGS,
    operation_id="reply",
    summary="Answer the customer, on the way they came",
    status_code=HTTPStatus.ACCEPTED,
)
def reply(
    ticket_id: PathId,
    said: ReplyBody,
    agent: Agent,
    is_machine: CallerIsMachine,
    tickets: TicketsPort,
    profiles: ProfilesPort,
    ledger: LedgerPort,
    media_files: MediaFilesPort,
    file_type: FileTypePort,
    policies: CompanyPolicies,
    clock: ClockPort,
    idempotency_key: IdempotencyKey = None,
) -> PromisedReply:
    return replies.reply(
        TicketId(ticket_id),
        said,
        agent=agent,
        is_machine=is_machine,
        idempotency_key=idempotency_key,
        tickets=tickets,
        profiles=profiles,
        ledger=ledger,
        media_files=media_files,
        file_type=file_type,
        policies=policies,
        clock=clock,
    )


@router.patch(
    "/v1/tickets/<ticket_id>",
    tags=TAGS,
    operation_id="edit_ticket",
    summary="Change its status, priority, queue or assignee",
)
def edit_ticket(
    ticket_id: PathId,
    edit: EditBody,
    agent: Agent,
    tickets: TicketsPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> TicketView:
    return logic.edit_ticket(
        TicketId(ticket_id), edit, agent=agent, tickets=tickets, policies=policies, clock=clock
    )
