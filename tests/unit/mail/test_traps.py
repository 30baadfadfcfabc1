"""Mails as they really come: what clients and gateways do to MIME, and what of it is still read."""

from base64 import b64encode
from itertools import product

import pytest

from shared.domain.errors import MalformedPayload
from shared.mail.flowed import unflowed
from shared.mail.quoting import newest_of
from shared.mail.reading import Part, read_mail
from shared.mail.structure import MOST_HEADERS

RUSSIAN, CHINESE = "Где мой заказ?", "我的订单在哪里？还没有收到。"
JAPANESE = "注文した商品がまだ届きません。"


def mail(head: str, body: str | bytes, *, ends: bytes = b"\n") -> bytes:
    content = body if isinstance(body, bytes) else body.encode()
    return (head.encode("utf-8", "surrogateescape") + b"\n\n" + content).replace(b"\n", ends)


def multipart(kind: str, *parts: str) -> bytes:
    body = "".join(f"--x\n{part}\n" for part in parts)
    return (
        f"MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=x\n\n{body}--x--\n".encode()
    )


PLAIN = "Content-Type: text/plain; charset=utf-8\n\nBonjour"


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        ("Content-Type: text/plain; charset=koi8-r", RUSSIAN.encode("koi8-r"), RUSSIAN),
        ("Content-Type: text/plain; charset=gb18030", CHINESE.encode("gb18030"), CHINESE),
        ("Content-Type: text/plain; charset=gb2312", CHINESE.encode("gb18030"), CHINESE),
        ("Content-Type: text/plain; charset=iso-2022-jp", JAPANESE.encode("iso2022_jp"), JAPANESE),
        ("X: no type at all", JAPANESE.encode("iso2022_jp"), JAPANESE),
        ("Content-Type: text/plain; charset=iso-8859-1", b"5 \x80 \x93now\x94", "5 € “now”"),
        ("Content-Type: text/plain; charset=utf-8", b"caf\xe9 cr\xe8me", "café crème"),
        ("Content-Type: text/plain", "8 bits: é".encode(), "8 bits: é"),
        ("Content-Type: text/plain; charset=ansi_x3.110-1983", b"Bonjour", "Bonjour"),
        ("Content-Type: text/plain; charset=\"utf-8\"; charset=latin1", "é".encode(), "é"),
        ("Content-Type: text/html", f"<meta charset=koi8-r>{RUSSIAN}".encode("koi8-r"), RUSSIAN),
        ("Content-Type: text/plain", b"with\x00 NUL\x07", "with NUL"),
        ("Content-Transfer-Encoding: quoted-printable", b"a=\n b =C3=A9 =ZZ=", "a b é =ZZ"),
        ("Content-Transfer-Encoding: base64", b"Qm9u!@#am91cg==trailing", "Bonjour"),
        ("Content-Transfer-Encoding: base64", b"Qm9uam91cg", "Bonjour"),
        ("Content-Transfer-Encoding: x-unheard-of", b"Bonjour", "Bonjour"),
    ],
)  # fmt: skip
def test_the_words_are_read(head: str, body: bytes, text: str) -> None:
    assert read_mail(mail(head, body)).text.strip() == text


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_lines_end_as_they_like(ends: bytes) -> None:
    read = read_mail(mail("From: a@b.example\nSubject: long\n  and folded", "one\ntwo", ends=ends))
    assert read.header("subject") == "long and folded"
    assert read.text == "one\ntwo"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Subject: =?utf-8?Q?Caf=C3=A9?= =?utf-8?Q?_noir?=", "Café noir"),
        ("Subject: =?utf-8?B?Q2Fmw6k?=", "Café"),
        ("Subject: =?gb2312?B?ztK1xLaptaU=?=", "我的订单"),
        ("Subject: =?x-unheard?Q?Bonjour?=", "Bonjour"),
        ("Subject: caf\udcc3\udca9", "café"),
        ("Subject: =?iso-8859-1?Q?Un=E9_phrase avec des espaces?=", None),
        ("Subject:", ""),
        ("X: no subject", ""),
    ],
)
def test_a_subject_is_read(header: str, value: str | None) -> None:
    subject = read_mail(mail(header, "")).header("subject")
    assert subject == value if value is not None else subject


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename*=UTF-8''re%C3%A7u.pdf", "reçu.pdf"),
        ("filename*0*=UTF-8''re%C3%A7u; filename*1*=%20deux.pdf", "reçu deux.pdf"),
        ('filename="=?utf-8?B?cmXDp3UucGRm?="', "reçu.pdf"),
        ("filename==?utf-8?Q?re=C3=A7u.pdf?=", "reçu.pdf"),
        ('filename="re\udcc3\udca7u.pdf"', "reçu.pdf"),
        ("filename", ""),
        ('filename=""', ""),
    ],
)
def test_a_file_keeps_its_name(parameters: str, name: str) -> None:
    head = f"Content-Type: application/pdf\nContent-Disposition: attachment; {parameters}"
    assert read_mail(mail(head, "x")).parts[0].name == name


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("application/ms-tnef", "winmail.dat"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m"),
        ("application/pgp-signature", "signature.asc"),
        ("application/pdf", ""),
    ],
)
def test_what_has_a_usual_name_gets_it(content_type: str, name: str) -> None:
    read = read_mail(multipart("mixed", PLAIN, f"Content-Type: {content_type}\n\nx"))
    assert read.text == "Bonjour"
    assert [part.name for part in read.parts] == [name]


def test_a_picture_within_the_text_is_a_file() -> None:
    html = 'Content-Type: text/html\n\n<p>Look <img src="cid:1"></p>'
    picture = "Content-Type: image/png\nContent-ID: <1>\nContent-Disposition: inline\n\nPNG"
    read = read_mail(multipart("related", html, picture))
    assert read.text == "Look"
    assert read.parts == (Part("", "image/png", b"PNG"),)


INVITATION = """Content-Type: text/calendar; method=REQUEST; charset=utf-8

BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART;TZID="Europe/Paris":20261123T100000
SUMMARY;LANGUAGE=fr:Essayage\\, robe
DESCRIPTION:Une ligne\\net une autre
  longue
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR"""


def test_an_invitation_alone_is_read_as_words() -> None:
    read = read_mail(multipart("alternative", INVITATION))
    assert read.text == "Essayage, robe\n2026-11-23 10:00\nUne ligne\net une autre longue"
    assert [part.name for part in read.parts] == ["invite.ics"]
    assert read_mail(multipart("alternative", PLAIN, INVITATION)).text == "Bonjour"


def test_a_calendar_without_an_event_says_nothing() -> None:
    assert read_mail(mail("Content-Type: text/calendar", "BEGIN:VCALENDAR")).text == ""


def test_of_a_mail_that_only_hands_on_another_the_other_is_read() -> None:
    inner = "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: text/plain\n\nThe invoice"
    read = read_mail(multipart("mixed", inner))
    assert read.text == "The invoice"
    assert read.parts[0].content_type == "message/rfc822"
    assert read_mail(multipart("mixed", PLAIN, inner)).text == "Bonjour"
    assert read_mail(multipart("mixed", "Content-Type: message/rfc822\n\n")).text == ""


def test_a_mail_within_a_mail_is_kept_as_it_came() -> None:
    header = "Message-ID: <" + "x" * 120 + "@eu-west-1.amazonses.com>"
    read = read_mail(multipart("mixed", f"Content-Type: message/rfc822\n\n{header}\n\ninner"))
    assert header.encode() in read.parts[0].content


def test_what_is_signed_is_read_and_its_signature_is_a_file() -> None:
    signature = "Content-Type: application/pkcs7-signature; name=smime.p7s\n\nMII"
    read = read_mail(multipart('signed; protocol="application/pkcs7-signature"', PLAIN, signature))
    assert read.text == "Bonjour"
    assert [part.name for part in read.parts] == ["smime.p7s"]


def test_what_is_signed_in_line_loses_its_armour() -> None:
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nBonjour\n- - one\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQ==\n=x\n-----END PGP SIGNATURE-----\n"
    )
    assert read_mail(mail("Content-Type: text/plain", text)).text == "Bonjour\n- one"


def test_what_is_encrypted_has_no_words_and_says_so_by_its_files() -> None:
    version = "Content-Type: application/pgp-encrypted\n\nVersion: 1"
    content = "Content-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP"
    read = read_mail(multipart("encrypted", version, content))
    assert read.text == ""
    assert [part.name for part in read.parts] == ["version.txt", "encrypted.asc"]


FLOWED = "Content-Type: text/plain; format=flowed"


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (FLOWED, "A line \nthat flows.\n\nNext", "A line that flows.\n\nNext"),
        (FLOWED, " From stuffed", "From stuffed"),
        (FLOWED, "> quoted \n> and flowed\nnew", "> quoted and flowed\nnew"),
        (FLOWED, "> one \n>> two", "> one \n>> two"),
        (FLOWED, "end \n-- \nAnn", "end \n-- \nAnn"),
        (f"{FLOWED}; delsp=yes", "日本 \n語", "日本語"),
        ("Content-Type: text/plain", "not \nflowed", "not \nflowed"),
    ],
)
def test_flowed_lines_are_joined(head: str, body: str, text: str) -> None:
    assert read_mail(mail(head, body)).text == text


def test_flowing_costs_no_more_than_its_length() -> None:
    assert unflowed("> a \n" * 2_000, drops_space=True).count("\n") == 1


def test_no_header_is_needed() -> None:
    read = read_mail(b"\nonly words")
    assert (read.text, read.date, read.mailboxes("from")) == ("only words", None, [])
    assert read.message_ids("message-id") == ()


def test_two_authors_are_two() -> None:
    read = read_mail(mail("From: a@b.example\nFrom: c@d.example", ""))
    assert [box.address for box in read.mailboxes("from")] == ["a@b.example", "c@d.example"]


def test_ten_thousand_headers_are_a_few() -> None:
    head = "\n".join(f"X-{number}: y" for number in range(10_000))
    assert len(read_mail(mail(head, "hello")).headers) == MOST_HEADERS


def test_a_thousand_nested_parts_are_refused() -> None:
    nested = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(999)
    )
    with pytest.raises(MalformedPayload):
        read_mail(nested.encode())


def test_of_a_thousand_mails_in_one_another_a_few_are_opened() -> None:
    handed_on, innermost = "Content-Type: message/rfc822\n\n", "Subject: x\n\nwords"
    read = read_mail((handed_on * 1_000 + innermost).encode())
    assert read.text == ""
    assert [part.content_type for part in read.parts] == ["message/rfc822"]
    assert read_mail((handed_on * 3 + innermost).encode()).text == "words"


def test_what_is_encoded_twice_is_decoded_once() -> None:
    """There is no bomb in base64: a part is never longer than its mail."""
    inner = b64encode(b64encode(b"a" * 30_000))
    read = read_mail(mail("Content-Transfer-Encoding: base64", inner))
    assert len(read.text) < len(inner)


@pytest.mark.parametrize(
    "line", ["> a", "On 20/11/2026 10:00", "From: a@b.example", "<a@b\n>", "wrote:", "____________"]
)
def test_a_bomb_of_lines_is_looked_at_only_in_part(line: str) -> None:
    assert len(newest_of(f"{line}\n" * 30_000).text) <= 30_000 * (len(line) + 1)


def test_every_pair_of_odd_parts_is_read() -> None:
    odd = [
        PLAIN,
        INVITATION,
        "Content-Type: message/rfc822\n\nx",
        "",
        "Content-Type: image/png\n\nx",
    ]
    for pair in product(odd, repeat=2):
        assert read_mail(multipart("mixed", *pair)).content_type == "multipart/mixed"
