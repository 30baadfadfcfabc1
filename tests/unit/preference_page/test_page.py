"""What the link shows, what its form changes, and what it never does."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import JsonValue

from functions.preference_page.logic.answer import LARGEST_BODY, Request, answer
from functions.preference_page.logic.languages import accepted, all_words, choose
from functions.preference_page.logic.page import Page
from functions.preference_page.logic.preferences import Ports
from functions.profile_update.logic.update import update_profile
from shared.domain.consent import Consent, ConsentState, standing
from shared.domain.journey import JourneyState
from shared.domain.model import ProfileId
from shared.domain.preference_link import NAME, PreferenceKeys, sign
from shared.domain.profile import Profile, Trait
from shared.domain.suppression import SuppressionKind, person_subject
from shared.domain.touchpoint import Channel, Identification
from shared.events.catalogue import EndpointReleased, EndpointSuppressed
from shared.runtime import wiring
from tests.builders import NOON, identifier, policies, profile_id
from tests.fakes import World

KEYS = {"id": "k1", "key": "k" * 40}
POLICY = policies().consent
TWELVE = {"en", "fr", "it", "es", "pt", "de", "nl", "pl", "ro", "ar", "sw", "tr"}


class Visit:
    """One person, and a link of theirs."""

    def __init__(self) -> None:
        self.world = World()
        self.world.secrets.secrets[NAME] = KEYS
        self.person()
        self.token = sign(
            profile_id(), NOON + timedelta(days=1), PreferenceKeys.model_validate(KEYS)
        )

    def person(self, **traits: JsonValue) -> None:
        stated = {name: Trait(value=value, at=NOON) for name, value in traits.items()}
        self.world.profiles.put(
            Profile.model_validate(
                {
                    "profile_id": profile_id(),
                    "created_at": NOON,
                    "identifiers": (identifier(),),
                    "traits": stated,
                }
            )
        )

    @property
    def ports(self) -> Ports:
        world = self.world
        return Ports(world.ledger, world.profiles, world.consents, POLICY, world.clock)

    def get(self, language: str = "fr") -> Page:
        request = Request("GET", self.token, language, b"")
        return answer(request, self.ports, self.world.secrets)

    def post(self, **fields: str) -> Page:
        return self.send(urlencode(fields).encode())

    def send(self, body: bytes) -> Page:
        self.world.clock.advance(timedelta(seconds=1))
        return answer(Request("POST", self.token, "fr", body), self.ports, self.world.secrets)

    def stands(self, purpose: str, channel: Channel) -> ConsentState | None:
        known = self.world.consents.of([profile_id()])
        found = standing(known, purpose, channel, self.world.clock.now())
        return found.state if found else None


@pytest.fixture
def visit() -> Visit:
    return Visit()


class Fields(HTMLParser):
    """The names of ticked boxes, the chosen options, the buttons, and tags that need closing."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.ticked: set[str] = set()
        self.boxes: set[str] = set()
        self.chosen: list[str | None] = []
        self.actions: list[str | None] = []
        self.tags: list[str] = []
        self.feed(page.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "input":
            self.boxes.add(str(given["name"]))
            if "checked" in given:
                self.ticked.add(str(given["name"]))
        if tag == "option" and "selected" in given:
            self.chosen.append(given["value"])
        if tag == "button":
            self.actions.append(given["value"])


def test_every_purpose_is_asked_on_every_channel(visit: Visit) -> None:
    page = visit.get()
    fields = Fields(page)
    assert page.status is HTTPStatus.OK
    assert fields.boxes == {f"{p}.{c}" for p in POLICY.purposes for c in POLICY.channels}
    assert fields.ticked == set()
    assert fields.actions == ["save", "stop"]


def test_reading_changes_nothing(visit: Visit) -> None:
    visit.get()
    assert visit.world.events == []
    assert len(visit.world.consents) == 0


def test_what_stands_is_ticked(visit: Visit) -> None:
    said = {"purpose": "marketing", "state": "granted", "source": "agent:1", "at": NOON}
    visit.world.consents.state(profile_id(), Consent.model_validate(said | {"channel": "sms"}))
    assert Fields(visit.get()).ticked == {"marketing.sms"}


def word(visit: Visit, state: ConsentState, channel: Channel, rule: str) -> None:
    at = visit.world.clock.now()
    said = {"purpose": "marketing", "state": state, "channel": channel, "source": f"word:{rule}"}
    visit.world.consents.state(profile_id(), Consent.model_validate({**said, "at": at}))


@pytest.mark.parametrize("language", sorted(TWELVE))
def test_where_a_word_stopped_it_a_tick_alone_is_not_enough_and_the_page_says_so(
    visit: Visit, language: str
) -> None:
    words = all_words()[language]
    assert {"STOP", "START"} <= set(re.findall(r"[A-Z]{4,}", words.after_stop))
    word(visit, ConsentState.WITHDRAWN, Channel.WHATSAPP, "opt_out_keyword")
    page = visit.post(action="save", language=language, **{"marketing.whatsapp": "on"})
    assert words.saved in page.html
    assert page.html.count("(STOP)") == len(POLICY.purposes)
    assert f"{words.channels[Channel.WHATSAPP]} (STOP)" in page.html
    warning = page.html.index(f'<p class="said">{words.after_stop}</p>')
    assert warning < page.html.index("<fieldset>")

    visit.world.clock.advance(timedelta(seconds=1))
    word(visit, ConsentState.RESTORED, Channel.WHATSAPP, "opt_in_keyword")
    after = visit.get(language).html
    assert "(STOP)" not in after
    assert f'<p class="said">{words.after_stop}</p>' not in after


def test_only_what_differs_is_stated(visit: Visit) -> None:
    page = visit.post(action="save", **{"marketing.sms": "on", "surveys.email": "on"})
    assert Fields(page).ticked == {"marketing.sms", "surveys.email"}
    assert len(visit.world.consents) == 2
    visit.post(action="save", **{"surveys.email": "on"})
    assert len(visit.world.consents) == 3
    assert visit.stands("marketing", Channel.SMS) is ConsentState.WITHDRAWN
    assert visit.stands("surveys", Channel.EMAIL) is ConsentState.GRANTED
    (first, *_) = visit.world.consents.of([profile_id()])
    assert first.source == "preference_page"


def test_a_purpose_or_channel_that_is_not_asked_cannot_be_allowed(visit: Visit) -> None:
    visit.post(action="save", **{"spam.sms": "on", "marketing.voice": "on", "marketing.": "on"})
    assert len(visit.world.consents) == 0


def test_stopping_everything_and_allowing_it_again(visit: Visit) -> None:
    visit.post(action="save", **{"marketing.sms": "on"})
    page = visit.post(action="stop")
    assert Fields(page).actions == ["resume"]
    assert all_words()["fr"].stopped in page.html
    record = visit.world.consents.record(person_subject(profile_id()))
    assert [one.kind for one in record.active] == [SuppressionKind.OPT_OUT]
    assert visit.stands("marketing", Channel.SMS) is ConsentState.WITHDRAWN
    assert Fields(visit.get()).actions == ["resume"]
    page = visit.post(action="resume")
    assert visit.world.consents.record(person_subject(profile_id())).active == ()
    assert Fields(page).ticked == set(), "what was allowed before is asked anew"
    assert len(visit.world.happened(EndpointSuppressed, EndpointReleased)) == 2


def test_one_click_in_a_mail_program_ends_the_mails_and_nothing_else(visit: Visit) -> None:
    visit.post(action="save", **{"marketing.email": "on", "marketing.sms": "on"})
    page = visit.post(**{"List-Unsubscribe": "One-Click"})
    assert page.status is HTTPStatus.OK
    assert all_words()["fr"].unsubscribed in page.html
    assert visit.stands("marketing", Channel.EMAIL) is ConsentState.WITHDRAWN
    assert visit.stands("marketing", Channel.SMS) is ConsentState.GRANTED
    assert visit.world.consents.of([profile_id()])[-1].source == "list_unsubscribe"


def stated(visit: Visit) -> list[dict[str, Any]]:
    """The traits that touchpoints of the page tell, in order."""
    seen = sorted(visit.world.ledger, key=lambda one: one.occurred_at)
    return [one.content.traits for one in seen if isinstance(one.content, Identification)]


def test_the_chosen_language_and_channel_are_told_of_the_person(visit: Visit) -> None:
    page = visit.post(action="save", language="sw", channel="whatsapp")
    assert 'lang="sw"' in page.html
    assert Fields(page).chosen == ["sw", "whatsapp"]
    assert stated(visit) == [{"language": "sw", "preferred_channel": "whatsapp"}]
    (seen,) = visit.world.ledger
    step = update_profile(
        JourneyState(touchpoint_id=seen.touchpoint_id),
        ledger=visit.world.ledger,
        profiles=visit.world.profiles,
        consents=visit.world.consents,
        policy=policies().identity,
        forms=wiring.identifier_forms(),
    )
    profile = visit.world.profiles.read(step.profile_id)
    assert step.profile_id == profile_id() and profile is not None
    assert (profile.language, profile.preferred_channel) == ("sw", Channel.WHATSAPP)


def test_a_preference_can_be_taken_back(visit: Visit) -> None:
    visit.person(preferred_channel="sms", language="fr")
    assert Fields(visit.get()).chosen == ["fr", "sms"]
    visit.post(action="save", language="fr", channel="")
    assert stated(visit) == [{"preferred_channel": ""}]


@pytest.mark.parametrize("value", [["sms"], {"by": "sms"}, 7, "pigeon"])
def test_a_stated_channel_that_is_none_shows_no_preference(visit: Visit, value: JsonValue) -> None:
    visit.person(preferred_channel=value, language="fr")
    assert Fields(visit.get()).chosen == ["fr", ""]


def test_what_did_not_change_is_told_by_no_touchpoint(visit: Visit) -> None:
    visit.person(preferred_channel="sms", language="fr")
    visit.post(action="save", language="fr", channel="sms")
    assert len(visit.world.ledger) == 0


@pytest.mark.parametrize("value", ["xx", "<script>", ""])
def test_a_language_that_is_none_of_ours_is_not_chosen(visit: Visit, value: str) -> None:
    visit.person(language="fr")
    visit.post(action="save", language=value, channel=value)
    assert stated(visit) == []


def test_a_link_of_a_merged_profile_is_the_whole_person_s(visit: Visit) -> None:
    other = identifier("+33700000000")
    visit.world.profiles.put(
        Profile(
            profile_id=profile_id(),
            profile_ids=(profile_id(), other.profile_id),
            created_at=NOON,
            identifiers=(other,),
        )
    )
    said = {"purpose": "marketing", "state": "granted", "source": "agent:1", "at": NOON}
    visit.world.consents.state(other.profile_id, Consent.model_validate(said))
    assert "marketing.sms" in Fields(visit.get()).ticked
    visit.post(action="save", language="de")
    (seen,) = visit.world.ledger
    assert seen.identifiers == (other,), "its own identifier is not known, so another of theirs"


@pytest.mark.parametrize(
    "body",
    [b"", b"action=buy", b"\xff\xfe", b"a=1&" * 300, b"a=" + b"x" * LARGEST_BODY],
    ids=["empty", "unknown", "not UTF-8", "many fields", "large"],
)
def test_what_is_no_form_of_ours_changes_nothing(visit: Visit, body: bytes) -> None:
    assert visit.send(body).status is HTTPStatus.BAD_REQUEST
    assert len(visit.world.consents) == 0
    assert visit.world.events == []


def test_a_link_that_is_not_ours_or_has_ended_shows_nothing(visit: Visit) -> None:
    visit.token = visit.token[:-2] + "AA"
    for page in (visit.get(), visit.post(action="stop")):
        assert page.status is HTTPStatus.NOT_FOUND
        assert all_words()["fr"].invalid in page.html
        assert Fields(page).actions == []
    assert len(visit.world.consents) == 0


def test_a_profile_that_is_no_more_has_no_page(visit: Visit) -> None:
    keys = PreferenceKeys.model_validate(KEYS)
    nobody = ProfileId("0e8333f2-6f53-5b0e-9f5e-0d6d3b0a3b11")
    visit.token = sign(nobody, NOON + timedelta(days=1), keys)
    assert visit.get().status is HTTPStatus.NOT_FOUND


def test_without_a_secret_there_is_no_page(visit: Visit) -> None:
    visit.world.secrets.secrets.clear()
    assert visit.get().status is HTTPStatus.SERVICE_UNAVAILABLE


def test_nothing_is_kept_framed_loaded_or_told(visit: Visit) -> None:
    page = visit.get()
    response = page.response()
    assert response["statusCode"] == 200
    headers = response["headers"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert not {"script", "img", "link", "iframe"} & set(Fields(page).tags)
    assert not re.search(r"https?://|\bon\w+=|style=", page.html)
    assert len(page.html) < 8_000


def test_it_shows_nothing_of_who_the_person_is(visit: Visit) -> None:
    visit.person(name="Awa", language="fr")
    html = visit.get().html
    assert not [one for one in ("Awa", identifier().value, profile_id()) if one in html]


def test_the_page_speaks_twelve_languages_and_arabic_from_the_right() -> None:
    assert set(all_words()) == TWELVE
    assert [code for code, one in all_words().items() if one.direction == "rtl"] == ["ar"]
    for purpose in POLICY.purposes.values():
        assert set(purpose.name) == set(purpose.description) == TWELVE
    for one in all_words().values():
        assert set(one.channels) == set(POLICY.channels)


@pytest.mark.parametrize("language", sorted(TWELVE))
def test_every_language_renders_whole(visit: Visit, language: str) -> None:
    page = visit.get(language)
    assert f'<html lang="{language}"' in page.html
    assert all_words()[language].title in page.html


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.2, de;q=0.9", "de"),
        ("ja, *;q=0.5", "en"),
        ("de;q=0, it;q=0.1", "it"),
        ("de;q=nonsense, nl", "nl"),
        ("", "en"),
        (",;,", "en"),
    ],
)
def test_the_browser_s_language_is_taken_by_its_weight(header: str, language: str) -> None:
    assert choose(None, header=header, fallback="en") == language


def test_what_the_person_stated_comes_before_the_browser(visit: Visit) -> None:
    visit.person(language="it")
    assert '<html lang="it"' in visit.get("de").html
    visit.person(language="ja")
    assert '<html lang="de"' in visit.get("de").html


def test_a_long_header_is_read_to_a_point() -> None:
    assert len(accepted("de," * 10_000)) < 400
