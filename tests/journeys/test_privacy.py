"""A person asks for their data, then to be forgotten: nothing of them is found in any store.

Searched by value: their phone, mail, name, words and order number, in every item of every table
(what is compressed in it unpacked), every file, schedule, queue, event and line of the log.
"""

import io
import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from threading import Lock
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from infra.local import provision
from infra.local.cloud import LocalCloud
from infra.local.wire import calling_function
from tests.journeys.agent import Agent
from tests.journeys.webhooks import segment_batch, sms, told, whatsapp

PHONE, MAIL, NAME = "+33612345678", "lea@example.com", "Moreau-Duval"
ORDER, WORDS = "ORDER-880412", "inadmissible, je veux un remboursement"
SCRIPT = "<script>alert('bonjour')</script> & où est-elle ?"
OTHER_PHONE, OTHER_WORDS = "+33699999999", "Bonjour, le catalogue de printemps est-il sorti ?"
SOUGHT = (PHONE.lstrip("+"), MAIL, NAME, ORDER, WORDS, "alert('bonjour')", "alert(")
PROFILE = "profiles?identifier="


def live(cloud: LocalCloud) -> None:
    """What Léa and another person did, on several channels."""
    now = cloud.clock.now()
    said = f"Bonjour, ma commande {ORDER} n'est toujours pas là, c'est {WORDS}"
    cloud.receive(whatsapp(cloud, said, phone=PHONE, key="lea-1", at=now))
    cloud.receive(whatsapp(cloud, SCRIPT, phone=PHONE, key="lea-2", at=now))
    cloud.receive(sms(cloud, f"Toujours rien pour {ORDER} ?", phone=PHONE, key="31"))
    customer = {"customer": {"phone": PHONE, "email": MAIL, "customer_number": "C-4711882"}}
    bought = {"number": ORDER, "total": "64.80", "currency": "EUR", **customer}
    cloud.receive(told(cloud, "purchase.completed", bought, key="till-1", at=now, source="till"))
    traits = {"email": MAIL, "lastName": NAME, "plan": "gold"}
    identify = {"type": "identify", "userId": "u-lea-77", "messageId": "i-1", "traits": traits}
    cloud.receive(segment_batch(cloud, [identify | {"timestamp": now.isoformat()}]))
    cloud.receive(whatsapp(cloud, OTHER_WORDS, phone=OTHER_PHONE, key="other-1", at=now))
    cloud.settle()
    # A request that nobody can read, with her number in it; and one without.
    for key, form in (("broken-1", PHONE), ("broken-2", OTHER_PHONE)):
        unreadable(cloud, key, form)
    cloud.settle()


def unreadable(cloud: LocalCloud, key: str, phone: str) -> None:
    headers = {"content-type": "application/json", "webhook-id": key}
    body = json.dumps({"type": "purchase.completed", "data": {"customer": {"phone": phone}}})
    answer = cloud.receive(cloud.signed("standard_webhooks", body, headers, path="/till"))
    assert answer.status == 200, answer.body


def unpacked(value: Any) -> Iterator[str]:
    """Every text of an attribute, whatever it is wrapped in."""
    match value:
        case bytes():
            try:
                text = zlib.decompress(value).decode("utf-8", "replace")
            except zlib.error:
                text = value.decode("utf-8", "replace")
            yield text
            # The body of a quarantined request, which may be anything, is kept in Base64.
            for body in re.findall(r'"body": "([A-Za-z0-9+/=]+)"', text):
                yield b64decode(body).decode("utf-8", "replace")
        case str():
            yield value
        case dict():
            for name, inner in value.items():
                yield from unpacked(name)
                yield from unpacked(inner)
        case list():
            for inner in value:
                yield from unpacked(inner)


def everything(cloud: LocalCloud) -> Iterator[tuple[str, str]]:
    """Where it stands, and a text that stands there."""
    dynamodb, s3, sqs = (provision.client(name) for name in ("dynamodb", "s3", "sqs"))
    for table in cloud.made.tables:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                for text in unpacked(item):
                    yield f"table {table}", text
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for one in page.get("Contents", []):
                yield "bucket", one["Key"]
                body = s3.get_object(Bucket=bucket["Name"], Key=one["Key"])["Body"].read()
                yield f"file {one['Key']}", body.decode("utf-8", "replace")
    for due in cloud.timers.waiting():
        yield "schedule", json.dumps([due.name, due.input])
    for queue in cloud.made.queues.values():
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            yield f"queue {queue}", message["Body"]
    for letter in cloud.dead_letters:
        yield "dead letter", json.dumps(letter.message, ensure_ascii=False)
    for event in list(cloud.events):
        yield "archive of the bus", json.dumps(event, ensure_ascii=False)
    for ended in cloud.failed_journeys:
        yield "history", json.dumps([ended.input, ended.error, ended.cause], ensure_ascii=False)
    for line in cloud.logs.lines():
        yield "log", line


def traces(cloud: LocalCloud, *sought: str) -> list[tuple[str, str]]:
    """Where any of these still stands."""
    with cloud.wire.lock:
        return [(place, one) for place, text in everything(cloud) for one in sought if one in text]


def others(cloud: LocalCloud) -> list[str]:
    """All that is kept in the tables and names the other person."""
    with cloud.wire.lock:
        return sorted(
            text
            for place, text in everything(cloud)
            if place.startswith("table") and OTHER_PHONE.lstrip("+") in text
        )


def lea(agent: Agent) -> dict[str, Any]:
    """Her profile, after an agent decided that all these are her."""
    while True:
        found = [
            one
            for identifier in (f"phone:{PHONE}", f"email:{MAIL}")
            for one in agent.get(f"/v1/profiles?identifier={quote(identifier)}")["items"]
        ]
        ids = sorted({one["profile_id"] for one in found})
        if len(ids) == 1:
            return dict(found[0])
        status, _ = agent.send("POST", "/v1/merges", profile_ids=ids[:2], reason="on the phone")
        assert status == 200


def ask(agent: Agent, profile_id: str) -> tuple[int, dict[str, Any]]:
    path = f"/v1/profiles/{profile_id}/erasures"
    return agent.send("POST", path, reason="consent_withdrawn", confirm=profile_id)


@pytest.fixture
def alive(template: dict[str, Any]) -> Iterator[LocalCloud]:
    """Six minutes between two passes, in a moment."""
    with LocalCloud(template, pace=0.0005) as cloud:
        live(cloud)
        yield cloud


def archive(cloud: LocalCloud, export_id: str) -> ZipFile:
    (bucket,) = provision.client("s3").list_buckets()["Buckets"]
    key = f"exports/{export_id}/export.zip"
    with cloud.wire.lock:
        found = provision.client("s3").get_object(Bucket=bucket["Name"], Key=key)["Body"].read()
    return ZipFile(io.BytesIO(found))


def fetched(cloud: LocalCloud, url: str) -> ZipFile:
    """What the link that an agent got leads to; only its signature opens it."""
    assert url.startswith(f"{cloud.url}/_local/files/")
    link = url.removeprefix(cloud.url)
    assert cloud.get(link.partition("?")[0]).status == 403
    answer = cloud.get(link)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    return ZipFile(io.BytesIO(answer.body))


def test_an_export_holds_everything_and_words_stay_words(alive: LocalCloud) -> None:
    agent = Agent(alive)
    profile = lea(agent)
    status, asked = agent.send(
        "POST", f"/v1/profiles/{profile['profile_id']}/exports", language="it"
    )
    assert (status, asked["state"], asked["url"]) == (202, "running", None)
    alive.settle()
    ready = agent.get(f"/v1/exports/{asked['export_id']}")
    assert ready["state"] == "ready"
    assert "X-Amz-Expires=300" in ready["url"]

    files = fetched(alive, ready["url"])
    document = json.loads(files.read("export.json"))
    assert (document["schema"], document["version"]) == ("passerelle/export", 1)
    seen = {one["touchpoint_id"]: one for one in document["touchpoints"]}
    timeline = agent.get(f"/v1/profiles/{profile['profile_id']}/timeline?limit=100")["items"]
    assert set(seen) == {one["touchpoint_id"] for one in timeline}
    assert len(seen) >= 4
    assert all(one["raw"] for one in seen.values())
    tickets = agent.get(f"/v1/tickets?profile={profile['profile_id']}")["items"]
    assert {one["ticket_id"] for one in document["tickets"]} == {t["ticket_id"] for t in tickets}
    assert all(one["log"] for one in document["tickets"])
    assert document["follow_ups"]
    (person,) = document["person"]
    assert person["profile_id"] == profile["profile_id"]
    assert OTHER_WORDS not in files.read("export.json").decode()

    page = files.read("export.html").decode()
    assert '<html lang="it">' in page
    assert "Ogni contatto" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;bonjour&#39;)&lt;/script&gt; &amp; où est-elle ?" in page
    text = page.replace("<!DOCTYPE html>", "")
    assert SCRIPT in "".join(ElementTree.fromstring(text).itertext())

    alive.advance(timedelta(days=8, hours=1))
    status, gone = agent.send("GET", f"/v1/exports/{asked['export_id']}")
    assert (status, gone["status"]) == (404, 404)
    with pytest.raises(provision.client("s3").exceptions.NoSuchKey):
        archive(alive, asked["export_id"])


def test_who_is_erased_is_found_nowhere(alive: LocalCloud) -> None:
    agent = Agent(alive)
    profile_id = lea(agent)["profile_id"]
    agent.send("POST", f"/v1/profiles/{profile_id}/exports")
    alive.settle()
    for sought in SOUGHT:
        assert traces(alive, sought), "what is not there cannot be erased"
    neighbours = others(alive)
    assert neighbours

    status, wrong = agent.send(
        "POST", f"/v1/profiles/{profile_id}/erasures", reason="objection", confirm="another"
    )
    assert (status, wrong["errors"][0]["field"]) == (400, "confirm")
    status, asked = ask(agent, profile_id)
    assert (status, asked["state"]) == (202, "running")
    status, same = ask(agent, profile_id)
    assert (status, same["erasure_id"]) == (202, asked["erasure_id"])
    alive.settle()

    done = agent.get(f"/v1/erasures/{asked['erasure_id']}")
    assert done["state"] == "done", done
    assert done["counts"]["touchpoints"] >= 4
    assert done["counts"]["quarantined"] == 1
    assert done["proof"]["subjects"]
    assert traces(alive, *SOUGHT) == []
    assert others(alive) == neighbours
    assert agent.profile(OTHER_PHONE)
    status, told_so = ask(agent, profile_id)
    assert (status, told_so["detail"]) == (409, "this profile was erased")

    # Nothing comes back by itself, whatever was promised or is sent again.
    alive.advance(timedelta(days=4))
    assert traces(alive, *SOUGHT) == []
    proof = json.dumps(done["proof"])
    assert profile_id not in proof

    later = alive.clock.now()
    alive.receive(whatsapp(alive, "Bonjour, encore moi", phone=PHONE, key="lea-9", at=later))
    alive.settle()
    fresh = agent.profile()["profile_id"]
    assert len(agent.get(f"/v1/profiles/{fresh}/timeline")["items"]) == 1


def test_who_is_tied_to_them_stays_who_they_are(alive: LocalCloud) -> None:
    """Somebody else gave her number at the till: one identity graph, two people."""
    agent, now = Agent(alive), alive.clock.now()
    customer = {"customer": {"customer_number": "C-9990001", "phone": PHONE}}
    bought = {"number": "ORDER-5", "total": "5.00", "currency": "EUR", **customer}
    alive.receive(told(alive, "purchase.completed", bought, key="till-9", at=now, source="till"))
    alive.settle()
    people = agent.get(f"/v1/profiles?identifier={quote(f'phone:{PHONE}')}")["items"]
    hers = next(one for one in people if one["identifiers"][0]["value"] == PHONE)
    (his,) = (one for one in people if any(i["value"] == "C-9990001" for i in one["identifiers"]))
    _, asked = ask(agent, hers["profile_id"])
    alive.settle()
    assert agent.get(f"/v1/erasures/{asked['erasure_id']}")["state"] == "done"
    after = agent.get(f"/v1/profiles/{his['profile_id']}")
    assert after["contacts"] == his["contacts"]
    assert after["stated_identifiers"] == []
    timeline = agent.get(f"/v1/profiles/{his['profile_id']}/timeline")["items"]
    assert [one["content"]["number"] for one in timeline] == ["ORDER-5"]
    status, _ = agent.send("GET", f"/v1/profiles/{hers['profile_id']}")
    assert status == 404


@contextmanager
def failing(cloud: LocalCloud, which: Callable[[int], bool], when: str) -> Iterator[list[str]]:
    """The n-th call that `privacy_requests` makes fails, for those n of which `which` says so."""
    lock, seen, failed = Lock(), [0], list[str]()

    def interfere(service: str, operation: str, moment: str) -> None:
        if calling_function.get() != "passerelle-privacy_requests" or moment != when:
            return
        with lock:
            seen[0] += 1
            hit = which(seen[0])
        if hit:
            failed.append(operation)
            raise ConnectionError(f"{operation} failed {moment} it was done")

    cloud.wire.interfere = interfere
    try:
        yield failed
    finally:
        cloud.wire.interfere = None


@pytest.mark.parametrize(("when", "seed"), [("before", 1), ("after", 2), ("after", 3)])
def test_whatever_call_fails_the_end_is_the_same(alive: LocalCloud, when: str, seed: int) -> None:
    agent, chance = Agent(alive), Random(seed)
    profile_id = lea(agent)["profile_id"]
    neighbours = others(alive)
    with failing(alive, lambda _: chance.random() < 0.08, when) as failed:
        _, asked = ask(agent, profile_id)
        alive.settle()
    assert len(set(failed)) >= 4
    if agent.get(f"/v1/erasures/{asked['erasure_id']}")["state"] == "failed":
        ask(agent, profile_id)
        alive.settle()
    done = agent.get(f"/v1/erasures/{asked['erasure_id']}")
    assert done["state"] == "done"
    assert (done["counts"]["quarantined"], done["counts"]["touchpoints"]) == (1, 5)
    assert traces(alive, *SOUGHT) == []
    assert others(alive) == neighbours


def test_an_erasure_that_gave_up_goes_on_when_asked_again(alive: LocalCloud) -> None:
    agent = Agent(alive)
    profile_id = lea(agent)["profile_id"]
    with failing(alive, lambda number: 20 <= number < 60, "before"):
        _, asked = ask(agent, profile_id)
        alive.settle()
    stuck = agent.get(f"/v1/erasures/{asked['erasure_id']}")
    assert stuck["state"] in {"failed", "running"}
    if stuck["state"] == "running":
        alive.advance(timedelta(hours=2))
    status, again = ask(agent, profile_id)
    assert (status, again["erasure_id"]) == (202, asked["erasure_id"])
    alive.settle()
    assert agent.get(f"/v1/erasures/{asked['erasure_id']}")["state"] == "done"
    assert traces(alive, *SOUGHT) == []


def test_a_correction_wins_and_history_stays(alive: LocalCloud) -> None:
    agent = Agent(alive)
    profile_id = lea(agent)["profile_id"]
    status, done = agent.send("PATCH", f"/v1/profiles/{profile_id}", traits={"name": "Léa Diallo"})
    assert (status, done["profile_id"]) == (202, profile_id)
    alive.settle()
    assert lea(agent)["traits"]["name"]["value"] == "Léa Diallo"
    timeline = agent.get(f"/v1/profiles/{profile_id}/timeline")["items"]
    assert timeline[0]["touchpoint_id"] == done["touchpoint_id"]
    assert (timeline[0]["provider"], timeline[0]["direction"]) == ("passerelle", "passive")
    found = agent.get(f"/v1/{PROFILE}{quote(f'phone:{PHONE}')}")["items"]
    assert [one["profile_id"] for one in found] == [profile_id]


def test_what_has_had_its_time_is_deleted(alive: LocalCloud) -> None:
    """Quarantined after 90 days, what was only seen after 13 months, words after three years."""
    agent = Agent(alive)
    alive.advance(timedelta(days=91))
    with alive.wire.lock:
        places = {place for place, text in everything(alive) if text == "quarantined"}
    assert places == set()
    assert traces(alive, WORDS)
    alive.advance(timedelta(days=3 * 365))
    assert traces(alive, WORDS, OTHER_WORDS) == []
    path = f"/v1/profiles/{lea(agent)['profile_id']}/timeline"
    assert [one["content"]["kind"] for one in agent.get(path)["items"]] == ["purchase"]
    alive.advance(timedelta(days=2 * 365))
    assert agent.get(path)["items"] == []
