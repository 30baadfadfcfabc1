"""/v1/profiles/{id}/consents, /suppressions and /preference-links."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.agent_api.logic import consents as logic
from functions.agent_api.logic.consents import (
    ConsentsView,
    NewConsent,
    NewSuppression,
    PreferenceLink,
    SuppressionView,
)
from functions.agent_api.logic.paging import Listing
from functions.agent_api.parameters import PathId
from functions.agent_api.ports import (
    Agent,
    ClockPort,
    CompanyPolicies,
    ConsentsPort,
    LedgerPort,
    PreferencesUrl,
    ProfilesPort,
    SecretsPort,
)
from shared.domain.model import ProfileId
from shared.domain.suppression import SuppressionKind

router = Router()
TAGS = ["consents"]

ConsentBody = Annotated[
    NewConsent,
    Body(
        openapi_examples={
            "on the phone": {
                "value": {
                    "purpose": "marketing",
                    "channel": "sms",
                    "state": "granted",
                    "proof": "said yes on the phone, call CA1234",
                }
            },
            "everywhere": {"value": {"purpose": "marketing", "state": "withdrawn"}},
        }
    ),
]
SuppressionBody = Annotated[
    NewSuppression,
    Body(
        openapi_examples={
            "by a court": {"value": {"on": "person", "kind": "legal", "reason": "injunction 22/14"}}
        }
    ),
]
SuppressionId = Annotated[str, Path(max_length=64, pattern=r"^(person|[0-9a-f]{64})$")]
Kind = Annotated[SuppressionKind, Query(description="Which of its stops is lifted.")]
Reason = Annotated[str, Query(min_length=1, max_length=200, description="Why, in plain words.")]


@router.get(
    "/v1/profiles/<profile_id>/consents",
    tags=TAGS,
    operation_id="read_consents",
    summary="What a person allowed and forbade: what stands, and every statement",
)
def read_consents(
    profile_id: PathId,
    profiles: ProfilesPort,
    consents: ConsentsPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> ConsentsView:
    return logic.read_consents(
        ProfileId(profile_id),
        profiles=profiles,
        consents=consents,
        policy=policies.consent,
        clock=clock,
    )


@router.post(
    "/v1/profiles/<profile_id>/consents",
    tags=TAGS,
    operation_id="state_consent",
    summary="Keep what a person allowed or forbade",
    status_code=HTTPStatus.CREATED,
)
def state_consent(
    profile_id: PathId,
    consent: ConsentBody,
    agent: Agent,
    profiles: ProfilesPort,
    consents: ConsentsPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> ConsentsView:
    return logic.state_consent(
        ProfileId(profile_id),
        consent,
        agent=agent,
        profiles=profiles,
        consents=consents,
        policy=policies.consent,
        clock=clock,
    )


@router.get(
    "/v1/profiles/<profile_id>/suppressions",
    tags=TAGS,
    operation_id="read_suppressions",
    summary="What stops messages to a person, and what stopped them before",
)
def read_suppressions(
    profile_id: PathId, profiles: ProfilesPort, consents: ConsentsPort, ledger: LedgerPort
) -> Listing[SuppressionView]:
    found = logic.read_suppressions(
        ProfileId(profile_id), profiles=profiles, consents=consents, ledger=ledger
    )
    return Listing(items=found)


@router.post(
    "/v1/profiles/<profile_id>/suppressions",
    tags=TAGS,
    operation_id="suppress",
    summary="Stop messages to an endpoint, an address or a person",
    status_code=HTTPStatus.CREATED,
)
def suppress(
    profile_id: PathId,
    suppression: SuppressionBody,
    agent: Agent,
    profiles: ProfilesPort,
    consents: ConsentsPort,
    clock: ClockPort,
) -> SuppressionView:
    return logic.suppress(
        ProfileId(profile_id),
        suppression,
        agent=agent,
        profiles=profiles,
        consents=consents,
        clock=clock,
    )


@router.delete(
    "/v1/profiles/<profile_id>/suppressions/<suppression_id>",
    tags=TAGS,
    operation_id="lift_suppression",
    summary="Let messages through again",
)
def lift_suppression(
    profile_id: PathId,
    suppression_id: SuppressionId,
    kind: Kind,
    reason: Reason,
    agent: Agent,
    profiles: ProfilesPort,
    consents: ConsentsPort,
    ledger: LedgerPort,
    clock: ClockPort,
) -> SuppressionView:
    return logic.lift(
        ProfileId(profile_id),
        suppression_id,
        kind,
        reason,
        agent=agent,
        profiles=profiles,
        consents=consents,
        ledger=ledger,
        clock=clock,
    )


@router.post(
    "/v1/profiles/<profile_id>/preference-links",
    tags=TAGS,
    operation_id="make_preference_link",
    summary="A link by which the person reads and changes their preferences",
    status_code=HTTPStatus.CREATED,
)
def make_preference_link(
    profile_id: PathId,
    base: PreferencesUrl,
    profiles: ProfilesPort,
    secrets: SecretsPort,
    policies: CompanyPolicies,
    clock: ClockPort,
) -> PreferenceLink:
    return logic.make_link(
        ProfileId(profile_id),
        base=base,
        profiles=profiles,
        secrets=secrets,
        policy=policies.consent,
        clock=clock,
    )
