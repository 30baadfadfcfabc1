"""A mail is taken apart where its boundaries are, whatever its head says, and at little cost."""

from base64 import b64encode

import pytest

from shared.domain.errors import MalformedPayload
from shared.mail.reading import LONGEST_WORDS, read_mail
from shared.mail.structure import LONGEST_HEAD, MOST_PARTS, take_apart

TEXT, FILE = "Content-Type: text/plain\n\nBonjour", "Content-Type: application/pdf\n\nfile"


def mail(boundary: str, *lines: str) -> bytes:
    return "\n".join([f"Content-Type: multipart/mixed; {boundary}", "", *lines]).encode()


INNER = "Content-Type: multipart/mixed; boundary="
BUILT = {
    "sound": mail("boundary=x", "--x", TEXT, "--x", FILE, "--x--"),
    "words around": mail('boundary="x"', "above", "--x", TEXT, "--x", FILE, "--x--", "below"),
    "no end": mail("boundary=x", "--x \t", TEXT, "--x", FILE),
    "a longer one": mail("boundary=x", "--x", TEXT, "--x", FILE, "--xy", "--x--"),
    "no quotes": mail("boundary=----=_P.1", "------=_P.1", TEXT, "------=_P.1", FILE),
    "another": mail("boundary=another", "--x", TEXT, "--x", FILE, "--x--"),
    "none": mail("format=none", "--x", TEXT, "--x", FILE, "--x--"),
    "unclosed within": mail("boundary=x", "--x", f"{INNER}y", "", "--y", TEXT, "--x", FILE),
    "one for two": mail("boundary=x", "--x", f"{INNER}x", "", "--x", TEXT, "--x--", "--x", FILE),
}


@pytest.mark.parametrize("content", BUILT.values(), ids=BUILT)
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_the_parts_are_found(content: bytes, ends: bytes) -> None:
    read = read_mail(content.replace(b"\n", ends))
    assert read.text.strip() == "Bonjour"
    assert [(part.content_type, part.content[:4]) for part in read.parts] == [
        ("application/pdf", b"file")
    ]


def test_a_single_part_is_found_whatever_the_head_says() -> None:
    assert read_mail(mail("boundary=another", "--x", TEXT, "--x--")).text == "Bonjour"


def test_a_mail_of_a_digest_is_a_file_without_saying_so() -> None:
    content = mail("boundary=x", "--x", "", "Subject: one", "", "words", "--x--")
    read = read_mail(content.replace(b"mixed", b"digest"))
    assert [(part.content_type, part.content) for part in read.parts] == [
        ("message/rfc822", b"Subject: one\n\nwords")
    ]
    assert read.text == "words"


def test_a_head_ends_where_no_header_goes_on() -> None:
    assert read_mail(b"Subject: a\nwords: without a blank line\nbut here").text == "but here"
    assert read_mail(b"Subject: a\n \nX: y\n\nwords").text == "words"
    assert read_mail(b"X: " + b"y" * LONGEST_HEAD + b"\r\nZ: z\r\n\r\nwords").text == "words"
    assert read_mail(b"X: y\n" * LONGEST_HEAD).text == ""


def test_a_line_that_is_no_boundary_four_hundred_times_is_refused() -> None:
    with pytest.raises(MalformedPayload):
        take_apart(mail("boundary=x", *["a --x"] * 2 * MOST_PARTS))
    assert take_apart(mail("boundary=x", *["a --x"] * MOST_PARTS)).parts is None


@pytest.mark.parametrize(
    ("encoding", "written", "content"),
    [
        ("base64", b"JVBE\r\nRi0=", b"%PDF-"),
        ("BASE64 ", b"JVBERi0", b"%PDF-"),
        ("base64", b"words that are none, and stay", b"words that are none, and stay"),
        ("quoted-printable", b"a=3D=\nb", b"a=b"),
        ("x-uuencode", b"begin 644 a\n#86)C\n`\nend\n", b"abc"),
        ("x-uuencode", b"begin 644 a\n#86)C86)C\n `\nend\n", b"abc"),
        ("uuencode", b"begin 644 a\n\xff\xff\nend\n", b""),
        ("uuencode", b"nothing begins", b"nothing begins"),
        ("8bit", b"a=3D\xff", b"a=3D\xff"),
        ("nonsense", b"a=3D", b"a=3D"),
    ],
)  # fmt: skip
def test_a_file_is_unpacked(encoding: str, written: bytes, content: bytes) -> None:
    head = f"Content-Type: application/pdf\nContent-Transfer-Encoding: {encoding}\n\n"
    assert read_mail(head.encode() + written).parts[0].content == content


@pytest.mark.parametrize(
    "stated",
    [
        "text/plain; x*",
        "text/plain; x*1*",
        "text/plain; name*=undefined''a",
        f"text/plain; {'(' * 900}",
        "text/plain; a=" + '"(' * 400,
        f"text/plain{'; a=b' * 200}",
    ],
)
@pytest.mark.parametrize("name", ["Content-Type", "Content-Disposition"])
def test_a_head_that_the_parser_breaks_at_is_read_as_text(name: str, stated: str) -> None:
    """It is the mail of whoever wrote it: unread, its carrier would bring it again and lose it."""
    mail = read_mail(f"Subject: x\r\n{name}: {stated}\r\n\r\nBonjour".encode())
    assert (mail.header("subject"), mail.content_type) == ("x", "text/plain")
    assert mail.text == "Bonjour" or name == "Content-Disposition"


def test_a_dear_name_of_a_file_is_found_all_the_same() -> None:
    name = f"bill {'(1)' * 41}.pdf"
    head = f'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="{name}"'
    (file,) = read_mail(f"{head}\r\n\r\n%PDF".encode()).parts
    assert (file.name, file.content_type) == (name, "application/pdf")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename=my bill 2026 (1).pdf", "my bill 2026 (1).pdf"),
        ("filename=a=b.pdf; size=3", "a=b.pdf"),
        ("filename=C:\\temp\\bill.pdf", "bill.pdf"),
        ("filename=bill.pdf", "bill.pdf"),
    ],
)
def test_a_name_without_its_quotes_is_whole(parameters: str, name: str) -> None:
    head = f"Content-Type: application/pdf\nContent-Disposition: attachment; {parameters}"
    assert read_mail(f"{head}\n\nx".encode()).parts[0].name == name


UUENCODED = "begin 644 a.txt\n#86)C\n`\nend\nbegin 644 \n#9&5F\n`\nend"


def test_a_file_within_the_text_is_a_file() -> None:
    read = read_mail(f"Subject: Notes\n\nSee below\n\n{UUENCODED}\n\nThanks".encode())
    assert read.text == "See below\n\n\nThanks"
    assert [(part.name, part.content) for part in read.parts] == [("a.txt", b"abc"), ("", b"def")]


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 but never end",
        "we begin 644 times\nand end\nhere",
        "begin 644 a\n\nend",
        "begin with this\nend",
    ],
)
def test_words_that_look_like_a_file_stay(text: str) -> None:
    read = read_mail(f"Subject: x\n\n{text}".encode())
    assert (read.text, read.parts) == (text, ())


# What it costs


def test_words_below_a_picture_of_megabytes_are_read() -> None:
    picture = b64encode(b"x" * 3_000_000).decode()
    html = f"<p>Above</p><img src='data:image/png;base64,{picture}'><p>Below</p>"
    assert read_mail(f"Content-Type: text/html\n\n{html}".encode()).text == "Above\n\nBelow"
    short = "<p>data: here</p><img src='data:image/gif;base64,R0lGOD'>data:"
    assert read_mail(f"Content-Type: text/html\n\n{short}".encode()).text == "data: here\n\ndata:"


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_a_text_is_read_to_a_length_and_never_to_half_a_character(
    encoding: str, subtype: str
) -> None:
    text = "é" * LONGEST_WORDS
    written = {"8bit": text.encode(), "base64": b64encode(text.encode())}.get(
        encoding, b"=C3=A9" * LONGEST_WORDS
    )
    head = f"Content-Type: text/{subtype}; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n"
    for shift in (b"", b"a"):
        words = read_mail(head.encode() + (shift if encoding != "base64" else b"") + written).text
        assert set(words) <= {"é", "a"}
        assert LONGEST_WORDS // 2 - 2 <= len(words) <= LONGEST_WORDS // 2


def test_html_is_cut_in_front_of_a_tag() -> None:
    html = "<p>Bonjour</p>" + "<b class=a>" * LONGEST_WORDS
    assert read_mail(f"Content-Type: text/html\n\n{html}".encode()).text == "Bonjour"
