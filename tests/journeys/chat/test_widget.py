"""The chat on a shop's page, in a real browser: what a visitor writes arrives once, whatever the
network does, and what an agent answers is read there.
"""

import json

import pytest

from infra.local.cloud import LocalCloud
from tests.journeys.agent import Agent
from tests.journeys.chat.visitor import (
    CHAT,
    Visitor,
    answers,
    arrived,
    found_by_axe,
    looks_again,
    waited_for,
)
from tests.journeys.chromium import Page

HOSTILE = "<img src=x onerror=\"document.title='broken'\"> <b>bold</b> javascript:alert(1)"


def test_what_a_visitor_writes_is_answered_in_the_same_place(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    asked = "My parcel 4512 has not arrived, where is it?"
    visitor.comes()
    visitor.opens()
    assert visitor.kept() == {}, "of who only looks, nothing is stored"
    visitor.writes(asked)
    visitor.sees("Sent")
    (story,) = arrived(cloud, asked)
    assert story.ticket is not None
    answers(agent, cloud, asked, text="It is at https://track.example/4512, since noon.")
    visitor.sees("since noon")
    links = visitor.page.evaluate(
        f"[...{CHAT}.querySelectorAll('.log a')].map((one) => [one.href, one.rel, one.target])"
    )
    assert links == [["https://track.example/4512", "noopener noreferrer", "_blank"]]
    visitor.comes()
    visitor.opens()
    visitor.sees(asked)
    assert visitor.read().count("since noon") == 1
    assert visitor.read().index(asked) < visitor.read().index("since noon")


def test_an_answer_is_picked_by_its_button(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    asked = "Can somebody bring my order 4513 home?"
    visitor.asks(asked)
    answers(
        agent,
        cloud,
        asked,
        text="When shall we come?",
        choices=[{"id": "am", "title": "In the morning"}, {"id": "pm", "title": "At night"}],
        files=[{"url": "https://files.boutique.example/map.pdf", "name": "The map"}],
    )
    visitor.sees("In the morning")
    visitor.sees("The map")
    visitor.page.evaluate(f"{CHAT}.querySelector('.choices button').click()")
    (story,) = waited_for(cloud, "In the morning")
    said = story.touchpoint.content
    assert (said.choice.id, said.choice.title) == ("am", "In the morning")
    assert said.in_reply_to is not None
    visitor.page.until(f"{CHAT}.querySelector('.choices').hidden")


def test_what_is_written_offline_survives_the_page_and_arrives_once(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    first, second = "Are you open on Sunday?", "And on Monday?"
    visitor.comes()
    visitor.opens()
    visitor.page.block("*/webhooks/web_chat/sessions*", "*/webhooks/web_chat/messages*")
    visitor.writes(first)
    visitor.writes(second)
    visitor.sees("Not sent yet")
    visitor.sees("Your message will be sent when you are online again.")
    assert [one["text"] for one in visitor.kept()["outbox"]] == [first, second]
    visitor.comes()
    visitor.opens()
    visitor.sees("Not sent yet")
    assert arrived(cloud, first) == []
    visitor.page.block()
    visitor.page.evaluate("dispatchEvent(new Event('online'))")
    visitor.page.until("!JSON.parse(localStorage.getItem('passerelle-chat')).outbox.length")
    (one,), (other,) = arrived(cloud, first), arrived(cloud, second)
    assert (one.deliveries, other.deliveries) == (1, 1)
    assert one.touchpoint.occurred_at < other.touchpoint.occurred_at
    assert one.touchpoint.endpoint == other.touchpoint.endpoint


def test_a_phone_that_loses_its_network_sends_by_itself_when_it_is_back(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    text = "I am in the tunnel"
    visitor.comes()
    visitor.opens()
    visitor.page.network(offline=True)
    visitor.writes(text)
    visitor.sees("Not sent yet")
    visitor.page.network()
    visitor.page.until("!JSON.parse(localStorage.getItem('passerelle-chat')).outbox.length")
    visitor.sees("Sent")
    assert len(arrived(cloud, text)) == 1


def test_an_answer_that_is_lost_on_its_way_doubles_nothing(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    """The message was taken, and the phone never heard so: it sends it again, with the same id."""
    text = "Did you get this?"
    visitor.comes()
    visitor.opens()
    page = visitor.page
    messages = {"urlPattern": "*/messages", "requestStage": "Response"}
    page.call("Fetch.enable", patterns=[messages])
    visitor.writes(text)
    paused = page.wait("Fetch.requestPaused", lambda one: one["request"]["method"] == "POST")
    page.call("Fetch.failRequest", requestId=paused["requestId"], errorReason="ConnectionReset")
    page.call("Fetch.disable")
    page.until("!JSON.parse(localStorage.getItem('passerelle-chat')).outbox.length")
    (story,) = arrived(cloud, text)
    assert story.deliveries == 2
    assert visitor.read().count(text) == 1


def test_what_an_agent_writes_is_text_whatever_it_looks_like(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    asked = "Something is wrong with my order 4514, it is broken"
    visitor.asks(asked)
    answers(agent, cloud, asked, text=HOSTILE)
    visitor.sees(HOSTILE)
    found = visitor.page.evaluate(f"{CHAT}.querySelectorAll('.log img, .log b, .log a').length")
    assert found == 0
    assert visitor.page.evaluate("document.title") == "The boutique"


@pytest.mark.parametrize(
    ("language", "label", "sent"),
    [
        ("en", "Your message", "Sent"),
        ("fr", "Votre message", "Envoyé"),
        ("it", "Il suo messaggio", "Inviato"),
        ("es", "Su mensaje", "Enviado"),
        ("sw", "Ujumbe wako", "Imetumwa"),
    ],
)
def test_everybody_can_use_it_in_their_language(
    page: Page, cloud: LocalCloud, language: str, label: str, sent: str
) -> None:
    """By keyboard alone; and axe finds nothing, closed, open and with something said."""
    visitor = Visitor(page, cloud, f"language={language}")
    visitor.comes()
    assert found_by_axe(page) == []
    page.evaluate("document.querySelector('main a').focus()")
    page.press("Tab")
    page.until(f"{CHAT}.activeElement.classList.contains('launcher')")
    page.press("Enter")
    page.until(f"{CHAT}.activeElement.tagName === 'TEXTAREA'")
    assert page.evaluate(f"{CHAT}.activeElement.labels[0].textContent") == label
    page.type("Jambo, ça va ?")
    page.press("Tab")
    page.press(" ")
    visitor.sees(f"· {sent}")
    assert found_by_axe(page) == []
    page.press("Escape")
    page.until(f"{CHAT}.activeElement.classList.contains('launcher')")
    assert page.evaluate(f"{CHAT}.querySelector('.panel').hidden")
    small = page.evaluate(
        f"[...{CHAT}.querySelectorAll('button')].filter((one) => one.offsetHeight)"
        ".filter((one) => one.offsetHeight < 44 || one.offsetWidth < 44).length"
    )
    assert small == 0


def test_a_slow_phone_loads_it_and_sends(visitor: Visitor, cloud: LocalCloud) -> None:
    text = "The line is thin here"
    visitor.page.network(latency=400, bytes_per_second=50_000)
    visitor.asks(text)
    assert len(arrived(cloud, text)) == 1


def test_it_works_on_a_page_of_another_site(visitor: Visitor, cloud: LocalCloud) -> None:
    """There the browser asks first whether the page may, and the gateway answers."""
    text = "Written on another site"
    other = cloud.url.replace("127.0.0.1", "localhost")
    visitor.page.go(f"{other}/openapi.json")
    visitor.page.evaluate(
        "{ const script = document.createElement('script');"
        f" script.src = '{cloud.url}/webhooks/web_chat/widget.js';"
        " document.body.append(script); }"
    )
    visitor.page.until(CHAT)
    visitor.opens()
    visitor.writes(text)
    visitor.sees("Sent")
    assert len(arrived(cloud, text)) == 1


def test_without_storage_it_works_as_long_as_the_page_is_open(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    text = "My browser keeps nothing"
    forbids = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    visitor.page.call("Page.addScriptToEvaluateOnNewDocument", source=forbids)
    visitor.asks(text)
    assert len(arrived(cloud, text)) == 1


def test_two_tabs_are_one_conversation(visitor: Visitor, cloud: LocalCloud) -> None:
    first, second = "From the first tab", "From the second tab"
    visitor.asks(first)
    beside = Visitor(visitor.page.beside(), cloud)
    beside.comes()
    beside.opens()
    beside.sees(first)
    beside.writes(second)
    visitor.sees(second)
    (one,), (other,) = arrived(cloud, first), waited_for(cloud, second)
    assert one.touchpoint.endpoint == other.touchpoint.endpoint
    assert other.deliveries == 1


def test_a_customer_who_signed_in_is_known_and_leaves_nothing_behind(
    page: Page, cloud: LocalCloud, agent: Agent
) -> None:
    before, after = "Where is my order 4515? It is late", "I am signed in now"
    anonymous = Visitor(page, cloud)
    anonymous.comes()
    anonymous.opens()
    anonymous.writes(before)
    anonymous.sees("Sent")
    customer = Visitor(page, cloud, "language=en&customer=C-9")
    customer.comes()
    customer.opens()
    customer.sees(before)
    customer.writes(after)
    page.until("!JSON.parse(localStorage.getItem('passerelle-chat:C-9')).outbox.length")
    (story,) = arrived(cloud, after)
    assert story.touchpoint.identifiers[0].value == "C-9"
    answers(agent, cloud, before, text="It leaves today.")
    looks_again(page)
    customer.sees("It leaves today.")
    anonymous.comes()
    anonymous.opens()
    assert "It leaves today." not in anonymous.read()
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_another_session_is_begun_where_the_token_is_not_taken_any_more(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    text = "After a long time"
    visitor.comes()
    spoilt = json.dumps(
        {"token": "a.b.c", "renewed": 8e15, "since": {}, "outbox": [], "log": [], "active": 0}
    )
    visitor.page.evaluate(f"localStorage.setItem('passerelle-chat', {json.dumps(spoilt)})")
    visitor.opens()
    visitor.writes(text)
    visitor.sees("Sent")
    assert len(arrived(cloud, text)) == 1


def test_what_is_refused_is_said_and_keeps_nothing_waiting(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    """A client of another make put something unreadable first; what is behind it leaves."""
    text = "And this one?"
    visitor.comes()
    unreadable = {"id": "no good", "text": "x", "sent_at": ""}
    shown = {"id": "no good", "text": "An unreadable one", "at": "", "mine": True}
    kept = json.dumps({"since": {}, "outbox": [unreadable], "log": [shown]})
    visitor.page.evaluate(f"localStorage.setItem('passerelle-chat', {json.dumps(kept)})")
    visitor.opens()
    visitor.writes(text)
    visitor.sees("Could not be sent.")
    visitor.sees("Sent")
    assert len(arrived(cloud, text)) == 1


def test_a_session_is_renewed_before_it_ends_and_stays_the_same(
    visitor: Visitor, cloud: LocalCloud
) -> None:
    first, second = "On Monday", "On Thursday"
    visitor.asks(first)
    days_ago = {**visitor.kept(), "renewed": visitor.kept()["renewed"] - 3 * 86_400_000}
    token = json.dumps(json.dumps(days_ago))
    visitor.page.evaluate(f"localStorage.setItem('passerelle-chat', {token})")
    visitor.opens()
    visitor.writes(second)
    visitor.page.until("!JSON.parse(localStorage.getItem('passerelle-chat')).outbox.length")
    assert visitor.kept()["renewed"] > days_ago["renewed"]
    (one,), (other,) = arrived(cloud, first), arrived(cloud, second)
    assert one.touchpoint.endpoint == other.touchpoint.endpoint


def test_an_answer_that_comes_while_the_chat_is_closed_is_announced(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    asked = "My order 4516 was damaged"
    visitor.asks(asked)
    visitor.page.press("Escape")
    answers(agent, cloud, asked, text="We send another one.")
    looks_again(visitor.page)
    label = f"{CHAT}.querySelector('.launcher').getAttribute('aria-label')"
    visitor.page.until(f"{label} === 'Chat with us (new messages: 1)'")
    said = visitor.page.evaluate(f"{CHAT}.querySelector('aside [role=status]').textContent")
    assert said == "new messages: 1"
    visitor.opens()
    visitor.sees("We send another one.")
    assert visitor.page.evaluate(label) == "Chat with us"
