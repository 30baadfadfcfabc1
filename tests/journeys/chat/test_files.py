"""A picture or a PDF that a visitor sends in the chat, from a phone with a slow line to the agent
who opens it.
"""

import json
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.cloud import LocalCloud
from infra.local.simulators._media import PDF
from tests.journeys.agent import Agent
from tests.journeys.chat.visitor import CHAT, Visitor, answers, arrived, found_by_axe, waited_for
from tests.journeys.chromium import Page
from tests.journeys.test_uploads import offered, put

TRAY = f"[...{CHAT}.querySelectorAll('.chosen span')].map((one) => one.textContent)"
SENDING = ("*/webhooks/web_chat/sessions*", "*/webhooks/web_chat/messages*")
NOTHING_WAITS = "!JSON.parse(localStorage.getItem('passerelle-chat')).outbox.length"
SIGNED_ANEW = """{
    const real = fetch;
    window.told = 0;
    window.fetch = async (url, asked) => {
        const answer = await real(url, asked);
        const text = (await answer.text()).replaceAll("plan.pdf", "plan.pdf?signed=anew");
        window.told += asked.method === "GET";
        return new Response(text, { status: answer.status });
    };
}"""
"""What the server does for files that lie with us: each time they have another address."""
IN_DATABASE = """new Promise((resolve) => {
    const opening = indexedDB.open('passerelle-chat');
    opening.onupgradeneeded = () => opening.result.createObjectStore('files');
    opening.onsuccess = () => {
        const asked = opening.result.transaction('files').objectStore('files').getAllKeys();
        asked.onsuccess = () => { opening.result.close(); resolve(asked.result.length); };
    };
})"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What lies on the phone, by name."""
    folder = tmp_path_factory.mktemp("phone")
    contents = {
        "IMG_0042.PNG": photograph(2400, 1200),
        "bill.pdf": PDF,
        "half.pdf": PDF + b" " * 1_990_000,
        "catalogue.pdf": PDF + b" " * 3_000_000,
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "run.exe": b"MZ program",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents}


def photograph(width: int, height: int) -> bytes:
    """A PNG in which no two spots are alike, so that nothing makes it small but fewer spots."""
    draw = Random(1)
    rows = b"".join(b"\0" + draw.randbytes(3 * width) for _ in range(height))
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows, 0),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts.items()
    )


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Width and height, of its first frame (ITU T.81, B.2.2)."""
    frame = jpeg.index(b"\xff\xc0")
    height, width = struct.unpack(">HH", jpeg[frame + 5 : frame + 9])
    return width, height


def picks(page: Page, *paths: str) -> None:
    page.picks(lambda: page.evaluate(f"{CHAT}.querySelector('.attach').click()"), *paths)


def sends(page: Page) -> None:
    page.evaluate(f"{CHAT}.querySelector('.send').click()")


def writes_offline(visitor: Visitor, text: str, path: str) -> None:
    visitor.comes()
    visitor.opens()
    visitor.page.block(*SENDING)
    picks(visitor.page, path)
    visitor.page.until(f"{TRAY}.length === 1")
    visitor.writes(text)
    visitor.sees("Not sent yet")


def media_of(story: Any, agent: Agent) -> list[dict[str, Any]]:
    seen = agent.get(f"/v1/touchpoints/{story.touchpoint.touchpoint_id}")
    found: list[dict[str, Any]] = seen["media"]
    return found


def saved(cloud: LocalCloud, url: str) -> bytes:
    parts = urlsplit(url)
    return cloud.get(f"{parts.path}?{parts.query}").body


def test_a_photograph_is_made_smaller_sent_and_opened_by_an_agent(
    visitor: Visitor, agent: Agent, cloud: LocalCloud, files: dict[str, str]
) -> None:
    text = "My order 4601 arrived like this"
    assert Path(files["IMG_0042.PNG"]).stat().st_size > 8_000_000
    visitor.comes()
    visitor.opens()
    picks(visitor.page, files["IMG_0042.PNG"], files["bill.pdf"])
    visitor.page.until(f"{TRAY}.join() === 'IMG_0042.jpg,bill.pdf'")
    visitor.writes(text)
    visitor.page.until(NOTHING_WAITS)
    visitor.sees("📎 IMG_0042.jpg")
    visitor.sees("Sent")
    (story,) = arrived(cloud, text)
    assert story.ticket is not None
    picture, bill = media_of(story, agent)
    assert (picture["state"], picture["content_type"]) == ("stored", "image/jpeg")
    jpeg = saved(cloud, picture["url"])
    assert size_of(jpeg) == (1600, 800)
    assert len(jpeg) < 3_000_000
    assert (bill["name"], saved(cloud, bill["url"])) == ("bill.pdf", PDF)
    assert visitor.page.evaluate(IN_DATABASE) == 0, "what was sent is not kept"
    assert visitor.page.evaluate(f"{CHAT}.querySelector('.chosen').hidden")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("catalogue.pdf", "Too large to be sent (3 MB at most): catalogue.pdf."),
        ("run.exe", "Only pictures and PDF files can be sent."),
        ("drawing.svg", "Only pictures and PDF files can be sent."),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_leaves(
    visitor: Visitor, cloud: LocalCloud, files: dict[str, str], name: str, said: str
) -> None:
    visitor.comes()
    visitor.opens()
    picks(visitor.page, files[name], files["bill.pdf"])
    visitor.sees(said)
    alert = visitor.page.evaluate(f"{CHAT}.querySelector('[role=alert]').textContent")
    assert alert == said
    assert visitor.page.evaluate(TRAY) == ["bill.pdf"], "the others stay"
    assert visitor.kept() == {}


def test_as_much_as_one_message_may_bring_arrives_whole(
    visitor: Visitor, agent: Agent, cloud: LocalCloud, files: dict[str, str]
) -> None:
    text = "Everything about order 4610"
    half = files["half.pdf"]
    visitor.comes()
    visitor.opens()
    picks(visitor.page, half, half, half)
    visitor.sees("Too large to be sent (3 MB at most): half.pdf.")
    assert visitor.page.evaluate(f"{TRAY}.length") == 2
    visitor.writes(text)
    visitor.page.until(NOTHING_WAITS)
    (story,) = arrived(cloud, text)
    size = Path(half).stat().st_size
    assert [one["size"] for one in media_of(story, agent)] == [size, size]


def test_a_fourth_file_is_one_too_many(visitor: Visitor, files: dict[str, str]) -> None:
    visitor.comes()
    visitor.opens()
    picks(visitor.page, files["bill.pdf"], files["bill.pdf"])
    visitor.page.until(f"{TRAY}.length === 2")
    picks(visitor.page, files["bill.pdf"], files["bill.pdf"])
    visitor.sees("Three files at most can be sent at once.")
    assert visitor.page.evaluate(f"{TRAY}.length") == 3


def test_what_is_chosen_offline_survives_the_page_and_arrives_once(
    visitor: Visitor, agent: Agent, cloud: LocalCloud, files: dict[str, str]
) -> None:
    text = "Here is the bill of order 4602"
    page = visitor.page
    writes_offline(visitor, text, files["bill.pdf"])
    assert page.evaluate(IN_DATABASE) == 1
    assert "content" not in json.dumps(visitor.kept()), "localStorage has no room for it"
    visitor.comes()
    visitor.opens()
    visitor.sees("📎 bill.pdf")
    page.block()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.until(NOTHING_WAITS)
    (story,) = arrived(cloud, text)
    assert story.deliveries == 1
    (bill,) = media_of(story, agent)
    assert saved(cloud, bill["url"]) == PDF
    assert page.evaluate(IN_DATABASE) == 0


def test_another_tab_sends_what_this_one_cannot(
    visitor: Visitor, agent: Agent, cloud: LocalCloud, files: dict[str, str]
) -> None:
    text = "From the other tab, order 4609"
    writes_offline(visitor, text, files["bill.pdf"])
    Visitor(visitor.page.beside(), cloud).comes()
    visitor.page.until(NOTHING_WAITS)
    (story,) = arrived(cloud, text)
    assert [one["state"] for one in media_of(story, agent)] == ["stored"]


def test_where_the_browser_lost_the_file_the_words_arrive_and_it_says_so(
    visitor: Visitor, agent: Agent, cloud: LocalCloud, files: dict[str, str]
) -> None:
    text = "The bill of order 4603 is this one"
    page = visitor.page
    visitor.comes()
    visitor.opens()
    page.block(*SENDING)
    for words in (text, ""):
        picks(page, files["bill.pdf"])
        page.until(f"{TRAY}.length === 1")
        page.evaluate(f"{CHAT}.querySelector('textarea').value = {json.dumps(words)}")
        sends(page)
        page.until(f"{TRAY}.length === 0")
    page.until("JSON.parse(localStorage.getItem('passerelle-chat')).outbox.length === 2")
    page.go(f"{cloud.url}/openapi.json")
    page.evaluate(
        "new Promise((ends) => indexedDB.deleteDatabase('passerelle-chat').onsuccess = ends)"
    )
    page.block()
    visitor.comes()
    visitor.opens()
    page.until(NOTHING_WAITS)
    assert visitor.read().count("A file was no longer there. Please choose it again.") == 2
    (story,) = arrived(cloud, text)
    assert media_of(story, agent) == []


def test_without_a_database_it_is_sent_as_long_as_the_page_is_open(
    visitor: Visitor, cloud: LocalCloud, agent: Agent, files: dict[str, str]
) -> None:
    text = "My browser keeps no files, order 4604"
    forbids = "Object.defineProperty(window, 'indexedDB', { get() { throw new Error('no'); } })"
    visitor.page.call("Page.addScriptToEvaluateOnNewDocument", source=forbids)
    visitor.comes()
    visitor.opens()
    picks(visitor.page, files["bill.pdf"])
    visitor.page.until(f"{TRAY}.length === 1")
    visitor.writes(text)
    visitor.page.until(NOTHING_WAITS)
    (story,) = arrived(cloud, text)
    assert [one["state"] for one in media_of(story, agent)] == ["stored"]


def test_who_signs_in_takes_the_file_along_and_who_signs_out_leaves_none(
    page: Page, cloud: LocalCloud, files: dict[str, str]
) -> None:
    anonymous = Visitor(page, cloud)
    writes_offline(anonymous, "The bill, before I sign in", files["bill.pdf"])
    customer = Visitor(page, cloud, "language=en&customer=C-10")
    customer.comes()
    customer.opens()
    customer.sees("📎 bill.pdf")
    assert page.evaluate(IN_DATABASE) == 1
    page.evaluate("passerelleChat.forget()")
    assert page.evaluate(IN_DATABASE) == 0
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize(
    ("language", "label", "remove", "refused"),
    [
        ("en", "Add a picture or a PDF", "Remove bill.pdf", "Too large to be sent"),
        ("fr", "Joindre une photo ou un PDF", "Retirer bill.pdf", "Trop lourd pour être envoyé"),
        ("it", "Alleghi una foto o un PDF", "Rimuovi bill.pdf", "Troppo grande per l’invio"),
        ("es", "Adjuntar una foto o un PDF", "Quitar bill.pdf", "Demasiado grande para enviarlo"),
        ("sw", "Ongeza picha au PDF", "Ondoa bill.pdf", "Ni kubwa mno kutumwa"),
    ],
)
def test_the_keyboard_chooses_takes_back_and_sends(
    page: Page,
    cloud: LocalCloud,
    agent: Agent,
    files: dict[str, str],
    language: str,
    label: str,
    remove: str,
    refused: str,
) -> None:
    """In their language; and axe finds nothing with a file chosen, and none refused."""
    visitor = Visitor(page, cloud, f"language={language}")
    visitor.comes()
    page.evaluate("document.querySelector('main a').focus()")
    page.press("Tab")
    page.press("Enter")
    page.until(f"{CHAT}.activeElement.tagName === 'TEXTAREA'")
    page.press("Tab", shift=True)
    assert page.evaluate(f"{CHAT}.activeElement.getAttribute('aria-label')") == label
    page.picks(lambda: page.press("Enter"), files["catalogue.pdf"], files["bill.pdf"])
    visitor.sees(refused)
    page.until(f"{TRAY}.length === 1")
    assert found_by_axe(page) == []
    page.press("Tab", shift=True)
    assert page.evaluate(f"{CHAT}.activeElement.getAttribute('aria-label')") == remove
    small = page.evaluate(
        f"[...{CHAT}.querySelectorAll('button')].filter((one) => one.offsetHeight)"
        ".filter((one) => one.offsetHeight < 44 || one.offsetWidth < 44).length"
    )
    assert small == 0
    page.press("Enter")
    page.until(f"{TRAY}.length === 0")
    assert page.evaluate(f"{CHAT}.activeElement.getAttribute('aria-label')") == label
    page.picks(lambda: page.press("Enter"), files["bill.pdf"])
    page.until(f"{TRAY}.length === 1")
    page.press("Tab")
    text = f"By keyboard alone, order 4605 ({language})"
    page.type(text)
    page.press("Enter")
    page.until(NOTHING_WAITS)
    (story,) = waited_for(cloud, text)
    assert [one["state"] for one in media_of(story, agent)] == ["stored"]


def test_a_slow_line_brings_it_once(
    visitor: Visitor, cloud: LocalCloud, files: dict[str, str]
) -> None:
    text = "The line is thin, order 4606"
    visitor.comes()
    visitor.opens()
    visitor.page.network(latency=300, bytes_per_second=400_000)
    picks(visitor.page, files["IMG_0042.PNG"])
    visitor.page.until(f"{TRAY}.length === 1")
    visitor.writes(text)
    visitor.sees("Sending…")
    visitor.page.until(NOTHING_WAITS)
    (story,) = arrived(cloud, text)
    assert story.deliveries == 1


def test_a_file_of_an_agent_is_a_link_and_never_shown_by_itself(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    asked = "May I see where you are, for order 4607?"
    visitor.asks(asked)
    url = "https://files.boutique.example/map.svg"
    answers(agent, cloud, asked, text="Here.", files=[{"url": url, "name": "<b>The map</b>"}])
    visitor.sees("<b>The map</b>")
    links = visitor.page.evaluate(
        f"[...{CHAT}.querySelectorAll('.log a')].map((one) => [one.href, one.rel, one.target])"
    )
    assert links == [[url, "noopener noreferrer", "_blank"]]
    shown = "img, object, embed, iframe, svg, b"
    assert visitor.page.evaluate(f"{CHAT}.querySelectorAll('{shown}').length") == 0


def test_a_link_that_would_have_ended_is_told_anew(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    """Addresses of files that lie with us last an hour. Half an hour later another one is asked
    for, as soon as somebody looks.
    """
    asked = "Do you have a plan of the shop, for order 4608?"
    visitor.asks(asked)
    url = "https://files.boutique.example/plan.pdf"
    answers(agent, cloud, asked, text="Here.", files=[{"url": url, "name": "The plan"}])
    visitor.sees("The plan")
    page = visitor.page
    page.evaluate(SIGNED_ANEW)
    href = f"{CHAT}.querySelector('.log a').getAttribute('href')"
    page.evaluate("Date.now = () => +new Date() + 29 * 60_000; dispatchEvent(new Event('focus'))")
    page.until("window.told > 0")
    assert page.evaluate(href) == url
    page.evaluate("Date.now = () => +new Date() + 61 * 60_000; dispatchEvent(new Event('focus'))")
    page.until(f"{href} === '{url}?signed=anew'")
    assert visitor.read().count("The plan") == 1


def test_a_file_that_an_agent_uploaded_is_opened_from_the_chat(
    visitor: Visitor, agent: Agent, cloud: LocalCloud
) -> None:
    asked = "May I have the bill of order 4611?"
    visitor.asks(asked)
    form = offered(agent, PDF)
    assert put(cloud, form, PDF).status == 204
    answers(agent, cloud, asked, text="Here.", files=[{"upload_id": form["upload_id"]}])
    visitor.sees("facture é.pdf")
    url = visitor.page.evaluate(f"{CHAT}.querySelector('.log a').href")
    assert saved(cloud, url) == PDF
