"""What holds at one line of the company and not everywhere: its queue, hours, language, secret."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from functions.follow_up_delivery.logic.message import write_notice
from shared.domain.account import Account, Accounts
from shared.domain.sla import Calendar, Opening
from shared.domain.ticket import Priority, Ticket, change_priority
from shared.domain.touchpoint import Touchpoint
from shared.operations.redrive import redrive
from shared.operations.replay import Move, Rules, replay
from shared.policies.reader import Policies
from shared.providers.base import WebhookRequest, find_provider
from tests.builders import NOON, SMS_LINE, classification, policies, profile_id, sms
from tests.builders import whatsapp_message as whatsapp
from tests.fakes import FakeClassifier, World
from tests.unit.overriding import House
from tests.unit.providers.fixtures import SECRETS, cases

MILANO_LINE = "39"
HOUR = timedelta(hours=1)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ALWAYS = Calendar(
    time_zone="Europe/Rome",
    openings=dict.fromkeys(DAYS, (Opening(opens=time(0), until=time(0)),)),
)


def company(**said: Any) -> Policies:
    """The company's own policies, and a line in Milan of which this is said."""
    own = policies()
    line = Account.model_validate({"provider": "whatsapp_cloud", "account": MILANO_LINE, **said})
    routing = own.routing.model_copy(update={"queues": {**own.routing.queues, "italy": ()}})
    return own._replace(
        accounts=Accounts((line,)),
        routing=routing,
        calendars={**own.calendars, "always": ALWAYS},
    )


def to_milano(text: str = "Dov'è il mio ordine?", **overrides: Any) -> Touchpoint:
    return whatsapp(text, account=MILANO_LINE, **overrides)


def received_line(request: WebhookRequest) -> Account:
    """The line of Milan that a request came to."""
    provider = find_provider("whatsapp_cloud")
    (one,) = provider.read(request, provider.read_secret(SECRETS[provider.name]), NOON)
    return Account(provider=provider.name, account=one.touchpoint.account, slug="milano")


def only_ticket(house: House, queue: str) -> Ticket:
    (found,) = house.world.tickets.by_queue(queue).items
    return found


class TestItsQueue:
    def test_takes_all_that_comes_there_whatever_it_is_about(self) -> None:
        house = House(company(name="Milano", queue="italy"))
        step = None
        for number, intent in enumerate(("refund", "appointment", "other")):
            seen = to_milano(f"{number}")
            house.world.classifier.known[seen.text] = classification(intent=intent)
            step = house.receive(seen)
            assert step is not None and step.queue == "italy"
        assert step is not None
        routing = next(one for one in step.decisions if one.about == "routing")
        assert (routing.by, routing.reason) == ("policy:accounts", "all that comes to Milano")
        assert only_ticket(house, "italy").first.intent == "refund"

    def test_other_lines_go_by_what_it_is_about(self) -> None:
        house = House(company(queue="italy"))
        step = house.receive(whatsapp())
        assert step is not None and step.queue == "orders"
        assert step.decisions[1].by == "policy:routing"

    def test_what_says_little_stays_there_too(self) -> None:
        """It would continue a ticket of another team, in another language."""
        house = House(company(queue="italy"))
        house.receive(whatsapp())
        vague = to_milano("Allora?", at=NOON + HOUR)
        house.world.classifier.known[vague.text] = classification(intent="other")
        step = house.receive(vague)
        assert step is not None and step.queue == "italy"

    def test_what_says_little_elsewhere_continues_what_was_spoken_of_last(self) -> None:
        house = House(company(queue="italy"))
        house.receive(to_milano())
        vague = sms("Alors ?", at=NOON + HOUR)
        house.world.classifier.known[vague.text] = classification(intent="other")
        step = house.receive(vague)
        assert step is not None and step.queue == "italy"

    def test_an_override_of_the_intent_does_not_move_it_away(self) -> None:
        house = House(company(queue="italy"))
        house.receive(to_milano())
        house.override(to_milano(), intent="billing_or_payment")
        assert only_ticket(house, "italy").first.intent == "billing_or_payment"

    def test_a_replay_tells_what_such_a_line_would_change(self) -> None:
        house = House(company())
        house.receive(to_milano())
        rules = Rules(house.policies, company(queue="italy"), FakeClassifier(), False)
        found = replay(rules, ledger=house.world.ledger, masker=lambda text, names=(), /: text)
        assert found.moves == {Move("queue", "orders", "italy"): 1}
        ((example,),) = found.examples.values()
        assert example.after == "all that comes to this account"


class TestItsHours:
    def test_the_clocks_of_a_ticket_run_in_them(self) -> None:
        house = House(company(calendar="always"))
        house.receive(to_milano())
        ticket = only_ticket(house, "orders")
        assert ticket.first_response.due_at == NOON + 4 * HOUR
        assert ticket.resolution.due_at == NOON + 24 * HOUR

    def test_so_do_those_of_everything_that_follows(self) -> None:
        house = House(company(calendar="always"))
        house.receive(to_milano())
        ticket = only_ticket(house, "orders")
        calendar = house.policies.calendar_of(ticket.first)
        raised = change_priority(ticket, Priority.HIGH, sla=house.policies.sla, calendar=calendar)
        assert raised.first_response.due_at == NOON + 2 * HOUR
        escalation = next(
            one
            for one in house.world.tickets.follow_ups_of_ticket(ticket.ticket_id)
            if one.name == house.policies.follow_ups[0].name
        )
        assert escalation.due_at == NOON + 4 * HOUR

    def test_the_line_that_began_it_counts_in_either_order(self) -> None:
        words = [whatsapp(at=NOON + HOUR), to_milano()]
        ends = []
        for order in (words, words[::-1]):
            house = House(company(calendar="always"))
            for seen in order:
                house.receive(seen)
            ticket = only_ticket(house, "orders")
            ends.append((ticket.first_response, ticket.resolution))
        assert ends[0] == ends[1]
        assert ends[0][0].due_at == NOON + 4 * HOUR

    def test_a_calendar_that_is_no_longer_there_gives_way_to_everybodys(self) -> None:
        house = House(company(calendar="always"))
        house.receive(to_milano())
        ticket = only_ticket(house, "orders")
        assert policies().calendar_of(ticket.first) == policies().calendar


class TestItsLanguage:
    @pytest.mark.parametrize(
        ("told", "counts"),
        [({"language": "und", "language_confidence": 0.9}, "it"), ({"language": "de"}, "de")],
    )
    def test_counts_where_nothing_else_tells(self, told: dict[str, Any], counts: str) -> None:
        house = House(company(language="it"))
        seen = to_milano("4512")
        house.world.classifier.known[seen.text] = classification(**told)
        house.receive(seen)
        assert only_ticket(house, "orders").last.language == counts

    def test_teaches_nobodys_profile(self) -> None:
        house = House(company(language="it"))
        seen = to_milano("4512")
        house.world.classifier.known[seen.text] = classification(language="und")
        house.receive(seen)
        profile = house.world.profiles.read(profile_id())
        assert profile is not None and profile.language is None

    def test_is_what_a_notice_is_written_in(self) -> None:
        its = company(language="it")
        assert write_notice("opt_out_confirmed", to_milano("STOP"), None, its).language == "it"
        stated = to_milano("STOP", language="de")
        assert write_notice("opt_out_confirmed", stated, None, its).language == "de"
        elsewhere = write_notice("opt_out_confirmed", sms("STOP"), None, its)
        assert elsewhere.language == its.templates.fallback_language


def test_what_was_unreadable_there_is_read_again_by_its_secret() -> None:
    world = World()
    text = next(
        case for case in cases() if (case.provider, case.name) == ("whatsapp_cloud", "text")
    )
    request = replace(text.request, slug="milano")
    world.ledger.quarantine("whatsapp_cloud", request, "our reading of it broke", NOON)
    ports: Any = {
        "ledger": world.ledger,
        "secrets": world.secrets,
        "clock": world.clock,
        "accounts": Accounts(),
    }
    said: list[str] = []
    assert redrive(**ports, report=said.append).unreadable == 1
    assert said[0].endswith("still unreadable: there is no secret for whatsapp_cloud/milano")
    world.secrets.secrets["whatsapp_cloud/milano"] = SECRETS["whatsapp_cloud"]
    line = received_line(request)
    ports["accounts"] = Accounts((line.model_copy(update={"slug": "roma"}),))
    said.clear()
    assert redrive(**ports, report=said.append).unreadable == 1
    assert said[0].endswith("it tells of an account that another secret proves")
    ports["accounts"] = Accounts((line,))
    assert redrive(**ports).released == 1
    assert len(world.ledger) == 1


def test_a_line_is_known_by_its_provider_as_well() -> None:
    house = House(company(queue="italy"))
    step = house.receive(sms(account=MILANO_LINE))
    assert step is not None and step.queue == "orders"
    assert SMS_LINE != MILANO_LINE
