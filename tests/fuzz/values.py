"""Values that break readers: what a mutation puts where something sound stood."""

import json
from typing import Any

from tests.unit.providers.fixtures import FIXTURES

CANARY = "Quetzalcoatl"
"""A word of a person: no error may repeat it, for errors are logged."""

RAW_NUMBERS = {
    "@@digits@@": "9" * 5_000,
    "@@many-digits@@": "-" + "7" * 60_000,
    "@@power@@": "1e999999999",
    "@@fraction@@": "0." + "3" * 20_000,
    "@@nan@@": "NaN",
    "@@minus-zero@@": "-0.0",
    "@@leading-zero@@": "007",
}
"""Numbers that Python would not write: they are put in when the document is text."""

NUMBERS = (0, -1, 1, 2, 1.5, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 10**400)

STRINGS = (
    "",
    " ",
    "\x00",
    "\x00" + CANARY,
    CANARY,
    CANARY * 30,
    f"{CANARY}@example.org",
    f'"{CANARY}" <{CANARY}@bücher.example>',
    "\ud800",
    f"\udcff{CANARY}",
    "\u202e@\u202e",
    "\ufeff",
    "é" * 400,
    "\ufdfa" * 300,
    "İ" * 64 + "@" + "İ" * 250,
    "a" + "\u0301" * 500,
    "👨‍👩‍👧‍👦" * 50,
    "²",
    "٣",
    "-0",
    "0",
    "9" * 5_000,
    "1e999999999",
    "NaN",
    "Infinity",
    "true",
    "null",
    "[]",
    "{",
    "[" * 300,
    "0000-00-00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-02-30T25:00:00Z",
    "2026-11-20",
    "yesterday",
    "P1Y",
    "253402300800",
    "-62135596801",
    "99999999999999999999",
    "=?utf-8?b?////?=",
    "=?utf-8?q?" + "=E2" * 300,
    "a\r\nBcc: b@example.org",
    "<" * 200,
    "<a@b>" * 200,
    ">" * 500,
    "((((" * 100,
    '"' * 101,
    "\\" * 301,
    "a," * 2_000,
    "https://[",
    "https://user@127.0.0.1:99999/",
    "javascript:alert(1)",
    "data:text/plain;base64,AAAA",
    "../../etc/passwd",
    "x" * 320,
    "x" * 321,
    "x" * 513,
    "x" * 1_025,
    "x" * 70_000,
    "\n" * 5_000,
    "a b " * 10_000,
    "!" * 40_000,
    "=" * 40_000,
    "&amp;" * 5_000,
    "&#x41;" * 3_000,
    "%00%ff%zz",
    "xn--" + "a" * 60 + ".example",
)

CHARSETS = (
    "utf-8",
    "utf-16",
    "utf-7",
    "us-ascii",
    "iso-8859-1",
    "windows-1252",
    "iso-2022-jp",
    "hz",
    "gb18030",
    "big5",
    "cp037",
    "idna",
    "punycode",
    "unicode_escape",
    "rot13",
    "zlib",
    "bz2",
    "base64",
    "undefined",
    "mbcs",
    "x-unknown",
    "",
    "'",
    CANARY,
    "\x00",
    "u" * 500,
)

MEDIA_TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    'multipart/form-data; boundary="x"',
    "multipart/form-data; boundary=" + "b" * 300,
    "multipart/form-data; boundary=a\r\nb",
    "multipart/mixed; boundary=x",
    "text/plain",
    "text/plain; charset=utf-16",
    "text/html; charset=x",
    "message/rfc822",
    "application/octet-stream",
    "application/json; charset=utf-16",
    "APPLICATION/JSON ;;;",
    "/",
    "",
    ";",
    "é",
)

MAIL_HEADERS = (
    f"From: {CANARY} <{CANARY}@example.org>",
    "From: <>",
    "From: a@example.org, b@example.org",
    "From: " + "(" * 200,
    "From: " + '"' * 99,
    "From: " + "a@b.example, " * 200,
    "From: undisclosed-recipients:;",
    "From: =?utf-8?q?=00?= <a@example.org>",
    "From: a@[127.0.0.1]",
    "From:",
    "Sender: @",
    "Reply-To: a@b@c",
    "To: " + "," * 3_000,
    "To: g: " + "x@example.org, " * 50 + ";",
    "Date: Thu, 99 Foo 99999 99:99:99 +9999",
    "Date: 0",
    "Date: Fri, 20 Nov 2026 09:00:00 -2400",
    "Message-ID:",
    "Message-ID: " + "<" * 300,
    f"Message-ID: <{CANARY}@" + "x" * 400 + ">",
    "References: " + "<a@b> " * 900,
    "In-Reply-To: <é@\udcff>",
    "Subject: =?iso-2022-jp?b?GyRC?=",
    "Subject: " + "=?utf-8?b?4oKs?= " * 250,
    "Subject: " + "Re: " * 1_000,
    "Subject: \udcff\udcfe",
    "Content-Type: multipart/mixed",
    'Content-Type: multipart/alternative; boundary=""',
    "Content-Type: text/plain; charset*=''x; charset*0=a; charset*1=b",
    "Content-Type: " + "a/" * 400,
    "Content-Type: text/html",
    "Content-Type: message/rfc822",
    "Content-Type: message/delivery-status",
    "Content-Type: message/external-body; access-type=x",
    "Content-Type: text/calendar; method=REQUEST",
    "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
    "Content-Type: text/plain; format=flowed; delsp=yes",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Transfer-Encoding: x-uuencode",
    "Content-Transfer-Encoding: 7bit",
    "Content-Disposition: attachment",
    "Content-Disposition: attachment; filename*=utf-8''%ff%00; filename*1=x",
    'Content-Disposition: attachment; filename="' + "../" * 100 + '"',
    "Authentication-Results: " + "(" * 200 + ")" * 200,
    "Authentication-Results: mxa.mailgun.org; dmarc=pass header.from=example.org; dmarc=pass",
    "Auto-Submitted: auto-replied",
    "Precedence: bulk",
    "Received: " + "x" * 4_000,
    "List-Id: <.>",
    "X:" + "y" * 60_000,
    ": no name",
    "no colon at all",
    " folded into nothing",
)

HTML = (
    "<div>" * 300,
    "<blockquote>" * 100,
    "<table><tr><td>" * 80,
    "<" * 3_000,
    "<!--" * 200,
    "<![CDATA[",
    "<!DOCTYPE " + "[" * 200,
    "<a " + "b=c " * 2_000 + ">",
    "<p style='" + "a;" * 2_000 + "'>",
    "&#" + "9" * 200 + ";",
    "&#xd800;&#x110000;",
    "<ul><li>" * 100,
    "<ol start='99999999999999999999'><li>x",
    "<ol start='²'><li>x",
    "<pre>" * 100,
    "<script>" + "x" * 9_000,
    "<style>" + "{" * 900,
    "</p>" * 900,
    "<br>" * 5_000,
    "\xa0" * 5_000,
    "<td colspan='1e9'>x",
)


def _known() -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Keys and short values of every provider's fixtures: what another provider calls things."""
    keys: set[str] = set()
    values: dict[str, Any] = {}

    def walk(value: Any) -> None:
        match value:
            case dict():
                keys.update(value)
                for one in value.values():
                    walk(one)
            case list():
                for one in value:
                    walk(one)
            case _ if len(str(value)) < 60:
                values.setdefault(json.dumps(value), value)

    for file in sorted(FIXTURES.glob("*/*.json")):
        try:
            walk(json.loads(json.loads(file.read_text())["request"].get("body", "")))
        except ValueError:
            continue
    return tuple(sorted(keys)), tuple(values[key] for key in sorted(values))


KNOWN_KEYS, KNOWN_VALUES = _known()
