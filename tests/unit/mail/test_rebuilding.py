"""A mail that its carrier took apart is read like one that came whole."""

from hypothesis import given
from hypothesis import strategies as st

from shared.mail.reading import read_mail
from shared.mail.rebuilding import Enclosure, Words, rebuilt

HEADERS = [("From", "Awa <awa@example.org>"), ("Content-Type", "text/html"), ("Subject", "Où ?")]


def test_headers_words_and_files_come_back() -> None:
    files = [
        Enclosure("a/é.pdf", "application/pdf", b"\x00\xff\r\n--x"),
        Enclosure("", "text/plain", b"no words"),
    ]
    mail = read_mail(
        rebuilt(HEADERS, text=Words(b"Bonjour"), html=Words(b"<p>Salut</p>"), enclosures=files)
    )
    assert mail.header("subject") == "Où ?"
    assert mail.text == "Bonjour"
    assert [(one.name, one.content) for one in mail.parts] == [
        ("é.pdf", files[0].content),
        ("", files[1].content),
    ]


def test_html_alone_is_read_as_text() -> None:
    assert (
        read_mail(rebuilt(HEADERS, text=Words(b" "), html=Words(b"<p>Salut</p>"))).text == "Salut"
    )


def test_nothing_at_all_is_a_mail_too() -> None:
    assert read_mail(rebuilt([], text=Words(b""), html=Words(b""))).text == ""


def test_a_report_stays_one() -> None:
    report = [("Content-Type", "multipart/report; report-type=delivery-status")]
    assert (
        read_mail(rebuilt(report, text=Words(b"x"), html=Words(b""))).content_type
        == "multipart/report"
    )


def test_a_header_cannot_end_the_headers() -> None:
    mail = read_mail(
        rebuilt([("Subject", "x\r\n\r\nBcc: a"), ("B c:c", "y")], text=Words(b"z"), html=Words(b""))
    )
    assert mail.header("subject") == "x Bcc: a"
    assert mail.text == "z"


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=50),
    content=st.binary(max_size=200),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=20),
    kind=st.sampled_from(["application/pdf", "multipart/mixed", "text/html", "no type", ""]),
)
def test_whatever_a_file_holds_it_comes_back(
    text: str, content: bytes, name: str, kind: str
) -> None:
    files = [Enclosure(name.replace("/", "").replace("\\", ""), kind, content, "id@x")]
    mail = read_mail(rebuilt([], text=Words(text.encode()), html=Words(b""), enclosures=files))
    assert [part.content for part in mail.parts] == [content]
    assert mail.text.split() == text.split()


def test_one_from_more_is_not_left_out_for_how_it_is_spelled() -> None:
    headers = [("From ", "eve@evil.example"), *HEADERS]
    mail = read_mail(rebuilt(headers, text=Words(b"Bonjour"), html=Words(b"")))
    assert mail.headers["from"] == ["eve@evil.example", "Awa <awa@example.org>"]
