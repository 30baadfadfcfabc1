"""An account proves itself by its own secret, and a secret is rotated while messages come, over
HTTP.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.clients.base import Call, find_client
from infra.local.cloud import LocalCloud
from infra.local.provision import client
from tests.journeys.webhooks import sms

PROVIDERS = "passerelle/twilio"
MILANO = "passerelle/twilio/milano"
KEPT = timedelta(seconds=300)
"""How long a function remembers a secret."""


@pytest.fixture
def cloud(template: dict[str, Any]) -> Iterator[LocalCloud]:
    slugs = {"webhook_intake": {"ACCOUNT_SECRETS": json.dumps(["twilio/milano"])}}
    with LocalCloud(template, pace=0.01, variables=slugs) as alive:
        yield alive


def signed_with(cloud: LocalCloud, token: str, *, key: str, path: str = "") -> Call:
    """An SMS as Twilio sends it with this token."""
    plain = sms(cloud, "Dov'è il mio ordine?", phone="+393312345678", key=key)
    call = Call(
        method="POST",
        url=f"{cloud.url}/webhooks/twilio{path}",
        headers={"content-type": plain.headers["content-type"]},
        body=plain.body,
    )
    secret = {**cloud.secrets["twilio"], "auth_tokens": [token]}
    return find_client("twilio").sign(call, secret, datetime.now(UTC))


def put(cloud: LocalCloud, name: str, *tokens: str) -> None:
    content = json.dumps({**cloud.secrets["twilio"], "auth_tokens": list(tokens)})
    manager = client("secretsmanager")
    try:
        manager.put_secret_value(SecretId=name, SecretString=content)
    except manager.exceptions.ResourceNotFoundException:
        manager.create_secret(Name=name, SecretString=content)


def status(cloud: LocalCloud, token: str, *, key: str, path: str = "") -> int:
    return cloud.receive(signed_with(cloud, token, key=key, path=path)).status


def test_two_are_valid_while_one_replaces_the_other(cloud: LocalCloud) -> None:
    put(cloud, PROVIDERS, "old")
    assert status(cloud, "old", key="1") == 200
    put(cloud, PROVIDERS, "new", "old")
    # Until the function looks again it knows only the old one: Twilio gets the new one after that.
    assert status(cloud, "new", key="2") == 401
    cloud.advance(KEPT)
    assert [status(cloud, one, key=one) for one in ("new", "old")] == [200, 200]
    put(cloud, PROVIDERS, "new")
    assert status(cloud, "old", key="3") == 200
    cloud.advance(KEPT)
    assert status(cloud, "old", key="4") == 401
    assert status(cloud, "new", key="5") == 200
    cloud.settle()
    assert cloud.stories.balance()["received"] == 5


def test_an_account_has_a_secret_and_a_url_of_its_own(cloud: LocalCloud) -> None:
    assert status(cloud, "of-milano", key="1", path="/milano") == 503
    put(cloud, MILANO, "of-milano")
    put(cloud, PROVIDERS, "of-all")
    cloud.advance(KEPT)
    assert status(cloud, "of-milano", key="2", path="/milano") == 200
    assert status(cloud, "of-all", key="3", path="/milano") == 401
    assert status(cloud, "of-milano", key="4") == 401
    assert status(cloud, "of-all", key="5") == 200


def test_what_is_no_account_is_a_path_of_the_provider(cloud: LocalCloud) -> None:
    put(cloud, PROVIDERS, "of-all")
    put(cloud, "passerelle/twilio/roma", "of-roma")
    assert status(cloud, "of-roma", key="1", path="/roma") == 401
    assert status(cloud, "of-all", key="2", path="/roma") == 200
    session = cloud.signed("web_chat", "{}", {"content-type": "application/json"}, path="/sessions")
    assert cloud.receive(session).status == 200
