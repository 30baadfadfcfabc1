"""A file is fetched once, looked at, kept or refused with a reason; nothing is lost in between."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from functions.media_fetching.logic import Ports, fetch_media
from shared.domain.account import Account, Accounts
from shared.domain.errors import (
    Contention,
    MalformedPayload,
    MediumElsewhere,
    MediumTooLarge,
    MediumUnauthorized,
    MediumUnreachable,
)
from shared.domain.journey import MediaRequest
from shared.domain.media import Media, Medium, MediumState, attachments_of, medium_name
from shared.domain.model import TouchpointId
from shared.domain.touchpoint import Attachment, Call, Channel, Direction, Message, Touchpoint
from shared.events.catalogue import MediaReceived, MediaStored, TouchpointReceived
from shared.providers.base import File, HttpRequest, HttpResponse, Observed, Provider, Secret
from tests.builders import WHATSAPP_LINE, observed, policies, touchpoint
from tests.fakes import World

PNG, PDF, PROGRAM = b"\x89PNG picture", b"%PDF-1.7 bill", b"MZ program"
TYPES = {PNG: "image/png", PDF: "application/pdf", PROGRAM: "application/x-msdownload"}
STORED, REFUSED, GONE = MediumState.STORED, MediumState.REFUSED, MediumState.GONE
Answer = bytes | int | Exception


class Key(Secret):
    token: str


class Keeper(Provider[Key]):
    """An answer that begins with `at:` tells where the file lies."""

    name = "whatsapp_cloud"
    secret_type = Key
    media_hosts = ("files.example",)

    def media(self, attachment: Attachment, secret: Key) -> HttpRequest | None:
        reference = attachment.provider_reference or ""
        return None if reference == "unknown" else self._get(reference, secret)

    def media_location(
        self, attachment: Attachment, response: HttpResponse, secret: Key
    ) -> HttpRequest | None:
        if response.body == b"at:nowhere":
            raise MalformedPayload("url: missing")
        if not response.body.startswith(b"at:"):
            return None
        return self._get(response.body.decode().removeprefix("at:"), secret)

    def _get(self, path: str, secret: Key) -> HttpRequest:
        headers = {"authorization": secret.token}
        return HttpRequest(
            method="GET", url=f"https://files.example/{path}", headers=headers, body=b""
        )


class FakeProviderMedia:
    """Answers by the last part of the address: a file, a status, or what it raises."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []

    def fetch(self, request: HttpRequest, *, hosts: Collection[str], largest: int) -> HttpResponse:
        assert hosts == ("files.example",)
        name = request.url.rpartition("/")[2]
        self.asked.append((name, request.headers["authorization"]))
        answer = self.answers.get(name, PNG)
        if isinstance(answer, Exception):
            raise answer
        status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
        return HttpResponse(status=status, headers={}, body=body)


class House:
    def __init__(self) -> None:
        self.world = World()
        self.world.secrets.secrets = {"whatsapp_cloud": {"token": "t"}}
        self.media = FakeProviderMedia()
        self.policies = policies()

    def fetch(self, seen: Touchpoint) -> list[Medium]:
        ports = Ports(
            ledger=self.world.ledger,
            media_files=self.world.ledger.media_files,
            secrets=self.world.secrets,
            provider_media=self.media,
            file_type=TYPES.get,
            policies=self.policies,
            find_provider=lambda name: Keeper(),
        )
        found = fetch_media(MediaRequest(touchpoint_id=seen.touchpoint_id), ports)
        assert self.media_of(seen) == found
        return list(found.values())

    def media_of(self, seen: Touchpoint) -> Media:
        entry = self.world.ledger.read(seen.touchpoint_id)
        return entry.media if entry is not None else {}

    def receive(self, *references: str, **attached: Any) -> Touchpoint:
        attachments = tuple(
            Attachment(provider_reference=one, name=one, **attached) for one in references
        )
        seen = touchpoint(Message(text="voilà", attachments=attachments))
        self.world.ledger.record([observed(seen)])
        return seen

    def kept(self, seen: Touchpoint) -> Touchpoint:
        entry = self.world.ledger.read(seen.touchpoint_id)
        assert entry is not None
        return entry.touchpoint

    @property
    def files(self) -> dict[str, tuple[bytes, str]]:
        return self.world.ledger.media_files.files


@pytest.fixture
def house() -> House:
    return House()


class TestWhatIsKept:
    def test_a_file_lies_under_its_touchpoint_by_what_it_is(self, house: House) -> None:
        house.media.answers = {"one": PNG, "two": PDF}
        seen = house.receive("one", "two", content_type="text/html")
        media = house.fetch(seen)
        names = [medium_name(one, 0) for one in attachments_of(seen)]
        keys = [f"attachments/{seen.touchpoint_id}/{name}" for name in names]
        assert house.files == {keys[0]: (PNG, "image/png"), keys[1]: (PDF, "application/pdf")}
        assert media[1] == Medium(
            state=STORED, object_key=keys[1], content_type="application/pdf", size=len(PDF)
        )
        content = house.kept(seen).content
        assert isinstance(content, Message)
        assert [(one.object_key, one.content_type) for one in content.attachments] == [
            (keys[0], "image/png"),
            (keys[1], "application/pdf"),
        ]

    def test_that_files_came_along_is_told_and_what_became_of_them_too(self, house: House) -> None:
        house.media.answers = {"two": PROGRAM}
        seen = house.receive("one", "two")
        house.fetch(seen)
        (received,) = house.world.happened(TouchpointReceived)
        assert isinstance(received, TouchpointReceived) and received.has_media
        assert house.world.happened(MediaStored) == [
            MediaStored(touchpoint_id=seen.touchpoint_id, stored=1, refused=1)
        ]

    def test_what_is_gone_and_what_is_kept_from_us_is_not_counted_as_refused(
        self, house: House
    ) -> None:
        house.media.answers = {"two": 404, "three": 403}
        seen = house.receive("one", "two", "three")
        with pytest.raises(MediumUnauthorized):
            house.fetch(seen)
        assert house.world.happened(MediaStored) == [
            MediaStored(
                touchpoint_id=seen.touchpoint_id, stored=1, refused=0, gone=1, unauthorized=1
            )
        ]

    def test_a_message_without_files_asks_for_nothing(self, house: House) -> None:
        seen = touchpoint()
        house.world.ledger.record([observed(seen)])
        (received,) = house.world.happened(TouchpointReceived)
        assert isinstance(received, TouchpointReceived) and not received.has_media
        assert house.fetch(seen) == []
        assert house.world.happened(MediaStored) == []

    def test_doing_it_again_fetches_nothing_again(self, house: House) -> None:
        seen = house.receive("one", "two")
        first = house.fetch(seen)
        assert house.fetch(seen) == first
        assert len(house.media.asked) == 2
        assert len(house.world.happened(MediaStored)) == 1

    def test_a_provider_may_tell_the_place_first(self, house: House) -> None:
        house.media.answers = {"one": b"at:there", "there": PDF}
        assert house.fetch(house.receive("one"))[0].state is STORED
        assert [name for name, _ in house.media.asked] == ["one", "there"]

    def test_it_is_fetched_by_the_secret_of_its_account(self, house: House) -> None:
        line = Account(provider="whatsapp_cloud", account=WHATSAPP_LINE, slug="milano")
        house.policies = house.policies._replace(accounts=Accounts((line,)))
        house.world.secrets.secrets["whatsapp_cloud/milano"] = {"token": "of-milano"}
        house.fetch(house.receive("one"))
        assert house.media.asked == [("one", "of-milano")]


class TestWhatIsNot:
    @pytest.mark.parametrize(
        ("answer", "medium"),
        [
            (PROGRAM, Medium(state=REFUSED, because="type", content_type=TYPES[PROGRAM], size=10)),
            (b"anything", Medium(state=REFUSED, because="type", size=8)),
            (b"", Medium(state=REFUSED, because="type", size=0)),
            (MediumTooLarge("more"), Medium(state=REFUSED, because="size")),
            (MediumElsewhere("there"), Medium(state=REFUSED, because="place")),
            (b"at:nowhere", Medium(state=REFUSED, because="answer")),
            (b"at:one", Medium(state=REFUSED, because="answer")),
            (404, Medium(state=GONE)),
            (410, Medium(state=GONE)),
            (400, Medium(state=REFUSED, because="answer")),
            (304, Medium(state=REFUSED, because="answer")),
        ],
    )
    def test_the_reason_is_kept_and_no_file(
        self, house: House, answer: Answer, medium: Medium
    ) -> None:
        house.media.answers = {"one": answer}
        seen = house.receive("one")
        assert house.fetch(seen) == [medium]
        assert house.files == {}

    def test_what_its_provider_does_not_know_is_not_asked_for(self, house: House) -> None:
        assert house.fetch(house.receive("unknown"))[0].because == "place"
        assert house.media.asked == []

    def test_the_largest_is_said_by_form(self, house: House) -> None:
        largest = dict.fromkeys(house.policies.media.largest, len(PNG) - 1) | {"image": len(PNG)}
        media = house.policies.media.model_copy(update={"largest": largest})
        house.policies = house.policies._replace(media=media)
        seen = house.receive("one", form="voice")
        assert house.fetch(seen)[0] == Medium(state=REFUSED, because="size")
        other = touchpoint(
            Message(attachments=(Attachment(provider_reference="one", form="image"),)), key="k2"
        )
        house.world.ledger.record([observed(other)])
        assert house.fetch(other)[0].state is STORED

    def test_one_does_not_spoil_the_others(self, house: House) -> None:
        house.media.answers = {"two": PROGRAM, "three": 404}
        states = [one.state for one in house.fetch(house.receive("one", "two", "three"))]
        assert states == [STORED, REFUSED, GONE]


class TestWhatMayComeLater:
    @pytest.mark.parametrize("answer", [429, 500, 503, MediumUnreachable("no answer")])
    def test_the_rest_is_kept_and_the_function_tried_again(
        self, house: House, answer: Answer
    ) -> None:
        house.media.answers = {"one": answer}
        seen = house.receive("one", "two")
        with pytest.raises(MediumUnreachable):
            house.fetch(seen)
        assert list(house.media_of(seen)) == [medium_name(attachments_of(seen)[1], 1)]
        house.media.answers = {}
        assert [one.state for one in house.fetch(seen)] == [STORED, STORED]
        assert [name for name, _ in house.media.asked] == ["one", "two", "one"]

    @pytest.mark.parametrize("mend", ["answers", "secret"])
    def test_wrong_access_is_seen_and_fetched_once_it_is_mended(
        self, house: House, mend: str
    ) -> None:
        if mend == "answers":
            house.media.answers = {"one": 403}
        else:
            house.world.secrets.secrets = {}
        seen = house.receive("one")
        for _ in range(2):
            with pytest.raises(MediumUnauthorized, match="whatsapp_cloud refuses our access"):
                house.fetch(seen)
        assert list(house.media_of(seen).values()) == [Medium(state=MediumState.UNAUTHORIZED)]
        assert len(house.world.happened(MediaStored)) == 1
        house.media.answers = {}
        house.world.secrets.secrets = {"whatsapp_cloud": {"token": "t"}}
        assert house.fetch(seen)[0].state is STORED


class TestWhatCameWithTheRequest:
    def receive(self, house: House, content: bytes) -> Touchpoint:
        file = Attachment(name="a.pdf", content_type="application/pdf")
        seen = touchpoint(Message(attachments=(file,)))
        house.world.ledger.record([Observed(seen, b"{}", (File(file, content),))])
        return seen

    def test_is_looked_at_and_kept_as_what_it_is(self, house: House) -> None:
        seen = self.receive(house, PNG)
        medium = house.fetch(seen)[0]
        assert house.files == {medium.object_key: (PNG, "image/png")}
        assert house.media.asked == []

    def test_goes_where_it_is_not_kept(self, house: House) -> None:
        seen = self.receive(house, PROGRAM)
        assert house.fetch(seen)[0].because == "type"
        assert house.files == {}
        content = house.kept(seen).content
        assert isinstance(content, Message) and content.attachments[0].object_key is None

    def test_stays_refused_where_its_provider_did_not_let_it_in(self, house: House) -> None:
        one, other = Attachment(name="film.pdf"), Attachment(name="a.pdf")
        seen = touchpoint(Message(attachments=(one, other)))
        files = (File(one, b"", "size"), File(other, PDF))
        house.world.ledger.record([Observed(seen, b"{}", files)])
        refused, stored = house.fetch(seen)
        assert refused == Medium(state=REFUSED, because="size")
        assert house.files == {stored.object_key: (PDF, "application/pdf")}
        assert house.world.happened(MediaStored) == [
            MediaStored(touchpoint_id=seen.touchpoint_id, stored=1, refused=1)
        ]

    def test_is_not_even_looked_for_where_nothing_was_let_in(self, house: House) -> None:
        file = Attachment(name="film.pdf")
        seen = touchpoint(Message(attachments=(file,)))
        house.world.ledger.record([Observed(seen, b"{}", (File(file, b"", "number"),))])
        (received,) = house.world.happened(TouchpointReceived)
        assert isinstance(received, TouchpointReceived) and not received.has_media
        assert house.media_of(seen) == {"0": Medium(state=REFUSED, because="number")}

    def test_may_be_gone_already(self, house: House) -> None:
        seen = self.receive(house, PNG)
        house.files.clear()
        assert house.fetch(seen)[0].state is GONE


class TestAnErasureMeanwhile:
    def test_leaves_no_file_of_an_attempt_before(self, house: House) -> None:
        seen = house.receive("one")
        house.fetch(seen)
        house.world.ledger.forget(seen.touchpoint_id)
        assert house.fetch(seen) == []
        assert house.files == {}

    def test_leaves_no_file_of_the_one_under_way(self, house: House) -> None:
        seen = house.receive("one")
        forget: Callable[[TouchpointId], None] = house.world.ledger.forget

        class Erasing(FakeProviderMedia):
            def fetch(
                self, request: HttpRequest, *, hosts: Collection[str], largest: int
            ) -> HttpResponse:
                forget(seen.touchpoint_id)
                return super().fetch(request, hosts=hosts, largest=largest)

        house.media = Erasing()
        house.fetch(seen)
        assert house.files == {}
        assert house.world.happened(MediaStored) == []


class TestACallWhoseRecordingsComeOneByOne:
    def part(self, name: str) -> Touchpoint:
        recording = Attachment(provider_reference=name, form="audio")
        call = Call(call_id="CA1", parts=(name,), attachments=(recording,))
        return touchpoint(call, key="CA1", channel=Channel.VOICE, direction=Direction.PASSIVE)

    def test_of_two_at_once_neither_undoes_the_other(self, house: House) -> None:
        parts = [self.part(name) for name in ("a", "b")]
        house.world.ledger.record([observed(parts[0])])

        class Slow(FakeProviderMedia):
            """While the first recording is on its way, the second one comes and is fetched."""

            def fetch(
                self, request: HttpRequest, *, hosts: Collection[str], largest: int
            ) -> HttpResponse:
                house.media = FakeProviderMedia()
                house.world.ledger.record([observed(parts[1])])
                house.fetch(parts[1])
                return super().fetch(request, hosts=hosts, largest=largest)

        house.media = Slow()
        with pytest.raises(Contention):
            house.fetch(parts[0])
        assert [one.state for one in house.fetch(parts[0])] == [STORED, STORED]
        assert len(house.files) == 2
        assert len(house.world.happened(MediaStored)) == 1

    def test_each_keeps_its_own_file_whatever_comes_before_it(self, house: House) -> None:
        """Recordings stand in the order of their names, so a later one may move an earlier on."""
        house.media.answers = {"b": PDF}
        for name in ("b", "a"):
            seen = self.part(name)
            house.world.ledger.record([observed(seen)])
            house.fetch(seen)
        kept = attachments_of(house.kept(seen))
        assert [one.provider_reference for one in kept] == ["a", "b"]
        assert [house.files[one.object_key or ""][0] for one in kept] == [PNG, PDF]
        assert [name for name, _ in house.media.asked] == ["b", "a"]
        assert len(house.world.happened(MediaReceived)) == 1
