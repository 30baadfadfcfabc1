"""Files that a mail has in itself, at each provider that carries mails."""

import json
from base64 import b64decode
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import pytest
from sendgrid.helpers import mail as sdk

from infra.local.clients.base import Call
from infra.local.simulators._media import PDF, PNG
from shared.domain.errors import SendRefused
from shared.domain.sending import OutboundFile, OutboundMessage
from shared.domain.touchpoint import Channel
from shared.providers._form import FormField, read_form
from shared.providers.base import HttpRequest, MailRequest, find_provider
from tests.unit.providers.fixtures import SECRETS, received
from tests.unit.providers.sending import message_to, prepared, simulated

OURS, THEIRS = "support@boutique.example", "awa@example.org"
BY_HTTP = ("mailgun", "postmark", "sendgrid")
CARRIERS = ("email_ses", *BY_HTTP)
ODD = bytes(range(256)) * 3 + b"\r\n--x--\r\n\x0c\x1e"
"""Of everything that a careless reader or writer of forms would change."""


def file(content: bytes = PDF, **given: Any) -> OutboundFile:
    said = {"name": "facture é.pdf", "content_type": "application/pdf", "object_key": "k"}
    return OutboundFile.model_validate({**said, "content": content, "size": len(content), **given})


LINK = OutboundFile(url="https://shop.example/plan.png", name="plan.png")


def message(provider: str, *files: OutboundFile, **given: Any) -> OutboundMessage:
    said = {"subject": "Votre facture", "text": "La voici.", **given}
    return message_to(Channel.EMAIL, provider, OURS, THEIRS, files=files, **said)


def sent(provider: str, *files: OutboundFile, **given: Any) -> HttpRequest:
    return prepared(find_provider(provider), message(provider, *files, **given))


def mime(*files: OutboundFile, **given: Any) -> bytes:
    provider = find_provider("email_ses")
    secret = provider.read_secret(SECRETS["email_ses"])
    request = provider.prepare(message("email_ses", *files, **given), secret)
    assert isinstance(request, MailRequest)
    return request.mime


def form(request: HttpRequest) -> list[FormField]:
    call = Call(method="POST", url=request.url, headers=dict(request.headers), body=request.body)
    return read_form(received("mailgun", call))


def by_ses(*files: OutboundFile) -> list[tuple[str, str, bytes]]:
    mail = message_from_bytes(mime(*files), policy=policy.default)
    found = []
    for part in mail.iter_attachments():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((part.get_filename() or "", part.get_content_type(), content))
    return found


def by_mailgun(*files: OutboundFile) -> list[tuple[str, str, bytes]]:
    fields = form(sent("mailgun", *files))
    return [(one.file_name or "", one.content_type, one.content) for one in fields if one.file_name]


def by_postmark(*files: OutboundFile) -> list[tuple[str, str, bytes]]:
    listed = json.loads(sent("postmark", *files).body)["Attachments"]
    return [(one["Name"], one["ContentType"], b64decode(one["Content"])) for one in listed]


def by_sendgrid(*files: OutboundFile) -> list[tuple[str, str, bytes]]:
    listed = json.loads(sent("sendgrid", *files).body)["attachments"]
    return [(one["filename"], one["type"], b64decode(one["content"])) for one in listed]


READERS: dict[str, Callable[..., list[tuple[str, str, bytes]]]] = {
    "email_ses": by_ses,
    "mailgun": by_mailgun,
    "postmark": by_postmark,
    "sendgrid": by_sendgrid,
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_file_arrives_as_it_is_in_its_order(carrier: str) -> None:
    plan = file(PNG, name="plan.png", content_type="image/png")
    odd = file(ODD, name="odd", content_type="text/plain")
    assert READERS[carrier](file(), plan, odd) == [
        ("facture é.pdf", "application/pdf", PDF),
        ("plan.png", "image/png", PNG),
        ("odd", "text/plain", ODD),
    ]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_is_called_nothing_has_a_name_and_no_name_breaks_out(carrier: str) -> None:
    hostile = file(name='a"; x="\r\nBcc: eve@evil.example\r\n\r\n.pdf')
    names = [name for name, _, _ in READERS[carrier](file(name=""), hostile)]
    assert names[0] == "attachment"
    assert "\r" not in names[1] and "\n" not in names[1]
    if carrier == "email_ses":
        assert b"\nBcc" not in mime(hostile)
    else:
        assert simulated(carrier, sent(carrier, hostile)).status < 300


@pytest.mark.parametrize("carrier", BY_HTTP)
def test_its_simulator_takes_it_and_the_words_are_what_they_were(carrier: str) -> None:
    request = sent(carrier, file(), LINK)
    provider = find_provider(carrier)
    assert provider.receipt(simulated(carrier, request))
    assert f"La voici.\n\nplan.png: {LINK.url}".encode() in request.body.replace(b"\\n", b"\n")


@pytest.mark.parametrize("carrier", BY_HTTP)
def test_a_mail_without_files_is_as_it_was(carrier: str) -> None:
    request = sent(carrier)
    assert b"ttachment" not in request.body
    assert "multipart" not in request.headers["content-type"]


@pytest.mark.parametrize("carrier", BY_HTTP)
def test_a_file_alone_is_a_mail_that_says_what_it_brings(carrier: str) -> None:
    """None of them takes a mail without words."""
    assert simulated(carrier, sent(carrier, file(), text="")).status < 300
    read = message_from_bytes(mime(file(), text=""), policy=policy.default)
    words = read.get_body(("plain",))
    assert words is not None and words.get_content().strip() == "facture é.pdf"


def test_a_mail_with_files_is_well_formed() -> None:
    content = mime(file(ODD), file(b"h\xc3\xa9", name="a.txt", content_type="text/plain"))
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 900
    assert b"\n" not in content.replace(b"\r\n", b"")
    read = message_from_bytes(content, policy=policy.default)
    assert read.get_content_type() == "multipart/mixed"
    assert read["To"] == THEIRS and read["Subject"] == "Votre facture"
    assert not read.defects and not any(part.defects for part in read.walk())
    odd, text = read.iter_attachments()
    lines = str(odd.get_payload()).splitlines()
    assert max(map(len, lines)) == 76, "RFC 2045, 6.8"
    assert text.get_content() == "hé"


def test_sendgrids_own_library_writes_the_same() -> None:
    theirs = sdk.Attachment(
        sdk.FileContent(json.loads(sent("sendgrid", file()).body)["attachments"][0]["content"]),
        sdk.FileName("facture é.pdf"),
        sdk.FileType("application/pdf"),
        sdk.Disposition("attachment"),
    )
    assert json.loads(sent("sendgrid", file()).body)["attachments"] == [theirs.get()]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_has_room_is_taken_and_what_has_none_would_be_refused(carrier: str) -> None:
    """The bound holds: the largest that has room leaves, as its carrier counts it."""
    provider = find_provider(carrier)
    most = max(size for size in range(0, 40_000_000, 100_000) if provider.has_room([size]))
    assert most < provider.largest_mail * 57 / 78
    assert not provider.has_room([most // 2, most // 2, 200_000])
    assert provider.has_room([])
    largest = file(bytes(most))
    if carrier == "email_ses":
        assert len(mime(largest)) <= provider.largest_mail
    else:
        assert simulated(carrier, sent(carrier, largest)).status < 300


def test_who_fetches_by_addresses_has_room_for_all() -> None:
    assert find_provider("whatsapp_cloud").has_room([10**9])


@pytest.mark.parametrize(
    ("carrier", "going", "code"),
    [
        ("postmark", file(name="run.EXE"), "411"),
        ("postmark", file(content_type="pdf"), "300"),
        ("postmark", file(b""), "300"),
        ("postmark", file(bytes(8_000_000)), "300"),
        ("sendgrid", file(b""), "attachments.0.content"),
        ("sendgrid", file(content_type="application/pdf; x"), "attachments.0.type"),
        ("sendgrid", file(bytes(23_000_000)), "413"),
        ("mailgun", file(bytes(27_000_000)), "413"),
    ],
)
def test_what_a_carrier_does_not_take_is_a_refusal(
    carrier: str, going: OutboundFile, code: str
) -> None:
    with pytest.raises(SendRefused) as refused:
        find_provider(carrier).receipt(simulated(carrier, sent(carrier, going)))
    assert refused.value.code == code


def broken(name: str, value: object) -> HttpRequest:
    request = sent("sendgrid" if name.islower() else "postmark", file())
    content = json.loads(request.body)
    content["attachments" if name.islower() else "Attachments"][0][name] = value
    return HttpRequest(
        method="POST",
        url=request.url,
        headers=request.headers,
        body=json.dumps(content).encode(),
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("content", "not base64!", "must be base64 encoded"),
        ("content", 7, "Expected: string"),
        ("filename", "", "at least one character"),
        ("Content", "not base64!", "not base64"),
        ("Name", "", "required"),
    ],
)
def test_their_simulators_refuse_what_is_no_attachment(name: str, value: object, says: str) -> None:
    answer = simulated("sendgrid" if name.islower() else "postmark", broken(name, value))
    assert 400 <= answer.status < 500
    assert says in answer.body.decode()
