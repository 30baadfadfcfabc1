"""Mails as each client writes them in each language, and what of each the customer wrote.

`tests/fixtures/mail/quoting/<client>/<language>.eml`; the words are ours, the form is the client's.
Every mail of two bodies is read twice, for what a client marks in HTML and in plain text differs.
"""

from pathlib import Path

import pytest
import yaml

from shared.mail.quoting import newest_of
from shared.mail.reading import read_mail

CORPUS = Path(__file__).parents[2] / "fixtures" / "mail" / "quoting"
EXPECTED: dict[str, dict[str, str]] = yaml.safe_load((CORPUS / "expected.yaml").read_text())
LANGUAGES = {"de", "en", "es", "fr", "it", "pt"}
CLIENTS = {
    *("gmail", "outlook_desktop", "outlook_web", "outlook_mobile", "apple_mail", "ios_mail"),
    *("yahoo", "thunderbird", "proton", "samsung"),
}
PLAIN = b"Content-Type: text/plain"


def words(text: str) -> list[str]:
    """Line by line: a blank line of one body is a paragraph of the other."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def bodies(content: bytes) -> dict[str, bytes]:
    html_alone = content.replace(PLAIN, b"Content-Type: application/x-absent", 1)
    return {"as it is": content} | ({"html": html_alone} if b"text/html" in content else {})


READINGS = [
    (f"{client}/{name} {form}", body, expected)
    for client, cases in EXPECTED.items()
    for name, expected in cases.items()
    for form, body in bodies((CORPUS / client / f"{name}.eml").read_bytes()).items()
]


def is_exact(content: bytes, expected: str) -> bool:
    mail = read_mail(content)
    return words(newest_of(mail.text, mail.header("subject")).text) == words(expected)


def test_every_mail_of_the_corpus_is_read_exactly() -> None:
    missed = [name for name, body, expected in READINGS if not is_exact(body, expected)]
    print(f"{len(READINGS) - len(missed)} of {len(READINGS)} readings are exact")
    assert missed == []


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_every_client_is_there_in_every_language(client: str) -> None:
    assert set(EXPECTED[client]) == LANGUAGES


def test_the_corpus_holds_no_mail_that_nothing_is_expected_of() -> None:
    there = {file.relative_to(CORPUS).with_suffix("") for file in CORPUS.glob("*/*.eml")}
    assert there == {Path(client, name) for client, names in EXPECTED.items() for name in names}
