"""Copying everything known of a person: page by page, then one archive."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from functions.privacy_requests.logic import document
from functions.privacy_requests.logic.document import LANGUAGES, SECTIONS
from functions.privacy_requests.logic.export import STEPS, make_export
from functions.privacy_requests.logic.steps import ROUNDS, Next, Ports
from shared.domain.errors import NotFound
from shared.domain.follow_up import SendReply
from shared.domain.model import FollowUpId, ProfileId, TouchpointId
from shared.domain.privacy import (
    Erasure,
    ErasureId,
    Export,
    ExportId,
    ExportState,
    Reason,
)
from shared.domain.sending import OutboundFile
from shared.domain.suppression import (
    Suppression,
    SuppressionKind,
    endpoint_subject,
    person_subject,
)
from shared.domain.touchpoint import Attachment, Message
from shared.events.catalogue import ErasureRequested, ExportReady, ExportRequested
from shared.ports.tickets import LogEntry
from tests import builders
from tests.builders import NOON, endpoint, profile_id
from tests.fake_privacy import FakePersonalData, FakePrivacyRequests
from tests.fakes import World
from tests.unit.privacy_requests.conftest import export_step
from tests.unit.privacy_requests.test_erasure import graph, known_profile

SCRIPT = "<script>alert(1)</script> & rien d'autre"


@pytest.fixture
def begun(requests: FakePrivacyRequests) -> Export:
    export = Export(
        export_id=ExportId("x1"),
        profile_ids=(profile_id(),),
        by="agent-7",
        language="fr",
        requested_at=NOON,
        expires_at=NOON + timedelta(days=7),
    )
    requests.begin_export(export, ExportRequested(export_id="x1"))
    return export


def run_to_its_end(ports: Ports) -> None:
    assert make_export(export_step("begin"), ports) is Next.ON
    while make_export(export_step("collect"), ports) is Next.AGAIN:
        pass
    assert make_export(export_step("assemble"), ports) is Next.ON


def archive(requests: FakePrivacyRequests) -> tuple[dict[str, Any], str, dict[str, bytes]]:
    """The document, the page, and all files."""
    files = requests.archives[ExportId("x1")]
    return json.loads(files["export.json"]), files["export.html"].decode(), files


@pytest.fixture
def known(world: World, data: FakePersonalData) -> None:
    """A person with a little of everything."""
    world.profiles.put(known_profile())
    world.profiles.put_graph(graph())
    picture = Attachment(name="casse.jpg", object_key="attachments/1/0")
    unread = Attachment(name="note.pdf", provider_reference="media-7")
    for number in range(30):
        content = Message(
            text=f"{SCRIPT} {number}", attachments=(picture, unread) if not number else ()
        )
        said = builders.touchpoint(content, key=f"w{number}", at=NOON + timedelta(minutes=number))
        world.ledger.record_sent(said, profile_id())
        data.raws[said.touchpoint_id] = b"\xff\x00" if number else b'{"text": "raw"}'
    nowhere = builders.touchpoint(key="w-none", endpoint=None)
    world.ledger.record_sent(nowhere, profile_id())
    data.files["attachments/1/0"] = b"JPEG"
    opened = LogEntry(at=NOON, what="opened", by="policy")
    world.tickets.put(builders.ticket(), opened)
    world.tickets.put_follow_up(builders.follow_up())
    stop = Suppression(kind=SuppressionKind.OPT_OUT, reason="STOP", by="word:stop", at=NOON)
    for subject in (endpoint_subject(endpoint()), person_subject(profile_id())):
        world.consents.tell(subject, stop)
    data.kept[profile_id()] = [
        {"pk": "p", "sk": "consent#1", "consent": {"purpose": "news", "state": "granted"}},
        {"pk": "p", "sk": "segment#vip", "since": "2026"},
        {"pk": "p", "sk": "record#order#4512", "record": {"status": "shipped"}},
        {"pk": "p", "sk": "suggestion#other", "suggestion": {}},
        {"pk": "p", "sk": "odd#thing", "what": 1},
        {"pk": "p", "sk": "learned", "language": "fr"},
    ]


def test_a_file_of_a_reply_that_never_left_is_in_it_too_and_each_once(
    ports: Ports,
    requests: FakePrivacyRequests,
    begun: Export,
    known: None,
    data: FakePersonalData,
    world: World,
) -> None:
    files = [OutboundFile(object_key=key) for key in ("attachments/1/0", "attachments/tickets/t/1")]
    said = SendReply(
        text="La voici.",
        files=(*files, OutboundFile(url="https://shop.example/a")),
        answers=TouchpointId("1"),
        agent="lea",
    )
    waiting = builders.follow_up(follow_up_id=FollowUpId("reply"), action=said)
    world.tickets.put_follow_up(waiting)
    data.files["attachments/tickets/t/1"] = b"PDF"
    run_to_its_end(ports)
    _, _, kept = archive(requests)
    assert kept["attachments/tickets/t/1"] == b"PDF"
    assert len(kept) == 4


def test_everything_is_in_the_document(
    ports: Ports, requests: FakePrivacyRequests, begun: Export, known: None, world: World
) -> None:
    run_to_its_end(ports)
    made, _, files = archive(requests)
    assert set(SECTIONS) <= set(made)
    assert (made["schema"], made["version"]) == ("passerelle/export", 1)
    assert len(made["touchpoints"]) == 31
    raws = [one["raw"] for one in made["touchpoints"]]
    assert '{"text": "raw"}' in raws
    assert {"base64": "/wA="} in raws
    assert [one["log"][0]["what"] for one in made["tickets"]] == ["opened"]
    assert [one["name"] for one in made["follow_ups"]] == ["still_working_on_it"]
    assert [one["consent"]["purpose"] for one in made["consents"]] == ["news"]
    assert [one["name"] for one in made["segments"]] == ["vip"]
    assert [one["name"] for one in made["records"]] == ["order#4512"]
    assert [one["kind"] for one in made["profile_items"]] == ["odd", "learned"]
    assert len(made["identity"]) == 1
    assert made["suggestions"] == []
    stops = {one["subject"]: list(one["suppressions"]) for one in made["suppressions"]}
    assert stops == {
        endpoint_subject(endpoint()): ["opt_out"],
        person_subject(profile_id()): ["opt_out"],
    }
    assert profile_id() in made["person"][0]["profile_ids"]
    assert files["attachments/1/0"] == b"JPEG"
    assert set(files) == {"export.json", "export.html", "attachments/1/0"}
    assert requests.exports[ExportId("x1")].state is ExportState.READY
    assert world.happened(ExportReady) == [ExportReady(export_id="x1")]


def test_words_stay_words_on_the_page(
    ports: Ports, requests: FakePrivacyRequests, begun: Export, known: None
) -> None:
    run_to_its_end(ports)
    _, page, _ = archive(requests)
    assert "<script" not in page
    read = ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
    assert f"{SCRIPT} 7" in "".join(read.itertext())
    assert '<html lang="fr">' in page
    assert "Chaque contact" in page


def test_a_language_we_do_not_speak_is_english(
    ports: Ports, requests: FakePrivacyRequests, begun: Export, known: None
) -> None:
    requests.save_export(begun.model_copy(update={"language": "wo"}))
    run_to_its_end(ports)
    assert '<html lang="en">' in archive(requests)[1]


def test_every_label_is_there_in_every_language() -> None:
    file = Path(document.__file__).parent / "labels.yaml"
    words = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert {f"section_{name}" for name in SECTIONS} <= set(words)
    assert all(set(said) == set(LANGUAGES) and all(said.values()) for said in words.values())


def test_of_nobody_the_document_is_empty(
    ports: Ports, requests: FakePrivacyRequests, begun: Export
) -> None:
    run_to_its_end(ports)
    made, _, _ = archive(requests)
    assert all(made[name] == [] for name in SECTIONS)


def test_all_profiles_of_a_person_are_looked_at(
    ports: Ports, requests: FakePrivacyRequests, data: FakePersonalData, begun: Export
) -> None:
    other = ProfileId("other")
    requests.save_export(begun.model_copy(update={"profile_ids": (profile_id(), other)}))
    data.kept[other] = [{"pk": "p", "sk": "segment#new"}]
    run_to_its_end(ports)
    made, _, _ = archive(requests)
    assert [one["profile_id"] for one in made["segments"]] == ["other"]


def test_a_long_history_takes_several_invocations(
    ports: Ports, requests: FakePrivacyRequests, begun: Export
) -> None:
    ids = tuple(ProfileId(str(number)) for number in range(ROUNDS))
    requests.save_export(begun.model_copy(update={"profile_ids": ids}))
    make_export(export_step("begin"), ports)
    assert make_export(export_step("collect"), ports) is Next.AGAIN
    assert make_export(export_step("collect"), ports) is Next.ON


def test_who_is_erased_meanwhile_leaves_no_copy(
    ports: Ports, requests: FakePrivacyRequests, begun: Export, known: None
) -> None:
    class ErasedMeanwhile(FakePersonalData):
        def items(self, profile_id: ProfileId) -> list[dict[str, Any]]:
            requests.exports.clear()
            return []

    make_export(export_step("begin"), ports)
    broken = ports._replace(data=ErasedMeanwhile(requests))
    assert make_export(export_step("collect"), broken) is Next.ENDED
    assert requests.kept_parts == {}
    assert all(make_export(export_step(name), ports) is Next.ENDED for name in STEPS)


def test_what_an_erasure_under_way_has_deleted_ends_the_export(
    ports: Ports, requests: FakePrivacyRequests, begun: Export, known: None
) -> None:
    make_export(export_step("begin"), ports)
    assert make_export(export_step("collect"), ports) is Next.ON
    requests.kept_parts.clear()
    with pytest.raises(NotFound):
        make_export(export_step("assemble"), ports)

    erasure = Erasure(
        erasure_id=ErasureId("e1"),
        profile_ids=begun.profile_ids,
        reason=Reason.OBJECTION,
        by="agent-7",
        requested_at=NOON,
        touched_at=NOON,
    )
    requests.begin_erasure(erasure, ErasureRequested(erasure_id="e1"))
    assert make_export(export_step("assemble"), ports) is Next.ENDED
    assert requests.archives == {}
    assert requests.exports[ExportId("x1")].state is ExportState.RUNNING


def test_a_repeated_event_and_a_new_attempt(
    ports: Ports, requests: FakePrivacyRequests, begun: Export
) -> None:
    make_export(export_step("begin"), ports)
    assert make_export(export_step("begin", run="run-2"), ports) is Next.ENDED
    make_export(export_step("give_up"), ports)
    assert requests.exports[ExportId("x1")].state is ExportState.FAILED
    assert make_export(export_step("begin", run="run-3", attempt=2), ports) is Next.ON
