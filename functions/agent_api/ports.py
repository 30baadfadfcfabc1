"""The ports a route may ask for. Each is made when a request first needs it."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends

from shared.domain.errors import Forbidden
from shared.policies.reader import Policies, read_policies
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger, MediaFiles
from shared.ports.privacy import PrivacyRequests
from shared.ports.profiles import IdentifierForms, ProfileStore
from shared.ports.providers import Clock, FileType, Secrets
from shared.ports.segments import SegmentStore
from shared.ports.tickets import TicketStore
from shared.ports.understanding import AiUses
from shared.ports.webhooks import EventRules, Webhooks
from shared.runtime import wiring
from shared.runtime.settings import ADMINISTRATORS, AgentApiSettings


def ledger() -> Ledger:
    return wiring.ledger(AgentApiSettings.read())


def media_files() -> MediaFiles:
    return wiring.media_files(AgentApiSettings.read())


def profiles() -> ProfileStore:
    return wiring.profiles(AgentApiSettings.read())


def consents() -> ConsentStore:
    return wiring.consents(AgentApiSettings.read())


def secrets() -> Secrets:
    """Of all there are, this function may read only those that sign links and webhooks."""
    return wiring.secrets(AgentApiSettings.read())


def preferences_url() -> str:
    return AgentApiSettings.read().preferences_url


def webhooks_url() -> str:
    return AgentApiSettings.read().webhooks_url


def segments() -> SegmentStore:
    return wiring.segments(AgentApiSettings.read())


def privacy_requests() -> PrivacyRequests:
    return wiring.privacy_requests(AgentApiSettings.read())


def ai_uses() -> AiUses:
    return wiring.ai_uses(AgentApiSettings.read())


def webhooks() -> Webhooks:
    return wiring.webhooks(AgentApiSettings.read())


def event_rules() -> EventRules:
    return wiring.event_rules(AgentApiSettings.read())


def loopback_webhooks() -> bool:
    return bool(AgentApiSettings.read().loopback_webhooks)


def tickets() -> TicketStore:
    return wiring.tickets(AgentApiSettings.read())


def policies() -> Policies:
    """Of its own, since each parameter of a dependency becomes one of the query string."""
    return read_policies()


def _claims(request: Request) -> dict[str, Any]:
    """Of the token, which the gateway verified and `door` found to be there."""
    claims: dict[str, Any] = request.resolved_event["requestContext"]["authorizer"]["jwt"]["claims"]
    return claims


def agent(request: Request) -> str:
    """The subject of the token."""
    return str(_claims(request)["sub"])


def caller_is_machine(request: Request) -> bool:
    """Whether nobody signed in for this token: its subject is the client itself, as the grant of
    client credentials makes it (RFC 9068, section 2.2; Amazon Cognito does).
    """
    claims = _claims(request)
    return bool(claims["sub"] == claims.get("client_id"))


def person(request: Request) -> str:
    """The subject of the token of somebody who signed in. Raises Forbidden for a machine's: it
    neither corrects what machines said nor lifts what people stopped.
    """
    if caller_is_machine(request):
        raise Forbidden("only a person may do this: this token is a client's own")
    return agent(request)


def administrator(request: Request) -> str:
    """The subject of the token of a person who is in the group of administrators. Raises Forbidden.

    The gateway hands a list over as `[one two]`, and no name of a group holds a blank.
    """
    subject = person(request)
    if ADMINISTRATORS not in str(_claims(request).get("cognito:groups", "")).strip("[]").split():
        raise Forbidden(f"only a member of the group {ADMINISTRATORS} may do this")
    return subject


LedgerPort = Annotated[Ledger, Depends(ledger)]
MediaFilesPort = Annotated[MediaFiles, Depends(media_files)]
FileTypePort = Annotated[FileType, Depends(wiring.file_type)]
ProfilesPort = Annotated[ProfileStore, Depends(profiles)]
ConsentsPort = Annotated[ConsentStore, Depends(consents)]
SecretsPort = Annotated[Secrets, Depends(secrets)]
PreferencesUrl = Annotated[str, Depends(preferences_url)]
WebhooksUrl = Annotated[str, Depends(webhooks_url)]
SegmentsPort = Annotated[SegmentStore, Depends(segments)]
PrivacyPort = Annotated[PrivacyRequests, Depends(privacy_requests)]
AiUsesPort = Annotated[AiUses, Depends(ai_uses)]
WebhooksPort = Annotated[Webhooks, Depends(webhooks)]
EventRulesPort = Annotated[EventRules, Depends(event_rules)]
LoopbackWebhooks = Annotated[bool, Depends(loopback_webhooks)]
TicketsPort = Annotated[TicketStore, Depends(tickets)]
IdentifierFormsPort = Annotated[IdentifierForms, Depends(wiring.identifier_forms)]
ClockPort = Annotated[Clock, Depends(wiring.clock)]
CompanyPolicies = Annotated[Policies, Depends(policies)]
Agent = Annotated[str, Depends(agent)]
Person = Annotated[str, Depends(person)]
Administrator = Annotated[str, Depends(administrator)]
CallerIsMachine = Annotated[bool, Depends(caller_is_machine)]
