"""/v1/accounts"""

from aws_lambda_powertools.event_handler.api_gateway import Router

from functions.agent_api.logic import accounts as logic
from functions.agent_api.logic.accounts import AccountView
from functions.agent_api.logic.paging import Listing
from functions.agent_api.ports import CompanyPolicies, WebhooksUrl

router = Router()
TAGS = ["accounts"]


@router.get(
    "/v1/accounts",
    tags=TAGS,
    operation_id="list_accounts",
    summary="Our lines at the providers: where each is called, and what holds there",
)
def list_accounts(policies: CompanyPolicies, webhooks_url: WebhooksUrl) -> Listing[AccountView]:
    return logic.list_accounts(policies=policies, webhooks_url=webhooks_url)
