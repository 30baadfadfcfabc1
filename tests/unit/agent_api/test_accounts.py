"""Whoever sets up a provider reads where it must call, and what holds at each line."""

from functions.agent_api import ports
from shared.domain.account import Account, Accounts
from tests.builders import policies
from tests.unit.agent_api.client import Client

MILANO = Account(
    provider="whatsapp_cloud",
    account="39",
    name="Milano",
    slug="milano",
    region="IT",
    language="it",
    calendar="milano",
    queue="italy",
)


def test_each_line_says_where_it_is_called_and_what_holds_there(client: Client) -> None:
    lines = Accounts((MILANO, Account(provider="twilio", account="+33755500000")))
    client.override(ports.policies, policies()._replace(accounts=lines))
    milano, plain = client.get("/v1/accounts").body["items"]
    assert milano == {
        "provider": "whatsapp_cloud",
        "account": "39",
        "name": "Milano",
        "slug": "milano",
        "webhook_url": "https://shop.example/webhooks/whatsapp_cloud/milano",
        "region": "IT",
        "language": "it",
        "calendar": "milano",
        "queue": "italy",
    }
    assert plain["webhook_url"] == "https://shop.example/webhooks/twilio"
    assert (plain["region"], plain["calendar"]) == ("FR", "support")
    assert (plain["slug"], plain["language"], plain["queue"]) == (None, None, None)


def test_where_none_is_listed_there_is_none(client: Client) -> None:
    assert client.get("/v1/accounts").body["items"] == []
