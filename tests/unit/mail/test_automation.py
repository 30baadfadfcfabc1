"""What opens no ticket, filter by filter as Zammad has them, and what of a report is known."""

from collections.abc import Callable

import pytest

from shared.domain.touchpoint import Automation
from shared.mail.automation import automation_of
from shared.mail.reading import read_mail
from shared.mail.reports import Report, read_report

OWN = frozenset({"support@boutique.example", "orders@boutique.example"})
ANN = "From: Ann <ann@example.org>\n"


def kind(head: str, envelope_sender: str = "ann@example.org") -> Automation | None:
    mail = read_mail(f"{ANN if 'From:' not in head else ''}{head}\n\nHello".encode())
    return automation_of(mail, envelope_sender=envelope_sender, own=OWN)


AUTO, BOUNCE, ECHO, BOT = (
    Automation.AUTO_REPLY,
    Automation.BOUNCE,
    Automation.ECHO,
    Automation.BOT,
)
ZAMMAD: dict[str, list[tuple[str, Automation | None]]] = {
    "auto_response_check": [
        ("X-Loop: yes", AUTO),
        ("X-Loop: 1", None),
        ("Precedence: bulk", BOT),
        ("Precedence: list", BOT),
        ("Precedence: junk", BOT),
        ("Auto-Submitted: auto-generated", AUTO),
        ("Auto-Submitted: auto-replied", AUTO),
        ("Auto-Submitted: no", None),
        ("X-Auto-Response-Suppress: All", AUTO),
    ],
    "out_of_office_check": [
        ("X-Auto-Response-Suppress: All\nX-MS-Exchange-Inbox-Rules-Loop: a@b.example", AUTO),
        ("X-MS-Exchange-Inbox-Rules-Loop: a@b.example", AUTO),
        ("Auto-Submitted: auto-replied (zimbra; vacation)", AUTO),
        ("Auto-Submitted: auto-replied; owner-email=\"a@b.example\"", AUTO),
        ("Auto-Submitted: auto-replied\nSubject: vacation", AUTO),
    ],
    "bounce_check, bounce_follow_up_check": [
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", BOUNCE),
        ("From: MAILER-DAEMON@example.org", BOUNCE),
        ("From: Postmaster <postmaster@example.org>", BOUNCE),
        ("X-Failed-Recipients: nobody@example.org", BOUNCE),
    ],
    "own_notification_loop_detection": [
        ("X-Passerelle-Send-Key: k", ECHO),
        ("X-Passerelle-Send-Key: k\nPrecedence: bulk", ECHO),
    ],
    "sender_is_system_address": [
        ("From: support@boutique.example", ECHO),
        ("From: Orders <Orders@Boutique.example>\nTo: support@boutique.example", ECHO),
        ("From: agent@boutique.example", None),
    ],
    "beyond Zammad": [
        ("List-Id: <news.example.org>", BOT),
        ("List-Id: Help <help.boutique.example>", None),
        ("List-Unsubscribe: <mailto:x@example.org>", None),
        ("Return-Path: <>", AUTO),
        ("X-Autoreply: yes", AUTO),
        ("X-Autorespond: away", AUTO),
        ("X-Autoreply-From: ann@example.org", AUTO),
        ("X-Mail-Autoreply: x", AUTO),
        ("Precedence: auto_reply", AUTO),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=x", AUTO),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("head", "automation"),
    [case for cases in ZAMMAD.values() for case in cases],
    ids=[f"{name}: {head[:40]}" for name, cases in ZAMMAD.items() for head, _ in cases],
)
def test_machines_are_told_from_people(head: str, automation: Automation | None) -> None:
    assert kind(head) is automation


def test_an_empty_envelope_sender_is_a_machine() -> None:
    assert kind("X: y", "") is AUTO
    assert kind("X: y", "<>") is AUTO
    assert kind("X: y", "mailer-daemon@example.org") is BOUNCE


@pytest.mark.parametrize(
    ("subject", "automation"),
    [
        ("Automatic reply: Order 1", AUTO),
        ("Out of Office: Order 1", AUTO),
        ("Out of the office AutoReply: Order 1", AUTO),
        ("Réponse automatique : Commande 1", AUTO),
        ("Absence du bureau : Commande 1", AUTO),
        ("Risposta automatica: Ordine 1", AUTO),
        ("Fuori sede: Ordine 1", AUTO),
        ("Automatische Antwort: Bestellung 1", AUTO),
        ("Abwesenheitsnotiz: Bestellung 1", AUTO),
        ("Respuesta automática: Pedido 1", AUTO),
        ("Fuera de la oficina: Pedido 1", AUTO),
        ("Resposta automática: Encomenda 1", AUTO),
        ("Fora do escritório: Encomenda 1", AUTO),
        ("[EXTERNAL] Automatic reply: Order 1", AUTO),
        ("Automatisch antwoord: Bestelling 1", AUTO),
        ("Autosvar: Beställning 1", AUTO),
        ("Automatisk svar: Bestilling 1", AUTO),
        ("Automaattinen vastaus: Tilaus 1", AUTO),
        ("Automatická odpověď: Objednávka 1", AUTO),
        ("Автоматический ответ: Заказ 1", AUTO),
        ("自動応答：注文 1", AUTO),
        ("自动答复: 订单 1", AUTO),
        ("[Automatyczna odpowiedź] Zamówienie 1", AUTO),
        ("【自動返信】注文 1", AUTO),
        ("AUTO: Ann Other is out of the office (returning 05/01/2027)", AUTO),
        ("AUTO: I want to buy one", None),
        ("Re: Automatic reply: Order 1", None),
        ("Your automatic reply: I do not understand it", None),
        ("Automatic reply", None),
        ("Out of office chairs", None),
    ],
)
def test_what_exchange_answers_for_somebody_is_known_by_its_subject(
    subject: str, automation: Automation | None
) -> None:
    assert kind(f"Subject: {subject}") is automation


@pytest.mark.parametrize(
    ("head", "automation"),
    [
        ("Subject: Undelivered Mail Returned to Sender", BOUNCE),
        ("Subject: Mail delivery failed: returning message to sender", BOUNCE),
        ("Subject: Delivery Status Notification (Failure)", BOUNCE),
        ("Subject: Returned mail: User unknown", BOUNCE),
        ("Subject: Undeliverable: Order 1", BOUNCE),
        ("Subject: Unzustellbar: Bestellung 1", BOUNCE),
        ("Subject: Non remis : Commande 1", BOUNCE),
        ("From: Mail Delivery System <daemon@example.org>", BOUNCE),
        (f"From: Microsoft Outlook <MicrosoftExchange{'0a' * 16}@example.org>", BOUNCE),
        ("From: MicrosoftExchange fans <MicrosoftExchange@example.org>", None),
        ("Subject: Fwd: Undelivered Mail Returned to Sender", None),
        ("Subject: Re: Undeliverable: Order 1", None),
        ("Subject: Mail delivery failed", None),
        ("Subject: Undelivered parcel", None),
    ],
)
def test_a_mail_server_is_known_by_how_it_returns_a_mail(
    head: str, automation: Automation | None
) -> None:
    assert kind(head) is automation


# Reports

ORIGINAL = "Message-ID:\n <1@eu-west-1.amazonses.com>\nX-Passerelle-Send-Key: k\nSubject: x"


def report(kind: str, fields: str, original: str | None = ORIGINAL) -> Report | None:
    parts = [
        "Content-Type: text/plain\n\nSorry",
        f"Content-Type: message/{kind}\n\n{fields}\n",
        *([f"Content-Type: text/rfc822-headers\n\n{original}\n"] if original is not None else []),
    ]
    body = "".join(f"--x\n{part}\n" for part in parts)
    head = "Content-Type: multipart/report; boundary=x"
    return read_report(read_mail(f"{head}\n\n{body}--x--\n".encode()))


def delivery(recipient: str, original: str | None = ORIGINAL) -> Report | None:
    return report("delivery-status", f"Reporting-MTA: dns; mx\n\n{recipient}", original)


FAILED = "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1 (no such user)"


def test_a_failure_for_good_says_so_of_every_other_mail() -> None:
    assert delivery(FAILED) == Report(
        status="failed",
        message_id="<1@eu-west-1.amazonses.com>",
        bears_our_mark=True,
        recipient="ann@example.org",
        reason="dsn:5.1.1",
        kind="bounce",
    )


@pytest.mark.parametrize(
    ("fields", "status", "reason", "stops"),
    [
        ("Action: failed\nStatus: 4.2.2", "failed", "dsn:4.2.2", None),
        ("Action: Delayed\nStatus: 4.4.1", "sent", "dsn:4.4.1", None),
        ("Action: delivered\nStatus: 2.0.0", "delivered", "dsn:2.0.0", None),
        ("Action: relayed", "delivered", "dsn:relayed", None),
        ("Action: failed\nStatus: 5.7.1", "failed", "dsn:5.7.1", "bounce"),
    ],
)
def test_an_action_is_a_status(fields: str, status: str, reason: str, stops: str | None) -> None:
    read = delivery(f"Original-Recipient: rfc822;ann@example.org\n{fields}")
    assert read is not None
    assert (read.status, read.reason, read.kind) == (status, reason, stops)
    assert read.recipient == "ann@example.org"


@pytest.mark.parametrize(
    "unread",
    [
        lambda: delivery("Final-Recipient: rfc822; a@b.example"),
        lambda: delivery("Action: exploded"),
        lambda: delivery(FAILED, None),
        lambda: delivery(FAILED, "Subject: no id"),
        lambda: report("feedback-report", "Feedback-Type: abuse", None),
        lambda: report("disposition-notification", "Disposition: x; displayed"),
        lambda: report(
            "disposition-notification", "Original-Message-ID: <1@x>\nDisposition: x; deleted"
        ),
        lambda: read_report(read_mail(b"Subject: x\n\nHello")),
    ],
)
def test_what_does_not_say_of_which_mail_is_no_report(unread: Callable[[], Report | None]) -> None:
    assert unread() is None


def test_a_mail_that_is_not_ours_is_none() -> None:
    read = delivery(FAILED, "Message-ID: <1@example.org>")
    assert read is not None
    assert not read.bears_our_mark


@pytest.mark.parametrize(
    ("kind", "stops"), [("abuse", "complaint"), ("fraud", "complaint"), ("not-spam", None)]
)
def test_a_complaint_is_one(kind: str, stops: str | None) -> None:
    read = report("feedback-report", f"Feedback-Type: {kind}\nOriginal-Rcpt-To: <ann@example.org>")
    assert read is not None
    assert (read.status, read.reason, read.kind) == ("failed", f"complaint:{kind}", stops)
    assert read.recipient == "ann@example.org"


def test_a_receipt_says_that_it_was_read() -> None:
    fields = (
        "Final-Recipient: rfc822;ann@example.org\nOriginal-Message-ID: <1@x>\n"
        "Disposition: manual-action/MDN-sent-manually; displayed"
    )
    read = report("disposition-notification", fields)
    assert read is not None
    assert (read.status, read.message_id, read.kind) == ("read", "<1@x>", None)
    assert read.bears_our_mark
