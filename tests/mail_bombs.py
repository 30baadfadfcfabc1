"""What the most expensive mails cost to read: `python -m tests.mail_bombs`.

Each is as large as SNS carries. Measured is the CPU of this process, the best of three, and the
peak of what Python allocates; it ends with 1 where one costs more than is allowed.
"""

import sys
import tracemalloc
from collections.abc import Callable
from time import process_time

from shared.domain.errors import MalformedPayload
from shared.mail.quoting import newest_of
from shared.mail.reading import read_mail

SIZE = 150_000
MOST_SECONDS = 0.05
MOST_BYTES = 64_000_000
RUNS = 3


def filled(unit: str, head: str = "", body: str = "") -> bytes:
    return f"{head}{unit * (SIZE // len(unit))}{body}".encode()


def nested(kind: str, levels: int) -> bytes:
    return "".join(f"Content-Type: {kind}b{n}\n\n--b{n}\n" for n in range(levels)).encode()


HTML = "Content-Type: text/html\n\n"
LINES = (
    *("> a\n", "On 20/11/2026 10:00\n", "On a\n", "From: a@b.example 1\n", "From: a\nDate: 1\n"),
    *("wrote:\n", "<a@b\n>", "-- \n", "____________\n", "Sent from my iPhone\n", "a: b\n", "\n"),
    *("a@", "a b.c@d ", "-", "schrieb ", "On 20/11/2026 10:00 Shop <a@b.example> wrote:\n> x\ny\n"),
)
MARKUP = (
    *("<ul><li>a", "<blockquote>a", "<!--", "<a ", "<", "<table><tr><td>a", "<script>", "<pre>a"),
    *(
        "<p>a</p>",
        "<div class=yahoo_quoted>a",
        "<div id=divRplyFwdMsg>a</div>",
        "&amp;",
        "<b>a</b>",
    ),
    *("<br>", "a ", "<td>a</td>", '<div style="border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0">'),
)
BOMBS: dict[str, bytes] = {
    **{f"lines of {line!r}": filled(line, "\n") for line in LINES},
    **{f"flowed lines of {line!r}": filled(line, "Content-Type: text/plain; format=flowed\n\n")
       for line in ("> a \n", "a \n", ">" * 50 + "a \n")},
    **{f"markup of {markup!r}": filled(markup, HTML) for markup in MARKUP},
    "addresses": filled("a@b.example, ", "To: "),
    "quoted names": filled('"a" ', "From: "),
    "authors": filled("From: a@b.example\n"),
    "encoded words": filled("=?utf-8?q?=C3=A9?= ", "Subject: "),
    "parameters": filled("a=b; ", "Content-Type: text/plain; "),
    "file names": filled("filename=b; ", "Content-Disposition: attachment; "),
    "continued file names": filled("filename*0=b; ", "Content-Disposition: attachment; "),
    "headers": filled("X: y\n"),
    "one long header": filled("x", "X: "),
    "folded header": filled("\n x", "X: y"),
    "parts": filled("--x\n\na\n", "Content-Type: multipart/mixed; boundary=x\n\n"),
    "nested parts": nested("multipart/mixed; boundary=", 1_000),
    "nested mails": nested("message/rfc822; x=", 1_000),
    "base64": filled("QUFB", "Content-Transfer-Encoding: base64\n\n"),
    "quoted-printable": filled("=41", "Content-Transfer-Encoding: quoted-printable\n\n"),
    "uuencode": filled("M" + "0" * 60 + "\n", "Content-Transfer-Encoding: uuencode\n\nbegin 1 x\n"),
    "utf-7": filled("+AOk-", "Content-Type: text/plain; charset=utf-7\n\n"),
    "unknown charset": b"Content-Type: text/plain\n\n" + bytes(range(128, 256)) * (SIZE // 128),
    "calendar": filled("BEGIN:VEVENT\n", "Content-Type: text/calendar\n\n"),
    "signed marks": filled("-----BEGIN PGP SIGNED MESSAGE-----\n\n", "\n"),
}  # fmt: skip


def read(content: bytes) -> None:
    try:
        mail = read_mail(content)
    except MalformedPayload:
        return
    for name in ("from", "to", "reply-to"):
        mail.mailboxes(name)
    newest_of(mail.text, mail.header("subject"))


def seconds_of(work: Callable[[], None]) -> float:
    spent = []
    for _ in range(RUNS):
        started = process_time()
        work()
        spent.append(process_time() - started)
    return min(spent)


def peak_of(work: Callable[[], None]) -> int:
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def main() -> int:
    read(b"Content-Type: text/html\n\n<p>warm</p>")
    over = 0
    for name, content in BOMBS.items():
        seconds, peak = seconds_of(lambda: read(content)), peak_of(lambda: read(content))  # noqa: B023
        is_over = seconds > MOST_SECONDS or peak > MOST_BYTES
        over += is_over
        mark = " <- more than allowed" if is_over else ""
        print(f"{seconds * 1_000:8.1f} ms {peak / 1e6:6.1f} MB  {name[:60]}{mark}")
    print(f"{len(BOMBS)} mails, {over} of them cost more than allowed")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
