"""What leaves goes through the gate, to the endpoint it answers, in the person's language."""

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.follow_up_delivery.logic.gate import MOST_LOOKED_AT
from shared.domain.account import Account, Accounts
from shared.domain.consent import Consent
from shared.domain.follow_up import FollowUpState, SendReply, SendTemplate
from shared.domain.sending import MessageClass, OutboundFile
from shared.domain.suppression import (
    Suppression,
    SuppressionKind,
    address_subject,
    endpoint_subject,
    person_subject,
)
from shared.domain.ticket import TicketStatus
from shared.domain.touchpoint import Channel, Choice, Direction, Message, PageView, Touchpoint
from shared.events.catalogue import TicketChanged
from shared.ports.ledger import LedgerEntry
from shared.providers.base import HttpRequest
from tests.builders import (
    NOON,
    PHONE,
    SMS_LINE,
    WHATSAPP_LINE,
    endpoint,
    profile_id,
    sms,
    touchpoint,
    whatsapp_message,
    word,
)
from tests.fake_profiles import FakeProfileStore
from tests.unit.follow_up_delivery.conftest import Promise

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GATE = [
    "suppression",
    "consent",
    "message_class",
    "quiet_hours",
    "frequency_cap",
    "reply_window",
    "budget",
]


def request(promise: Promise) -> HttpRequest:
    """The only one that left."""
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, HttpRequest)
    return outgoing


def body(promise: Promise) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request(promise).body)
    return content


def kept(promise: Promise) -> LedgerEntry:
    """The outbound touchpoint the follow-up became."""
    touchpoint_id = promise.standing.touchpoint_id
    entry = promise.world.ledger.read(touchpoint_id) if touchpoint_id else None
    assert entry is not None
    return entry


def steps(promise: Promise) -> dict[str, tuple[bool, str]]:
    return {one.name: (one.passed, one.reason) for one in promise.standing.gate}


class TestAnAccountWithASecretOfItsOwn:
    def own(self, promise: Promise) -> None:
        line = Account(provider="whatsapp_cloud", account=WHATSAPP_LINE, slug="milano")
        promise.policies = promise.policies._replace(accounts=Accounts((line,)))

    def test_it_signs_what_leaves_from_there(self, promise: Promise) -> None:
        self.own(promise)
        secrets = promise.world.secrets.secrets
        secrets["whatsapp_cloud/milano"] = {
            **secrets["whatsapp_cloud"],
            "access_token": "of-milano",
        }
        assert promise.deliver().result == "sent"
        assert request(promise).headers["authorization"] == "Bearer of-milano"

    def test_without_it_nothing_leaves_by_anothers(self, promise: Promise) -> None:
        self.own(promise)
        delivered = promise.deliver()
        assert delivered.state is FollowUpState.REFUSED
        assert delivered.result == "there is no secret for whatsapp_cloud/milano"
        assert len(promise.world.sender) == 0


class TestWhatIsSent:
    def test_within_the_reply_window_the_companys_words_go_as_text(self, promise: Promise) -> None:
        assert promise.deliver().result == "sent"
        sent = body(promise)
        assert sent["to"] == PHONE.removeprefix("+")
        assert sent["text"]["body"] == (
            "Bonjour, nous travaillons toujours sur votre demande "
            f"{promise.ticket.number} et revenons vers vous dès que possible. "
            "Merci de votre patience."
        )
        assert sent["context"] == {"message_id": promise.wrote.provider_event_id}
        assert sent["biz_opaque_callback_data"] == promise.follow_up.follow_up_id

    def test_cw_9516_after_it_the_approved_template_goes_instead(self, promise: Promise) -> None:
        assert promise.deliver(at=NOON + DAY + timedelta(minutes=1)).result == "sent"
        sent = body(promise)
        assert sent["template"]["name"] == "still_working_on_it"
        assert sent["template"]["language"] == {"code": "fr"}
        ((parameter,),) = [one["parameters"] for one in sent["template"]["components"]]
        assert parameter == {"type": "text", "text": promise.ticket.number}
        assert steps(promise)["reply_window"] == (True, "closed; an approved template is sent")
        # The record shows the same words, filled in.
        assert promise.ticket.number in kept(promise).touchpoint.text

    @pytest.mark.parametrize(("before", "form"), [(10, "text"), (9, "template")])
    def test_the_window_closes_ten_minutes_before_the_providers(
        self, promise: Promise, before: int, form: str
    ) -> None:
        promise.deliver(at=NOON + DAY - timedelta(minutes=before))
        assert form in body(promise)

    def test_the_customer_alone_opens_the_window_and_at_the_same_endpoint(
        self, promise: Promise
    ) -> None:
        promise.hear(sms(at=NOON + 20 * HOUR))
        promise.hear(whatsapp_message("à nous", at=NOON + 21 * HOUR, direction=Direction.OUTBOUND))
        promise.deliver(at=NOON + 25 * HOUR)
        assert "template" in body(promise)

    def test_sms_knows_no_window(self, promise: Promise) -> None:
        promise.speak_of(promise.hear(sms(at=NOON + HOUR)))
        promise.deliver(at=NOON + 3 * DAY)
        assert steps(promise)["reply_window"] == (True, "sms has no reply window")
        assert f"From={SMS_LINE}".replace("+", "%2B").encode() in request(promise).body

    @pytest.mark.parametrize("state", ["pending", "rejected", None])
    def test_cw_14800_without_an_approved_template_it_is_refused_with_all_that_was_asked(
        self, promise: Promise, state: str | None
    ) -> None:
        wordings = promise.policies.templates.templates["still_working_on_it"]
        (approved,) = wordings["fr"].approved.values()
        other = {} if state is None else {"whatsapp": approved.model_copy(update={"state": state})}
        french = wordings["fr"].model_copy(update={"approved": other})
        templates = promise.policies.templates.model_copy(
            update={"templates": {"still_working_on_it": wordings | {"fr": french}}}
        )
        promise.policies = promise.policies._replace(templates=templates)
        refused = promise.deliver(at=NOON + 2 * DAY)
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "reply_window: closed; no approved template"
        assert [one.name for one in refused.gate] == GATE[:6]
        assert [one.passed for one in refused.gate] == [True] * 5 + [False]
        assert len(promise.world.sender) == 0


class TestInWhichLanguage:
    @pytest.mark.parametrize(
        ("traits", "heard", "begins"),
        [
            ({"language": "it-IT"}, "fr", "Buongiorno"),
            ({"locale": "es_ES"}, "fr", "Hola"),
            ({}, "fr", "Bonjour"),
            ({"language": "wo"}, "fr", "Hello"),
            ({}, "und", "Hello"),
            ({}, None, "Hello"),
        ],
    )
    def test_cw_2011_theirs_or_that_of_their_last_words_or_the_declared_fallback(
        self, promise: Promise, traits: dict[str, str], heard: str | None, begins: str
    ) -> None:
        promise.person(**traits)
        promise.speak_of(promise.wrote, language=heard)
        promise.deliver()
        assert body(promise)["text"]["body"].startswith(begins)

    def test_the_record_says_which_it_was(self, promise: Promise) -> None:
        promise.person(language="wo")
        promise.deliver()
        assert kept(promise).touchpoint.language == "en"

    def test_nobody_known_is_written_to_all_the_same(self, promise: Promise) -> None:
        promise.world.profiles = FakeProfileStore(promise.world.ledger)
        promise.deliver()
        assert body(promise)["text"]["body"].startswith("Bonjour")


class TestToWhom:
    def test_cw_15359_a_reply_goes_to_the_endpoint_it_answers(self, promise: Promise) -> None:
        """Not to the latest one, nor to the first address of the profile."""
        promise.speak_of(promise.hear(sms(phone="+33687654321", at=NOON + HOUR)))
        promise.make_reply(to=promise.wrote.touchpoint_id)
        promise.deliver()
        assert f"/{WHATSAPP_LINE}/messages" in request(promise).url
        assert body(promise)["to"] == PHONE.removeprefix("+")
        assert kept(promise).touchpoint.endpoint == promise.wrote.endpoint

    def test_a_promise_made_at_the_opening_goes_where_the_matter_began(
        self, promise: Promise
    ) -> None:
        by_sms = promise.hear(sms(phone="+33687654321", at=NOON + HOUR))
        promise.edit_ticket(last=word(by_sms))
        promise.deliver()
        assert body(promise)["to"] == PHONE.removeprefix("+")

    def test_where_that_has_no_way_back_it_goes_where_they_wrote_from_last(
        self, promise: Promise
    ) -> None:
        review = promise.hear(touchpoint(key="a review", endpoint=None, at=NOON))
        promise.edit_ticket(first=word(review))
        promise.deliver()
        assert body(promise)["to"] == PHONE.removeprefix("+")

    def test_cw_13470_a_later_promise_goes_where_they_wrote_from_last(
        self, promise: Promise
    ) -> None:
        promise.speak_of(promise.hear(sms(phone="+33687654321", at=NOON + HOUR)))
        promise.deliver()
        assert b"To=%2B33687654321" in request(promise).body

    def test_cw_13837_a_person_without_a_phone_is_reached(self, promise: Promise) -> None:
        way = endpoint(address="FR.13491208655302741918")
        promise.speak_of(promise.hear(touchpoint(key="id only", endpoint=way, at=NOON + HOUR)))
        promise.deliver()
        assert body(promise)["recipient"] == "FR.13491208655302741918"

    @pytest.mark.parametrize("gone", [True, False])
    def test_what_has_no_way_back_is_refused_and_says_so(
        self, promise: Promise, gone: bool
    ) -> None:
        seen = touchpoint(key="a review", endpoint=None, at=NOON + HOUR)
        said = word(seen if gone else promise.hear(seen))
        promise.edit_ticket(first=said, last=said)
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "the touchpoint it answers has no way back"


class TestAnAgentsReply:
    def test_their_own_words_leave_and_the_first_response_is_met(self, promise: Promise) -> None:
        promise.make_reply("Votre colis part ce soir.")
        assert promise.deliver().state is FollowUpState.DONE
        assert body(promise)["text"]["body"] == "Votre colis part ce soir."
        ticket, now = promise.ticket_now, promise.world.clock.now()
        assert ticket.status is TicketStatus.WAITING_CUSTOMER
        assert ticket.first_response.met_at == ticket.last_agent_at == now
        (event,) = promise.world.happened(TicketChanged)
        assert isinstance(event, TicketChanged)
        assert (event.change, event.status) == ("agent_replied", "waiting_customer")
        (logged,) = promise.world.tickets.log(ticket.ticket_id)
        assert (logged.what, logged.by, logged.at) == ("agent_replied", "agent:lea", now)
        assert logged.detail == {}, "the words are in the ledger, under its rules for erasure"

    def test_a_template_answers_nobody_so_the_first_response_is_still_owed(
        self, promise: Promise
    ) -> None:
        promise.deliver()
        assert promise.ticket_now == promise.ticket
        assert promise.world.happened(TicketChanged) == []

    def test_outside_the_window_it_is_refused_and_the_ticket_waits_for_another(
        self, promise: Promise
    ) -> None:
        promise.make_reply()
        refused = promise.deliver(at=NOON + 2 * DAY)
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "reply_window: closed; no approved template"
        assert (refused.refusal_reason, refused.provider_code) == ("window_closed", None)
        assert promise.ticket_now.first_response.met_at is None

    def test_cw_9516_the_template_an_agent_chose_goes_where_words_may_not(
        self, promise: Promise
    ) -> None:
        now = promise.world.clock.now()
        chosen = SendReply(
            template="answer_is_ready", answers=promise.wrote.touchpoint_id, agent="lea"
        )
        promise.make(name="reply", since=now, due_at=now, action=chosen, cancelled_by=frozenset())
        ended = promise.deliver(at=NOON + 2 * DAY)
        assert ended.state is FollowUpState.DONE
        ((_, outgoing),) = promise.world.sender.sent
        assert isinstance(outgoing, HttpRequest)
        assert json.loads(outgoing.body)["template"]["name"] == "answer_is_ready"
        assert ended.touchpoint_id is not None
        entry = promise.world.ledger.read(ended.touchpoint_id)
        assert entry is not None
        assert entry.touchpoint.text.startswith("Bonjour, nous avons une réponse")
        assert promise.ticket_now.status is TicketStatus.WAITING_CUSTOMER

    def test_buttons_and_files_stand_in_the_record(self, promise: Promise) -> None:
        now = promise.world.clock.now()
        file = OutboundFile(url="https://shop.example/plan.png", name="plan.png", form="image")
        choices = (Choice(id="am", title="Le matin"),)
        asked = SendReply(
            text="Quand ?",
            choices=choices,
            files=(file,),
            answers=promise.wrote.touchpoint_id,
            agent="lea",
        )
        promise.make(name="reply", since=now, due_at=now, action=asked, cancelled_by=frozenset())
        ended = promise.deliver()
        assert ended.touchpoint_id is not None
        entry = promise.world.ledger.read(ended.touchpoint_id)
        assert entry is not None and isinstance(entry.touchpoint.content, Message)
        content = entry.touchpoint.content
        assert content.offers == choices
        (attachment,) = content.attachments
        assert (attachment.form, attachment.provider_reference) == ("image", file.url)

    def test_what_its_way_cannot_carry_is_refused_and_not_left_out(self, promise: Promise) -> None:
        way = endpoint(Channel.SMS, provider="africas_talking_sms", account="22345")
        seen = promise.hear(
            touchpoint(channel=Channel.SMS, provider="africas_talking_sms", endpoint=way)
        )
        now = promise.world.clock.now()
        asked = SendReply(
            text="La voici.",
            files=(OutboundFile(url="https://shop.example/facture.pdf"),),
            answers=seen.touchpoint_id,
            agent="lea",
        )
        promise.make(name="reply", since=now, due_at=now, action=asked, cancelled_by=frozenset())
        refused = promise.deliver()
        assert (refused.state, refused.refusal_reason) == (FollowUpState.REFUSED, "not_supported")
        assert refused.result == "this way carries no files"
        assert len(promise.world.sender) == 0

    def test_right_after_the_customers_words_the_window_is_open_even_if_no_index_knows_them_yet(
        self, promise: Promise
    ) -> None:
        promise.world.ledger.change(promise.wrote.touchpoint_id, profile_id=None)
        promise.make_reply()
        assert promise.deliver().state is FollowUpState.DONE


class TestTheGate:
    def test_every_question_and_its_answer_is_kept(self, promise: Promise) -> None:
        promise.deliver()
        assert list(steps(promise)) == GATE
        assert all(passed and reason for passed, reason in steps(promise).values())

    def suppress(self, promise: Promise, subject: str = "", **fields: Any) -> None:
        usual = {"kind": "opt_out", "reason": "they wrote STOP", "by": "word:stop", "at": NOON}
        stop = Suppression.model_validate(usual | fields)
        promise.world.consents.tell(subject or endpoint_subject(endpoint()), stop)

    @pytest.mark.parametrize("by_agent", [True, False])
    def test_ma_6514_whoever_opted_out_is_left_alone(
        self, promise: Promise, by_agent: bool
    ) -> None:
        self.suppress(promise)
        if by_agent:
            promise.make_reply()
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "suppression: they wrote STOP"
        assert [(one.name, one.passed) for one in refused.gate] == [("suppression", False)]
        assert len(promise.world.sender) == 0

    def test_on_one_line_only(self, promise: Promise) -> None:
        self.suppress(promise, endpoint_subject(endpoint(account="another line")))
        assert promise.deliver().state is FollowUpState.DONE

    @pytest.mark.parametrize(
        "subject",
        [address_subject(Channel.WHATSAPP, PHONE), person_subject(profile_id())],
        ids=["address", "person"],
    )
    def test_a_stop_on_the_address_or_the_person_holds_on_every_line(
        self, promise: Promise, subject: str
    ) -> None:
        self.suppress(promise, subject, kind=SuppressionKind.LEGAL, reason="a court said so")
        assert promise.deliver().result == "suppression: a court said so"

    def test_a_stop_to_offers_lets_the_service_through(self, promise: Promise) -> None:
        self.suppress(promise, classes="marketing")
        assert promise.deliver().state is FollowUpState.DONE

    def state_consent(self, promise: Promise, state: str, purpose: str, **fields: Any) -> None:
        usual = {"purpose": purpose, "state": state, "source": "preference_page", "at": NOON}
        promise.world.consents.state(profile_id(), Consent.model_validate(usual | fields))

    def make_marketing(self, promise: Promise) -> None:
        promise.make(
            due_at=NOON + 2 * HOUR,
            action=SendTemplate(template="did_that_help", message_class=MessageClass.MARKETING),
        )

    def test_with_consent_it_is_advertised(self, promise: Promise) -> None:
        self.make_marketing(promise)
        self.state_consent(promise, "granted", "marketing")
        assert promise.deliver().state is FollowUpState.DONE
        assert steps(promise)["consent"] == (True, "consent to marketing is recorded")

    def test_a_consent_withdrawn_on_this_channel_counts(self, promise: Promise) -> None:
        self.make_marketing(promise)
        self.state_consent(promise, "granted", "marketing")
        later = NOON + timedelta(minutes=1)
        self.state_consent(promise, "withdrawn", "marketing", channel="whatsapp", at=later)
        assert promise.deliver().result == "consent: consent to marketing was withdrawn"

    def test_who_wants_no_questions_is_asked_none_though_none_is_needed(
        self, promise: Promise
    ) -> None:
        promise.make(
            due_at=NOON + 2 * HOUR,
            action=SendTemplate(template="did_that_help", purpose="surveys"),
        )
        self.state_consent(promise, "withdrawn", "surveys")
        assert promise.deliver().result == "consent: consent to surveys was withdrawn"

    def test_ma_10575_nothing_is_advertised_without_consent(self, promise: Promise) -> None:
        promise.make(
            due_at=NOON + 2 * HOUR,
            action=SendTemplate(template="did_that_help", message_class=MessageClass.MARKETING),
        )
        refused = promise.deliver()
        assert refused.result == "consent: no consent to marketing is recorded"
        assert len(promise.world.sender) == 0

    def say(
        self, promise: Promise, number: int, message_class: str = "service", **overrides: Any
    ) -> None:
        """One more message of ours within the last hour."""
        content = Message.model_validate({"text": "…", "message_class": message_class})
        ours = touchpoint(
            content,
            key=f"ours {number}",
            direction=Direction.OUTBOUND,
            **{"at": NOON + HOUR + timedelta(seconds=number)} | overrides,
        )
        promise.hear(ours)

    def test_whoever_heard_enough_today_hears_no_more(self, promise: Promise) -> None:
        for number in range(4):
            self.say(promise, number)
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert (refused.result or "").startswith("frequency_cap: 4 of at most 4 sent")

    def test_the_cap_counts_its_own_class_and_its_own_time(self, promise: Promise) -> None:
        for number in range(3):
            self.say(promise, number)
        self.say(promise, 3, "transactional")
        self.say(promise, 4, at=NOON - 2 * DAY)
        promise.hear(touchpoint(PageView(name="home"), key="page", at=NOON + HOUR))
        assert promise.deliver().state is FollowUpState.DONE
        assert steps(promise)["frequency_cap"][1].startswith("3 of at most 4")

    def test_the_cap_sees_past_the_first_page_of_a_busy_persons_day(self, promise: Promise) -> None:
        for number in range(4):
            self.say(promise, number)
        self.look_at_pages(promise, 150)
        assert promise.deliver().state is FollowUpState.REFUSED

    def test_it_looks_no_further_than_it_must(self, promise: Promise) -> None:
        """Whoever does more than that in a day is no person; what was said first is forgotten."""
        for number in range(4):
            self.say(promise, number)
        self.look_at_pages(promise, MOST_LOOKED_AT + 100)
        assert promise.deliver().state is FollowUpState.DONE

    def look_at_pages(self, promise: Promise, number: int) -> None:
        for n in range(number):
            view = PageView(name="home")
            at = NOON + HOUR + timedelta(minutes=1, milliseconds=n)
            promise.hear(touchpoint(view, key=f"page {n}", at=at, direction=Direction.PASSIVE))

    def test_a_class_without_cap_on_a_channel_without_window_needs_no_past(
        self, promise: Promise
    ) -> None:
        promise.speak_of(promise.hear(sms(at=NOON + HOUR)))
        promise.make_reply(to=sms(at=NOON + HOUR).touchpoint_id)
        promise.deliver()
        assert steps(promise)["frequency_cap"] == (True, "no cap on transactional messages")


class TestWhatIsKeptOfIt:
    def test_what_left_is_a_touchpoint_of_the_persons_timeline(self, promise: Promise) -> None:
        ended = promise.deliver()
        entry = kept(promise)
        ours = entry.touchpoint
        assert ours.provider_event_id == "whatsapp_cloud-message-1"
        assert (ours.direction, ours.channel) == (Direction.OUTBOUND, Channel.WHATSAPP)
        assert ours.occurred_at == ended.ended_at == promise.world.clock.now()
        assert isinstance(ours.content, Message)
        assert ours.content.message_class == "service"
        assert ours.content.in_reply_to == promise.wrote.provider_event_id
        assert promise.world.ledger.timeline([profile_id()]).items[0].touchpoint == ours

    def test_it_counts_as_a_contact(self, promise: Promise) -> None:
        promise.deliver()
        profile = promise.world.profiles.read(profile_id())
        assert profile is not None
        assert profile.contacts == {(Direction.OUTBOUND, Channel.WHATSAPP): 1}

    def test_it_was_not_delivered_to_us_so_the_balance_holds(self, promise: Promise) -> None:
        before = promise.world.ledger.balance()
        promise.deliver()
        assert promise.world.ledger.balance() == before


def test_the_words_of_a_mail_keep_its_subject_and_its_thread(promise: Promise) -> None:
    asked = mail("Où est ma commande ?", thread=("<a@x>",))
    promise.speak_of(promise.hear(asked))
    promise.make_reply(to=asked.touchpoint_id)
    promise.deliver()
    ours = kept(promise).touchpoint.content
    assert isinstance(ours, Message)
    assert ours.subject == "Re: Où est ma commande ?"
    assert ours.in_reply_to == asked.provider_event_id


def mail(subject: str | None, thread: tuple[str, ...] = ()) -> Touchpoint:
    return touchpoint(
        Message(text="Bonjour", subject=subject, thread=thread),
        provider="email_ses",
        account="support@boutique.example",
        channel=Channel.EMAIL,
        key="<b@x>",
        endpoint=endpoint(
            Channel.EMAIL,
            provider="email_ses",
            account="support@boutique.example",
            address="awa@example.com",
        ),
        at=NOON + HOUR,
    )
