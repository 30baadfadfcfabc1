"""What a person newly wrote is kept whole, and what their mail client put below it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.quoting import newest_of

HISTORY = "\n> quoted\n> and more\n"
CUT = {
    "english": "Ok\n\nOn Fri, Nov 20, 2026 at 10:00 AM Shop <a@b.example> wrote:\n",
    "english wrapped": "Ok\n\nOn Fri, Nov 20, 2026 at 10:00 AM Long Name\n<a@b.example> wrote:\n",
    "french": "Ok\n\nLe ven. 20 nov. 2026 à 10:00, Boutique <a@b.example> a écrit :\n",
    "italian": "Ok\n\nIl giorno ven 20 nov 2026 alle ore 10:00 Negozio <a@b.example> ha scritto:\n",
    "italian wrapped": "Ok\n\nIl giorno ven 20 nov 2026 Negozio <a@b.example> ha\nscritto:\n",
    "spanish": "Ok\n\nEl vie, 20 nov 2026 a las 10:00, Tienda (<a@b.example>) escribió:\n",
    "portuguese": "Ok\n\nEm sex., 20 de nov. de 2026 às 10:00, Loja <a@b.example> escreveu:\n",
    "german": "Ok\n\nAm 20.11.2026 um 10:00 schrieb Laden <a@b.example>:\n",
    "dutch": "Ok\n\nOp vr 20 nov 2026 om 10:00 schreef Winkel <a@b.example>:\n",
    "japanese": "Ok\n\n2026年11月20日(金) 10:00 Shop <a@b.example>:\n",
    "outlook": "Ok\n\n________________________________\nFrom: Shop <a@b.example>\n"
    "Sent: Friday, November 20, 2026 10:00 AM\nTo: me\nSubject: x\n\nquoted\n",
    "outlook in french": "Ok\n\n-----Message d'origine-----\nDe : Shop\nEnvoyé : 20/11\nquoted\n",
    "no blank line before it": "Ok\nOn Fri, Nov 20, 2026 at 10:00 AM Shop <a@b.example> wrote:\n",
    "wrapped in the date": "Ok\n\nOn Fri, Nov 20,\n2026 at 10:00 Shop <a@b.example> wrote:\n",
    "the name last": "Ok\n\nShop <a@b.example> schrieb am Fr., 20. Nov. 2026, 10:00:\n",
    "fenced": "Ok\n\n---- On Fri, 20 Nov 2026 10:00:00 +0100 Shop <a@b.example> wrote ----\n",
    "russian": "Ok\n\nпт, 20 нояб. 2026 г. в 10:00, Shop <a@b.example>:\n",
    "without a colon": "Ok\n\n2026/11/20 Shop <a@b.example>\n",
    "in no language we know": "Ok\n\nMnamo 20/11/26 saa 10:00 Shop aliandika:\n",
    "carriage returns": "Ok\r\n\r\nOn Fri, Nov 20, 2026 Shop <a@b.example> wrote:\r\n",
    "signature": "Ok\n-- \nAnn\n+33 6 12 34 56 78\n",
    "telephone": "Ok\n\nEnvoyé de mon iPhone\n",
    "quote above": "> Do you agree?\n\nOk\n",
    "header above": "On Fri, Nov 20, 2026 at 10:00 AM Shop <a@b.example> wrote:\n> Agreed?\n\nOk\n",
}


@pytest.mark.parametrize("text", CUT.values(), ids=CUT.keys())
def test_the_history_is_cut(text: str) -> None:
    assert newest_of(text.replace("\r\n", "\n") + HISTORY).text == "Ok"


KEPT = [
    "Hello\nThanks, but that is not what I ordered.\nI want my money.",
    "- first\n- second\n\nBest regards\nAnn",
    "On Monday your colleague wrote:\nwe will pay\nand nothing came",
    "Hello\nOn Monday your colleague wrote:\nwe will pay\nand nothing came",
    "From: Paris\nI need a delivery",
    "---------- Forwarded message ---------\nFrom: A <a@b.example>\nSubject: x\n\nthe words",
    "Look\n\n---------- Forwarded message ---------\nFrom: A <a@b.example>\n\nthe words",
    "On 20/11/2026 10:00 Shop <a@b.example> wrote:\n\nnothing but a quote without marks",
    "> nothing but a quote",
    "word " * 300 + "\nsecond line",
    "\n".join(f"line {number}" for number in range(1_000)),
]


@pytest.mark.parametrize("text", KEPT, ids=[text[:20] for text in KEPT])
def test_what_the_person_wrote_is_kept(text: str) -> None:
    assert newest_of(text).text == text.strip()


def test_answers_between_the_quotes_are_kept() -> None:
    header = "On Fri, Nov 20, 2026 Shop <a@b.example> wrote:"
    wide = "> two, which was so long that a client broke it in the middle of the\nsentence"
    text = f"Hi\n\n{header}\n> one?\n\nYes\n\n{wide}\n\nNo\n> three\nMaybe\n"
    assert newest_of(text).text == "Hi\n\nYes\n\nNo\n\nMaybe"


def test_a_link_that_goes_over_a_line_is_no_quote() -> None:
    text = "See <https://shop.example/orders/48213\n> for the order"
    assert newest_of(text).text == "See <https://shop.example/orders/48213> for the order"


BLOCK = "From: Shop <a@b.example>\nSent: 20/11/2026 10:00\nTo: me\nSubject: x\n\nthe words"


@pytest.mark.parametrize(
    ("subject", "text", "forwarded"),
    [
        ("Fwd: x", f"Look\n\n{BLOCK}", True),
        ("TR : x", f"Look\n\n{BLOCK}", True),
        ("R: x", f"Look\n\n{BLOCK}", False),
        ("Re: Fwd: x", f"Look\n\n{BLOCK}", False),
        ("Fwd: x", "Look at this", False),
        ("x", "Look\n\n-------- Messaggio inoltrato --------\nDa: x", True),
        ("x", "Look\n\n> Begin forwarded message:\n>\n> From: x", True),
    ],
)
def test_what_is_forwarded_is_kept_and_said_to_be(subject: str, text: str, forwarded: bool) -> None:
    assert newest_of(text, subject).is_forwarded is forwarded
    assert ("words" in newest_of(text, subject).text) is (forwarded and "words" in text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["Ok", "> x", "", "--", "From: a", "Date: 1", *CUT.values()]) | st.text(),
        max_size=12,
    )
)
def test_any_text_leaves_words_where_there_were_some(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert bool(newest_of(text).text) == bool(text.strip())
