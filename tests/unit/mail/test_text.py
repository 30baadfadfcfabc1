"""Bytes become the text a person wrote, whatever charset they claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.text import clean, decoded, from_html, one_line

FRENCH = "Où est ma commande ? Elle a coûté 20 € et n'est toujours pas arrivée à Besançon."
JAPANESE = "注文した商品がまだ届きません。"


@pytest.mark.parametrize(
    ("content", "claimed", "text"),
    [
        (FRENCH.encode(), "utf-8", FRENCH),
        (FRENCH.encode(), None, FRENCH),
        (FRENCH.encode(), "iso-8859-1", FRENCH),
        (FRENCH.encode(), "us-ascii", FRENCH),
        (FRENCH.encode(), "x-unknown", FRENCH),
        (FRENCH.encode(), "'UTF-8'", FRENCH),
        (FRENCH.encode("cp1252"), "windows-1252", FRENCH),
        (FRENCH.encode("cp1252"), "iso-8859-1", FRENCH),
        (FRENCH.encode("cp1252"), "utf-8", FRENCH),
        (FRENCH.encode("cp1252"), None, FRENCH),
        (FRENCH.encode("cp1252"), "zip", FRENCH),
        (JAPANESE.encode("iso2022_jp"), "iso-2022-jp", JAPANESE),
        (JAPANESE.encode("iso2022_jp"), "us-ascii", JAPANESE),
        (JAPANESE.encode("iso2022_jp"), None, JAPANESE),
        ("①".encode("iso2022_jp_2004"), "iso-2022-jp", "①"),
        (JAPANESE.encode("cp932"), "shift_jis", JAPANESE),
        ("Где мой заказ?".encode("koi8-r"), "koi8-r", "Где мой заказ?"),
        ("我的订单在哪里".encode("gb18030"), "gb2312", "我的订单在哪里"),
        (b"a+AOk-b", "utf-7", "aéb"),
        ("où".encode("utf-16") + b"\n", "UTF-16", "où"),
        (
            "Où est ma commande, ne l'a-t-on pas livrée à côté ?".encode() + b"\xc3",
            None,
            "Où est ma commande, ne l'a-t-on pas livrée à côté ?\ufffd",
        ),
        (FRENCH.encode().replace("û".encode(), b"\xfb"), "utf-8", FRENCH.replace("û", "\ufffd")),
        ("Привет, где мой заказ".encode() + b"\xaa", "utf-8", "Привет, где мой заказ\ufffd"),
        (b"\\ud800", "unicode_escape", "\\ud800"),
        (b"\xef\xbb\xbfhello\r\nyou\x00", "utf-8", "hello\nyou"),
    ],
)
def test_the_text_is_read(content: bytes, claimed: str | None, text: str) -> None:
    assert decoded(content, claimed) == text


@given(
    st.binary(max_size=300),
    st.none() | st.text(max_size=10) | st.sampled_from(["hex", "rot13", "idna", "utf-16", "big5"]),
)
def test_any_bytes_become_text_that_can_be_stored(content: bytes, claimed: str | None) -> None:
    text = decoded(content, claimed)
    assert "\x00" not in text
    assert text.encode().decode() == text


@given(st.text(st.characters(), max_size=60))
def test_a_header_value_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert clean(line) == line


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("<script>x</script><style>y</style>Hi", "Hi"),
        ("<a href='https://x.example'>here</a><img src='cid:1'>", "here"),
        ("1. not a list - nor this", "1. not a list - nor this"),
        ("<blockquote>old</blockquote>new", "> old\n\nnew"),
        ("R&eacute;clamation &amp; co", "Réclamation & co"),
        ("", ""),
        ("<p>unclosed <b>tags", "unclosed tags"),
    ],
)
def test_html_is_read_as_words(html: str, text: str) -> None:
    assert from_html(html) == text


@pytest.mark.parametrize("blank", ["\n", " \n", "\xa0\n\t"])
def test_a_stretch_of_nothing_is_one_blank(blank: str) -> None:
    """Unshortened, 150 KB of line breaks took the library more than three minutes."""
    assert from_html(f"<p>One</p>two{blank * 50_000}three") == "One\n\ntwo three"
