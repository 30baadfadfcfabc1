"""Mails as nobody should write them."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import MalformedPayload
from shared.mail.headers import Mailbox, header_pairs
from shared.mail.reading import Part, read_mail
from shared.mail.structure import DEEPEST_PART, LONGEST_HEADER, MOST_HEADERS, MOST_PARTS


def nested(levels: int) -> bytes:
    lines = []
    for level in range(levels):
        lines += [f"Content-Type: multipart/mixed; boundary=b{level}", "", f"--b{level}"]
    return "\n".join([*lines, "", "hello"]).encode()


def multipart(subtype: str, *parts: str) -> bytes:
    body = "".join(f"--x\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary=x\n\n{body}--x--\n".encode()


PLAIN = "Content-Type: text/plain\n\nplain"
HTML = "Content-Type: text/html\n\n<p>html</p>"
BLANK = "Content-Type: text/plain\n\n \n"
CALENDAR = "Content-Type: text/calendar\n\nBEGIN:VCALENDAR"


@pytest.mark.parametrize(
    ("content", "text", "types"),
    [
        (multipart("alternative", PLAIN, HTML), "plain", []),
        (multipart("alternative", HTML, PLAIN), "plain", []),
        (multipart("alternative", BLANK, HTML), "html", []),
        (multipart("alternative", HTML), "html", []),
        (multipart("alternative", PLAIN, HTML, CALENDAR), "plain", ["text/calendar"]),
        (multipart("alternative", BLANK), "", []),
        (multipart("mixed", PLAIN, HTML), "plain\n\nhtml", []),
        (
            multipart("mixed", PLAIN, "Content-Disposition: attachment\n\nfile"),
            "plain",
            ["text/plain"],
        ),
        (
            multipart("mixed", PLAIN, "Content-Type: text/plain; name=a.txt\n\nfile"),
            "plain",
            ["text/plain"],
        ),
        (multipart("mixed"), "", []),
        (b"Content-Type: multipart/mixed\n\nno boundary", "no boundary", []),
        (b"Content-Type: nonsense\n\nhello", "hello", []),
        (b"Content-Type: image/png\n\n\x89PNG", "", ["image/png"]),
        (b"", "", []),
        (b"\n\nonly a body", "only a body", []),
    ],
)
def test_words_and_files_are_told_apart(content: bytes, text: str, types: list[str]) -> None:
    mail = read_mail(content)
    assert mail.text.strip() == text
    assert [part.content_type for part in mail.parts] == types


def test_a_forwarded_message_is_one_file() -> None:
    mail = read_mail(
        multipart("mixed", PLAIN, "Content-Type: message/rfc822\n\nSubject: s\n\ninner")
    )
    assert mail.text == "plain"
    assert mail.parts == (Part("", "message/rfc822", b"Subject: s\n\ninner"),)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\\x\\bill.pdf"', "bill.pdf"),
        ("attachment; filename*=utf-8''caf%C3%A9.png", "café.png"),
        ("attachment; filename*0=a; filename*1=b.txt", "ab.txt"),
        ("attachment; filename*=nonsense", "nonsense"),
        ("attachment", ""),
    ],
)
def test_a_file_name_is_a_name_and_no_path(disposition: str, name: str) -> None:
    head = f"Content-Type: application/pdf\nContent-Disposition: {disposition}"
    assert read_mail(f"{head}\n\nx".encode()).parts[0].name == name


@pytest.mark.parametrize("levels", [DEEPEST_PART + 2, MOST_PARTS + 1, 5_000])
def test_a_mail_nested_too_deeply_is_malformed(levels: int) -> None:
    with pytest.raises(MalformedPayload):
        read_mail(nested(levels))


def test_a_name_of_a_thousand_words_is_none_and_its_address_is_read() -> None:
    assert read_mail(b"To: " + b"," * 3_000 + b"\n\nx").mailboxes("to") == []
    mail = read_mail(b"From: " + b"a b " * 900 + b"<ann@a.example>\n\nx")
    assert mail.mailboxes("from") == [Mailbox("", "ann@a.example")]
    assert mail.mailboxes("from") == [Mailbox("", "ann@a.example")]


def test_boundaries_that_no_head_names_are_words() -> None:
    """They were all searched for in the whole mail once: minutes."""
    named = b"".join(b"boundary=%d\n" % number for number in range(100_000))
    assert read_mail(b"Subject: a\n\n" + named).text.startswith("boundary=0\nboundary=1\n")


def test_a_head_of_megabytes_is_looked_at_only_at_its_top() -> None:
    pairs = header_pairs(b"Received: us\n" + b"a: b\n" * 1_000_000 + b"\nWords")
    assert pairs[0] == ("Received", "us")
    assert len(pairs) == MOST_HEADERS


def test_a_mail_of_too_many_parts_is_malformed() -> None:
    assert len(read_mail(multipart("mixed", *[PLAIN] * (MOST_PARTS - 1))).text) > MOST_PARTS
    with pytest.raises(MalformedPayload):
        read_mail(multipart("mixed", *[PLAIN] * MOST_PARTS))


@pytest.mark.parametrize(
    ("value", "boxes"),
    [
        ("Ann <ann@a.example>", [Mailbox("Ann", "ann@a.example")]),
        ("ann@a.example", [Mailbox("", "ann@a.example")]),
        ('"A, B" <a@b.example>, c@d.ex', [Mailbox("A, B", "a@b.example"), Mailbox("", "c@d.ex")]),
        ("=?utf-8?q?=3Cevil=40e.ex=3E?= <ann@a.ex>", [Mailbox("<evil@e.ex>", "ann@a.ex")]),
        ("Group: a@b.example;", [Mailbox("", "a@b.example")]),
        ("undisclosed-recipients:;", []),
        ("<>", []),
        ("not an address", []),
        ("<a@b.example", [Mailbox("", "a@b.example")]),
    ],
)  # fmt: skip
def test_addresses_are_read(value: str, boxes: list[Mailbox]) -> None:
    assert read_mail(f"From: {value}\n\n".encode()).mailboxes("from") == boxes


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Fri, 20 Nov 2026 10:00:00 +0100", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("20 Nov 2026 10:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 10:00:00 -0000", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("Fri, 32 Nov 2026 10:00:00 +0000", None),
        ("1 Jan 0001 00:00:00 +9999", None),
        ("31 Dec 9999 23:59:59 -2300", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_read_or_there_is_none(value: str, moment: datetime | None) -> None:
    assert read_mail(f"Date: {value}\n\n".encode()).date == moment


HEADERS = st.sampled_from(
    (
        *("From", "To", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "References"),
        *("Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "X-Y"),
    )
)
VALUES = st.text(st.characters(), max_size=40) | st.sampled_from(
    [
        "multipart/mixed; boundary=x",
        "multipart/alternative; boundary=\"",
        "text/html; charset=\"",
        "message/rfc822",
        "message/partial",
        "=?utf-8?b?=?=",
        "=?x?q?=ZZ?= <@>",
        "<[>]\"(",
        "base64",
        "uuencode",
        "a@b@c, <", ":;", "\"\\", "(((((", "[" * 50, "\x00", "\ud800",
    ]
)  # fmt: skip
BODIES = st.text(st.characters(), max_size=80) | st.sampled_from(
    ["--x\n\nhello\n--x--", "--x\nContent-Type: text/html\n\n<![x[<!--", "SGVsbG8", "begin 1 x\n"]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(HEADERS, VALUES), max_size=8), BODIES)
def test_any_mail_is_read_or_malformed(headers: list[tuple[str, str]], body: str) -> None:
    head = "".join(f"{name}: {value}\n" for name, value in headers)
    try:
        mail = read_mail(f"{head}\n{body}".encode("utf-8", "surrogatepass"))
    except MalformedPayload:
        return
    for text in (mail.text, *(value for values in mail.headers.values() for value in values)):
        assert text.encode().decode() == text
    for name in ("from", "reply-to", "to"):
        assert all("@" in box.address for box in mail.mailboxes(name))
    assert mail.date is None or mail.date.tzinfo is UTC


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(content: bytes) -> None:
    assert read_mail(content).text is not None


BOMB = 150_000
"""Bytes of the largest mail that SNS carries."""


@pytest.mark.parametrize(
    "content",
    [
        "To: " + "a@b.example, " * (BOMB // 13),
        "From: " + '"a" ' * (BOMB // 4),
        "From: a@b.example\n" * (BOMB // 18),
        "Content-Type: text/plain; " + "a=b; " * (BOMB // 5),
        "Content-Disposition: attachment; " + "filename=b; " * (BOMB // 12),
        "X: y\n" * (BOMB // 5),
    ],
    ids=["addresses", "names", "authors", "parameters", "file names", "headers"],
)
def test_a_bomb_in_a_header_is_looked_at_only_in_part(content: str) -> None:
    """Without a bound each took Python's parser up to forty seconds."""
    mail = read_mail(f"{content}\n\nhello".encode())
    assert sum(map(len, mail.headers.values())) <= MOST_HEADERS
    assert all(len(value) <= LONGEST_HEADER for values in mail.headers.values() for value in values)
    assert len(mail.mailboxes("from")) + len(mail.mailboxes("to")) < LONGEST_HEADER


@pytest.mark.parametrize(
    "markup",
    ["<ul><li>a", "<blockquote>a", "<!--", "<a ", "<", "<table><tr><td>a", "<script>", "<pre>a"],
)
def test_a_bomb_of_html_grows_no_further(markup: str) -> None:
    """Nested lists made three hundred megabytes of one mail, unclosed tags took minutes."""
    html = markup * (BOMB // len(markup))
    mail = read_mail(f"Content-Type: text/html\n\n{html}".encode())
    assert len(mail.text) <= 2 * BOMB


def test_deep_but_sound_html_is_still_read() -> None:
    html = "<ul><li>one" * 70 + "<br>two &amp; three" + "</li></ul>" * 70
    assert "two & three" in read_mail(f"Content-Type: text/html\n\n{html}".encode()).text


def test_many_headers_of_a_name_are_read_no_further_than_one() -> None:
    """Ten of them at their longest took seconds, each time one was asked for."""
    header = "From: " + "a@b.example, " * 300
    mail = read_mail(("\n".join([header] * 10) + "\n\nhello").encode())
    longest = LONGEST_HEADER // len("a@b.example, ") + 1
    assert 300 < len(mail.mailboxes("from")) <= longest


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("image/svg+xml", "image/svg+xml"),
        ("application/vnd.ms-excel.sheet.macroEnabled.12", None),
        ("image/pñg", "application/octet-stream"),
        ("image/p\x01ng", "application/octet-stream"),
        ("image/", "application/octet-stream"),
        ("image/p ng", "application/octet-stream"),
        (f"image/{'x' * 300}", "application/octet-stream"),
    ],
)
def test_a_file_is_of_a_type_that_a_header_can_hold(stated: str, kept: str | None) -> None:
    """The store of files refuses every other, and with it the whole mail."""
    content = multipart("mixed", f"Content-Type: {stated}; name=a\n\nfile")
    (part,) = read_mail(content).parts
    assert part.content_type == (kept or stated.lower())


@pytest.mark.parametrize(
    ("stated", "minute"),
    [
        ("Sun, 22 Nov 2026 11:58:00 +0100", "10:58"),
        ("Sun, 22 Nov 2026 11:58:00.518 +0000 (UTC)", "11:58"),
        ("Sun, 22 Nov 2026 11:58:00 -04:00", "15:58"),
        ("Sun, 22 Nov 2026 11:58:00 -0000", "11:58"),
    ],
)
def test_a_date_is_read_as_real_servers_write_it(stated: str, minute: str) -> None:
    written = read_mail(f"Date: {stated}\n\n".encode()).date
    assert written is not None
    assert f"{written:%H:%M}" == minute


SERVER = re.compile(r"\bby mx\.carrier\.example\b")
OURS = "from a by mx.carrier.example with ESMTP; Sun, 22 Nov 2026 11:58:00 +0000"
THEIRS = "from b by mx.sender.example with ESMTP; Sun, 22 Nov 2026 08:00:00 +0000"


def test_only_the_server_that_wrote_last_says_when_a_mail_came() -> None:
    mail = read_mail(f"Received: {OURS}\nReceived: {THEIRS}\n\n".encode())
    assert mail.taken_in(SERVER) == datetime(2026, 11, 22, 11, 58, tzinfo=UTC)
    for headers in (f"Received: {THEIRS}\nReceived: {OURS}\n", "Received: by x\n", ""):
        assert read_mail(f"{headers}\n".encode()).taken_in(SERVER) is None
