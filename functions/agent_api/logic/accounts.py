"""Our lines at the providers as the API shows them. What proves them stays in its secret."""

from pydantic import Field

from functions.agent_api.logic.paging import Listing
from shared.domain.account import Account
from shared.domain.model import Model
from shared.policies.reader import Policies


class AccountView(Model):
    """One line of accounts.yaml: what holds there, its own or everybody's."""

    provider: str
    account: str = Field(description="As it stands in touchpoints and endpoints.")
    name: str
    slug: str | None = Field(description="Null where it shares the provider's secret.")
    webhook_url: str = Field(description="Where the provider calls.")
    region: str = Field(description="The country of numbers without a country code.")
    language: str | None = Field(
        description="Where neither provider nor words tell; null: the templates' fallback."
    )
    calendar: str = Field(description="In which the clocks of a ticket opened here run.")
    queue: str | None = Field(description="Takes all that comes here; null: by what it is about.")


def list_accounts(*, policies: Policies, webhooks_url: str) -> Listing[AccountView]:
    return Listing(
        items=tuple(_view(one, policies, webhooks_url) for one in policies.accounts.root)
    )


def _view(account: Account, policies: Policies, webhooks_url: str) -> AccountView:
    return AccountView(
        provider=account.provider,
        account=account.account,
        name=account.name,
        slug=account.slug,
        webhook_url=f"{webhooks_url}{account.secret}",
        region=account.region or policies.identity.default_region,
        language=account.language,
        calendar=account.calendar or policies.sla.calendar,
        queue=account.queue,
    )
