"""/v1/ai-uses"""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from functions.agent_api.logic import ai_uses as logic
from functions.agent_api.logic.ai_uses import AiUseView, SwitchChange
from functions.agent_api.logic.paging import Listing
from functions.agent_api.ports import AiUsesPort, ClockPort, CompanyPolicies, Person

router = Router()
TAGS = ["ai-uses"]

AiUsePath = Annotated[str, Path(max_length=50)]
SwitchBody = Annotated[
    SwitchChange,
    Body(
        openapi_examples={
            "off": {"value": {"on": False, "reason": "it calls every refund a complaint"}},
            "on": {"value": {"on": True, "reason": "the model was replaced"}},
        }
    ),
]


@router.get(
    "/v1/ai-uses",
    tags=TAGS,
    operation_id="list_ai_uses",
    summary="The register: every use of AI, what is promised of it and how it stands now",
)
def list_ai_uses(
    policies: CompanyPolicies, ai_uses: AiUsesPort, clock: ClockPort
) -> Listing[AiUseView]:
    return logic.list_ai_uses(register=policies.ai_register, ai_uses=ai_uses, now=clock.now())


@router.get(
    "/v1/ai-uses/<ai_use>",
    tags=TAGS,
    operation_id="read_ai_use",
    summary="One use of AI",
)
def read_ai_use(
    ai_use: AiUsePath, policies: CompanyPolicies, ai_uses: AiUsesPort, clock: ClockPort
) -> AiUseView:
    return logic.read_ai_use(
        ai_use, register=policies.ai_register, ai_uses=ai_uses, now=clock.now()
    )


@router.put(
    "/v1/ai-uses/<ai_use>/switch",
    tags=TAGS,
    operation_id="switch_ai_use",
    summary="Switch a use of AI off, or on again; it holds from the next message on",
)
def switch_ai_use(
    ai_use: AiUsePath,
    body: SwitchBody,
    policies: CompanyPolicies,
    ai_uses: AiUsesPort,
    clock: ClockPort,
    person: Person,
) -> AiUseView:
    return logic.switch_ai_use(
        ai_use,
        body,
        register=policies.ai_register,
        ai_uses=ai_uses,
        by=person,
        now=clock.now(),
    )
