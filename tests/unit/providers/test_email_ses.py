"""Amazon SES: what only this provider does. The contract suite has the rest."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.clients.base import Call
from infra.local.clients.email_ses import sign
from shared.domain.errors import MalformedPayload, NotFound, SendRefused, Unauthentic
from shared.domain.identity import Proof
from shared.domain.sending import MessageClass, OutboundMessage
from shared.domain.touchpoint import (
    Automation,
    Channel,
    DeliveryStatus,
    Endpoint,
    Message,
    Writer,
    touchpoint_id,
)
from shared.mail.reading import Mail, read_mail
from shared.providers._sns import NEWEST, OLDEST
from shared.providers.base import MailRequest, Observed, WebhookRequest
from shared.providers.email_ses import PROVIDER, EmailSesSecret
from tests.unit.providers.fixtures import SECRETS, received
from tests.unit.providers.hostile import JSON_VALUES, NOON, assert_sound, broken

LOCAL = SECRETS["email_ses"]
PINNED = PROVIDER.read_secret(LOCAL)
FETCHING = PROVIDER.read_secret(LOCAL | {"pinned_certificates": []})
CERTIFICATE = LOCAL["pinned_certificates"][0].encode()
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-received"
SUBSCRIBE = (
    f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t0k"
)


def sns(message: object = "hello", type_: str = "Notification", **more: str) -> dict[str, str]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"Type": type_, "MessageId": "m-1", "TopicArn": TOPIC, "Message": text} | more


def confirmation(url: str = SUBSCRIBE) -> dict[str, str]:
    return sns(type_="SubscriptionConfirmation", Token="t0k", SubscribeURL=url)


def signed(message: dict[str, str], at: datetime = NOON) -> WebhookRequest:
    call = Call(
        method="POST",
        url="https://example.com/webhooks/email_ses",
        headers={"content-type": "text/plain; charset=UTF-8"},
        body=json.dumps(message).encode(),
    )
    return received("email_ses", sign(call, LOCAL, at))


def changed(request: WebhookRequest, **fields: object) -> WebhookRequest:
    return replace(request, body=json.dumps(json.loads(request.body) | fields).encode())


class Web:
    """What can be fetched, and what was."""

    def __init__(self, certificate: bytes | None = CERTIFICATE) -> None:
        self.certificate = certificate
        self.visited: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.visited.append(url)
        if self.certificate is None:
            raise NotFound("there is no such document")
        return self.certificate


def verify(
    request: WebhookRequest, secret: EmailSesSecret = PINNED, web: Web | None = None
) -> list[str]:
    """What was fetched on the way."""
    web = web or Web()
    PROVIDER.verify(request, secret, web.fetch)
    return web.visited


# Proof


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_certificate_is_fetched_from_sns(version: str) -> None:
    request = signed(sns(SignatureVersion=version))
    assert verify(request, FETCHING) == [json.loads(request.body)["SigningCertURL"]]


def test_a_pinned_certificate_needs_no_network() -> None:
    assert verify(signed(sns())) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com{path}",
        "https://sns.us-east-1.amazonaws.com{path}",
        "https://sns.eu-west-1.amazonaws.com.evil.example{path}",
        "https://evil.example/sns.eu-west-1.amazonaws.com{path}",
        "https://sns.eu-west-1.amazonaws.com:8443{path}",
        "https://me@sns.eu-west-1.amazonaws.com{path}",
        "https://sns.eu-west-1.amazonaws.com@evil.example{path}",
        "https://s3.eu-west-1.amazonaws.com{path}",
        "https://xsns.eu-west-1.amazonaws.com{path}",
        "https://169.254.169.254{path}",
        "https://[::1{path}",
        "https://sns.eu-west-1.amazonaws.com/mine.pem",
        "https://sns.eu-west-1.amazonaws.com/x/..{path}",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_of_anybody_else_is_not_even_fetched(url: str) -> None:
    request = signed(sns())
    path = "/" + json.loads(request.body)["SigningCertURL"].rpartition("/")[2]
    web = Web()
    with pytest.raises(Unauthentic):
        verify(changed(request, SigningCertURL=url.format(path=path)), FETCHING, web)
    assert web.visited == []


@pytest.mark.parametrize(
    "certificate", [None, b"", b"not a certificate", b"\xff", CERTIFICATE[:200]]
)
def test_without_a_readable_certificate_nothing_is_proven(certificate: bytes | None) -> None:
    with pytest.raises(Unauthentic):
        verify(signed(sns()), FETCHING, Web(certificate))


def test_another_certificate_of_sns_does_not_fit() -> None:
    other = Web(PINNED.pinned_certificates[0].encode())
    with pytest.raises(Unauthentic):
        verify(changed(signed(sns()), Message="forged"), FETCHING, other)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Message", "forged"),
        ("MessageId", "m-2"),
        ("Subject", "added"),
        ("TopicArn", "arn:aws:sns:eu-west-1:123456789012:mail-sent"),
        ("Timestamp", "2026-11-22T12:00:01.000Z"),
        ("Type", "UnsubscribeConfirmation"),
        ("SignatureVersion", "1"),
        ("SignatureVersion", "3"),
        ("Signature", "AAAA"),
        ("Signature", "é"),
        ("Signature", ""),
        ("SigningCertURL", None),
        ("Message", None),
        ("Message", "\ud800"),
    ],
)
def test_every_signed_field_counts(field: str, value: str | None) -> None:
    with pytest.raises(Unauthentic):
        verify(changed(signed(sns()), **{field: value}))


def test_a_foreign_topic_is_refused_before_anything_is_fetched() -> None:
    web = Web()
    with pytest.raises(Unauthentic, match="topic"):
        verify(signed(sns() | {"TopicArn": "arn:aws:sns:eu-west-1:999:x"}), FETCHING, web)
    assert web.visited == []


@pytest.mark.parametrize("age", [timedelta(0), OLDEST, -NEWEST])
def test_whatever_sns_may_still_retry_is_fresh(age: timedelta) -> None:
    verify(signed(sns(), NOON - age))


@pytest.mark.parametrize("age", [OLDEST + timedelta(seconds=1), -NEWEST - timedelta(seconds=1)])
def test_stale_and_future_messages_are_refused(age: timedelta) -> None:
    with pytest.raises(Unauthentic, match="stale"):
        verify(signed(sns(), NOON - age))


@pytest.mark.parametrize("stamp", ["", "now", "9999-12-31T23:59:59-14:00", "2026-11-22"])
def test_an_unreadable_timestamp_is_refused(stamp: str) -> None:
    with pytest.raises(Unauthentic):
        verify(changed(signed(sns()), Timestamp=stamp))


def test_raw_message_delivery_is_refused_for_it_is_not_signed() -> None:
    raw = replace(signed(sns()), body=json.dumps(ses(b"Subject: x\n\nhello")).encode())
    with pytest.raises(Unauthentic, match="no signed SNS message"):
        verify(raw)


# Subscriptions


def test_a_subscription_to_our_topic_is_confirmed_after_its_proof() -> None:
    request = signed(confirmation())
    assert verify(request, FETCHING) == [json.loads(request.body)["SigningCertURL"], SUBSCRIBE]
    assert PROVIDER.parse(request, FETCHING, NOON) == []


def test_on_a_laptop_nothing_is_visited() -> None:
    assert verify(signed(confirmation())) == []


def test_a_forged_confirmation_visits_nothing_but_the_certificate() -> None:
    web = Web()
    with pytest.raises(Unauthentic):
        verify(changed(signed(confirmation()), Token="forged"), FETCHING, web)
    assert SUBSCRIBE not in web.visited


@pytest.mark.parametrize(
    "url",
    [
        SUBSCRIBE.replace("https", "http"),
        SUBSCRIBE.replace("sns.eu-west-1", "sns.us-east-1"),
        SUBSCRIBE.replace("amazonaws.com", "amazonaws.com.evil.example"),
        SUBSCRIBE.replace("ConfirmSubscription", "DeleteTopic"),
        SUBSCRIBE.replace("mail-received", "mail-sent"),
        SUBSCRIBE.replace("/?", "/x?"),
        "",
    ],
)
def test_only_sns_itself_is_visited(url: str) -> None:
    web = Web()
    with pytest.raises(Unauthentic):
        verify(signed(confirmation(url)), FETCHING, web)
    assert url not in web.visited


# Mails


def ses(
    mime: bytes, recipients: tuple[str, ...] = ("support@boutique.example",), **more: Any
) -> dict[str, Any]:
    """What SES publishes of one mail. `more` sets verdicts, and `source`."""
    source = more.pop("source", "ann@example.org")
    return {
        "notificationType": "Received",
        "mail": {"messageId": "ses-1", "timestamp": "2026-11-22T11:59:00Z", "source": source},
        "receipt": {
            "recipients": list(recipients),
            "action": {"type": "SNS", "encoding": "BASE64"},
            **{name: {"status": status} for name, status in more.items()},
        },
        "content": b64encode(mime).decode(),
    }


def parse(message: object) -> list[Observed]:
    return PROVIDER.parse(signed(sns(message)), PINNED, NOON)


def mail(head: str, body: str = "Hello", **more: Any) -> Observed:
    (observed,) = parse(ses(f"{head}\n\n{body}".encode(), **more))
    return observed


ANN = "From: Ann <ann@example.org>\nMessage-ID: <1@example.org>\n"


@pytest.mark.parametrize(
    ("head", "more", "automation"),
    [
        ("Subject: x", {}, None),
        ("Auto-Submitted: no", {}, None),
        ("Auto-Submitted: auto-generated", {}, Automation.AUTO_REPLY),
        ("X-Autoreply: yes", {}, Automation.AUTO_REPLY),
        ("X-Auto-Response-Suppress: All", {}, Automation.AUTO_REPLY),
        ("X-Auto-Response-Suppress: DR, RN", {}, None),
        ("Precedence: auto_reply", {}, Automation.AUTO_REPLY),
        ("Precedence: junk", {}, Automation.BOT),
        ("List-Id: <x.lists.example>", {}, Automation.BOT),
        ("List-Id: Help <help.boutique.example>\nPrecedence: list", {}, None),
        ("List-Id: <help.notboutique.example>", {}, Automation.BOT),
        ("Return-Path: <>", {}, Automation.AUTO_REPLY),
        ("X: y", {"source": ""}, Automation.AUTO_REPLY),
        ("X: y", {"source": "MAILER-DAEMON@example.org"}, Automation.BOUNCE),
        ("Content-Type: multipart/report", {}, Automation.BOUNCE),
        ("X-Passerelle-Send-Key: k", {}, Automation.ECHO),
        ("X: y", {"spamVerdict": "FAIL"}, Automation.BOT),
        ("X: y", {"virusVerdict": "FAIL"}, Automation.BOT),
        ("X: y", {"spamVerdict": "GRAY", "virusVerdict": "PROCESSING_FAILED"}, None),
        ("X-Autoreply: yes", {"spamVerdict": "FAIL"}, Automation.AUTO_REPLY),
    ],
)
def test_machines_are_told_from_people(
    head: str, more: dict[str, Any], automation: Automation | None
) -> None:
    seen = mail(ANN + head, **more).touchpoint
    assert seen.automation is automation
    assert seen.needs_understanding is (automation is None)


def test_a_file_with_a_virus_is_not_stored_as_one() -> None:
    head = ANN + "Content-Type: application/pdf; name=bill.pdf"
    clean, infected = mail(head), mail(head, virusVerdict="FAIL")
    assert [file.content for file in clean.files] == [b"Hello"]
    assert infected.files == ()
    assert isinstance(infected.touchpoint.content, Message)
    assert infected.touchpoint.content.attachments == ()
    assert b"bill.pdf" in infected.raw


@pytest.mark.parametrize(
    ("recipients", "account"),
    [
        (("Support@Boutique.example",), "support@boutique.example"),
        (("orders+spring@boutique.example",), "orders@boutique.example"),
        (("x@in.boutique.example", "orders@boutique.example"), "orders@boutique.example"),
        (("x@in.boutique.example",), "orders@boutique.example"),
    ],
)
def test_the_account_is_the_mailbox_it_came_to(recipients: tuple[str, ...], account: str) -> None:
    seen = mail(ANN + "To: orders@boutique.example", recipients=recipients).touchpoint
    assert seen.account == account
    assert seen.endpoint is not None
    assert seen.endpoint.account == account


@pytest.mark.parametrize(
    ("head", "address"),
    [
        ("", "ann@example.org"),
        ("Reply-To: Ann@Home.EXAMPLE", "Ann@home.example"),
        ("Reply-To: support@boutique.example", "ann@example.org"),
        ("Reply-To: nonsense", "ann@example.org"),
        ("Reply-To: x@bücher.example", "x@xn--bcher-kva.example"),
        ("Reply-To: x@" + "ü" * 70 + ".example", "ann@example.org"),
    ],
)
def test_the_answer_goes_where_the_person_wants_it(head: str, address: str) -> None:
    seen = mail(ANN + head, dmarcVerdict="PASS").touchpoint
    assert seen.endpoint is not None
    assert seen.endpoint.address == address


@pytest.mark.parametrize("verdict", ["PASS", "GRAY", "PROCESSING_FAILED", "FAIL", "", "pass"])
def test_only_dmarc_proves_an_author(verdict: str) -> None:
    seen = mail(ANN, dmarcVerdict=verdict).touchpoint
    assert seen.proof is (Proof.DMARC if verdict == "PASS" else None)
    assert [one.value for one in seen.identifiers] == ["ann@example.org"]


@pytest.mark.parametrize(
    "head",
    [
        "From: ann@example.org\nFrom: eve@evil.example",
        "From: eve@evil.example, ann@example.org\nSender: ann@example.org",
        "From: <ann@example.org>, <eve@evil.example>",
        'From: "ann@example.org" <eve@evil.example>',
        "From: ann@example.org <eve@evil.example>",
        "From: ann@example.org (eve@evil.example)",
        "From: <ann@example.org> <eve@evil.example>",
        "From: Friends: ann@example.org, eve@evil.example;",
        "Sender: ann@example.org",
        "Reply-To: ann@example.org",
        "From: eve@no-domain\nReply-To: ann@example.org",
        "From: eve@no-domain",
        "Subject: nobody wrote this",
        "From: <@evil.example,@b.example:ann@example.org>",
        "From: eve:ann@example.org",
        "From: ann@example.org, eve @ evil.example",
        'From: ann@example.org, "eve"@evil.example',
        "From: ann@example.org; eve.evil.example",
        "From: eve=?utf-8?q?=40?=evil.example, <ann@example.org>",
        "From: =?utf-8?b?ZXZlQGV2aWwuZXhhbXBsZQ==?= <ann@example.org>",
        f"From: ann@example.org\n {' ' * 5_000}, eve@evil.example",
    ],
)
def test_dmarc_proves_nobody_where_the_author_can_be_read_two_ways(head: str) -> None:
    assert mail(head, dmarcVerdict="PASS").touchpoint.proof is None


@pytest.mark.parametrize(
    "content",
    [
        b"From : eve@evil.example\r\nFrom: ann@example.org\r\n\r\nHello",
        b"From: ann@example.org\r\nFrom : eve@evil.example\r\n\r\nHello",
        b"From: ann@example.org\r\nFrom\t: eve@evil.example\r\n\r\nHello",
        b"From: ann@example.org\r\n\0From: eve@evil.example\r\n\r\nHello",
        b" From: eve@evil.example\r\nFrom: ann@example.org\r\n\r\nHello",
        b"From: ann@example.org\r\nno header\r\nFrom: eve@evil.example\r\n\r\nHello",
        b"Subject: x\rFrom: ann@example.org\r\r\nFrom: eve@evil.example\r\n\r\nHello",
        b"Subject: x\nFrom: ann@example.org\n\nFrom: eve@evil.example\r\n\r\nHello",
        b"From: ann@example.org\r\n%bFrom: eve@evil.example\r\n\r\nHi" % (b"X: y\r\n" * 500),
        b"From: ann@example.org\r\nX: %b\r\nFrom: eve@evil.example\r\n\r\nHi" % (b"y" * 64_000),
    ],
)
def test_dmarc_proves_nobody_where_its_carrier_may_have_found_another_author(
    content: bytes,
) -> None:
    """Eve's own domain lets her mail pass, and it names Ann where we look."""
    (seen,) = parse(ses(content, dmarcVerdict="PASS"))
    assert [one.value for one in seen.touchpoint.identifiers] == ["ann@example.org"]
    assert seen.touchpoint.proof is None


@pytest.mark.parametrize(
    "head",
    [
        "From: Ann <ann@example.org>",
        "From: Ann@Example.org",
        "From:\n Ann\n <ann@example.org>",
        "From: ann@example.org (Ann)",
        'From: "Other, Ann" <ann@example.org>',
        'From: "ann@example.org" <ann@example.org>',
        "From: =?utf-8?q?Ann=C3=A9?= <ann@example.org>",
        "From: Ann <ann@exämple.org>",
    ],
)
def test_dmarc_proves_an_author_named_once(head: str) -> None:
    assert mail(head, dmarcVerdict="PASS").touchpoint.proof is Proof.DMARC


def test_our_own_mail_and_a_bounce_prove_nothing() -> None:
    for head in ("X-Passerelle-Send-Key: k", "Content-Type: multipart/report"):
        assert mail(ANN + head, dmarcVerdict="PASS").touchpoint.proof is None


@pytest.mark.parametrize("verdict", ["GRAY", "PROCESSING_FAILED", "FAIL", ""])
def test_cw_15359_a_forger_is_not_answered_in_the_name_of_another(verdict: str) -> None:
    seen = mail(ANN + "Reply-To: eve@evil.example", dmarcVerdict=verdict).touchpoint
    assert seen.endpoint is not None
    assert seen.endpoint.address == "ann@example.org"
    assert seen.proof is None


@pytest.mark.parametrize(
    ("verdict", "address"), [("GRAY", "shop@example.org"), ("FAIL", "ann@example.org")]
)
def test_without_dmarc_another_mailbox_of_the_same_domain_may_be_answered(
    verdict: str, address: str
) -> None:
    head = ANN + "Reply-To: eve@evil.example\nReply-To: shop@EXAMPLE.org"
    seen = mail(head, dmarcVerdict=verdict).touchpoint
    assert seen.endpoint is not None
    assert seen.endpoint.address == address


@pytest.mark.parametrize("domain", ["gmail.com", "yahoo.co.uk", "hotmail.fr", "Orange.fr"])
def test_cw_15359_where_everybody_has_a_mailbox_another_one_is_another_persons(
    domain: str,
) -> None:
    head = f"From: ann@{domain}\nReply-To: eve@{domain}"
    seen = mail(head, dmarcVerdict="GRAY").touchpoint
    assert seen.endpoint is not None
    assert seen.endpoint.address.lower() == f"ann@{domain.lower()}"
    proven = mail(head, dmarcVerdict="PASS").touchpoint
    assert proven.endpoint is not None
    assert proven.endpoint.address.lower() == f"eve@{domain.lower()}"


ELSEWHERE = "Reply-To: eve@elsewhere.example"


@pytest.mark.parametrize(
    ("head", "address"),
    [
        ("DKIM-Signature: v=1; d=example.org; h=from:to:reply-to; b=x", "eve@elsewhere.example"),
        ("DKIM-Signature: v=1; d=example.org; h=From : Reply-To; b=x", "eve@elsewhere.example"),
        ("DKIM-Signature: v=1; d=carrier.example; h=from; b=x", "eve@elsewhere.example"),
        ("DKIM-Signature: v=1; d=example.org; h=from:to:subject; b=x", "ann@example.org"),
        ("DKIM-Signature: v=1; h=from;\n\td=mail.EXAMPLE.org; b=x", "ann@example.org"),
        ("DKIM-Signature: v=1; d=example.org; b=x", "ann@example.org"),
        (
            "DKIM-Signature: d=example.org; h=reply-to\nDKIM-Signature: d=example.org; h=from",
            "ann@example.org",
        ),
        (
            f"DKIM-Signature: d=example.org; h=from:reply-to\n{ELSEWHERE}",
            "ann@example.org",
        ),
    ],
    ids=["covered", "folded", "the carrier's", "added", "of a part", "broken", "made up", "two"],
)
def test_cw_15359_what_was_added_to_a_signed_mail_gets_no_answer(head: str, address: str) -> None:
    seen = mail(f"{ANN}{head}\n{ELSEWHERE}", dmarcVerdict="PASS").touchpoint
    assert seen.endpoint is not None
    assert seen.endpoint.address == address


def test_an_address_is_not_written_to_under_a_domain_that_only_looks_the_same() -> None:
    """IDNA 2003 made of straße.example the domain of somebody else, strasse.example."""
    seen = mail("From: Ann <ann@straße.example>").touchpoint
    assert seen.endpoint is not None
    assert seen.endpoint.address == "ann@xn--strae-oqa.example"


@pytest.mark.parametrize(
    ("date", "minute"),
    [
        ("Sun, 22 Nov 2026 11:58:00 +0000", "2026-11-22T11:58"),
        ("Sun, 22 Nov 2026 12:03:00 +0000", "2026-11-22T12:03"),
        ("Sun, 22 Nov 2026 12:30:00 +0000", "2026-11-22T11:59"),
        ("Sun, 22 Nov 2026 11:05:00 +0000", "2026-11-22T11:05"),
        ("Sun, 22 Nov 2026 10:30:00 +0000", "2026-11-22T11:59"),
        ("Tue, 10 Nov 2026 12:00:00 +0000", "2026-11-22T11:59"),
        ("nonsense", "2026-11-22T11:59"),
    ],
)
def test_a_date_is_believed_within_reason(date: str, minute: str) -> None:
    assert mail(f"{ANN}Date: {date}").touchpoint.occurred_at.isoformat()[:16] == minute


def test_the_retry_of_sns_brings_the_same_touchpoint() -> None:
    first, again = signed(sns(ses(ANN.encode()))), signed(sns(ses(ANN.encode())), NOON + NEWEST)
    ids = {PROVIDER.parse(one, PINNED, NOON)[0].touchpoint.touchpoint_id for one in (first, again)}
    assert len(ids) == 1


def test_what_is_not_base64_is_malformed() -> None:
    with pytest.raises(MalformedPayload, match="base64"):
        parse(ses(b"") | {"content": "é"})


PICTURE = """From: Ann <ann@example.org>
Date: Sun, 22 Nov 2026 11:00:00 +0000
Message-ID: <1@example.org>
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=utf-8

On Friday 20 you wrote:
> Bonjour
--x
Content-Type: image/png; name=a.png
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--x--
"""


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(PICTURE) - 1), st.binary(min_size=1, max_size=6), st.integers(0, 9))
def test_a_mail_with_any_bytes_changed_is_read_or_malformed(at: int, new: bytes, less: int) -> None:
    mime = PICTURE.encode()
    assert_sound(lambda: parse(ses(mime[:at] + new + mime[at + less :])))


@settings(max_examples=200, deadline=None)
@given(broken(ses(ANN.encode())) | JSON_VALUES)
def test_any_notification_is_read_or_malformed(message: Any) -> None:
    assert_sound(lambda: parse(json.dumps(message)))


def test_an_address_that_grows_when_small_is_nobodys() -> None:
    """Capital I with a dot is two letters when small: 268 characters become 332."""
    longest = "İ" * 64 + "@" + ".".join(["a" * 50] * 4)
    assert mail(f"From: {longest}").touchpoint.identifiers == ()
    assert mail("Subject: none", source=longest).touchpoint.identifiers == ()
    recipient = {"emailAddress": longest}
    (bounced,) = parse(
        {
            "notificationType": "Bounce",
            "mail": {"messageId": "ours-1", "source": "support@boutique.example"},
            "bounce": {"bouncedRecipients": [recipient]},
        }
    )
    assert bounced.touchpoint.identifiers == ()


# What became of what we sent


def test_a_bounce_finds_the_message_that_bounced() -> None:
    bounce = {
        "notificationType": "Bounce",
        "mail": {"messageId": "ours-1", "source": "Support@boutique.example"},
        "bounce": {
            "bounceType": "Transient",
            "bouncedRecipients": [{"emailAddress": "a@b.example"}],
        },
    }
    (observed,) = parse(bounce)
    seen, content = observed.touchpoint, observed.touchpoint.content
    assert isinstance(content, DeliveryStatus)
    sent = touchpoint_id("email_ses", answer().endpoint.account, "ours-1")
    assert touchpoint_id(seen.provider, seen.account, content.message_id) == sent
    assert content.reason == "bounce:transient"


@pytest.mark.parametrize(
    ("kind", "detail", "status", "reason"),
    [
        ("Send", {}, "accepted", None),
        ("DeliveryDelay", {"delayType": "MailboxFull"}, "sent", "deliverydelay:mailboxfull"),
        ("Delivery", {}, "delivered", None),
        ("Open", {}, "read", None),
        ("Click", {}, "read", None),
        ("Reject", {"reason": "Bad content"}, "failed", "reject:bad content"),
        ("Rendering Failure", {"errorMessage": "x" * 500}, "failed", None),
        ("Complaint", {}, "failed", "complaint"),
    ],
)
def test_every_event_is_a_status(kind: str, detail: Any, status: str, reason: str | None) -> None:
    name = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}.get(
        kind, kind.lower()
    )
    sent = {"messageId": "ours-1", "source": "x@y.example", "destination": ["a@b.example"]}
    (observed,) = parse({"eventType": kind, "mail": sent, name: detail})
    content = observed.touchpoint.content
    assert isinstance(content, DeliveryStatus)
    assert content.status == status
    assert reason is None or content.reason == reason
    assert observed.touchpoint.account == "x@y.example"


RETURNED = """Content-Type: multipart/report; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1

--x
Content-Type: text/rfc822-headers

Message-ID: <{id}>
{mark}: k

--x--
"""
OURS = "ours-1@eu-west-1.amazonses.com"


def test_no_mail_went_to_more_than_a_thousand_recipients() -> None:
    """Each becomes a touchpoint."""
    recipients = [f"{number}@example.org" for number in range(1_001)]
    mail = {"messageId": "m-1", "timestamp": "2026-11-20T08:00:00Z", "source": "a@example.org"}
    event: dict[str, Any] = {"eventType": "Delivery", "mail": mail, "delivery": {}}
    event["delivery"]["recipients"] = recipients[1:]
    assert len(parse(event)) == 1_000
    event["delivery"]["recipients"] = recipients
    with pytest.raises(MalformedPayload, match="recipients"):
        parse(event)


@pytest.mark.parametrize(
    ("author", "dmarc", "stops"),
    [
        ("mailer-daemon@example.org", "PASS", True),
        ("mailer-daemon@mx.example.org", "PASS", True),
        ("mailer-daemon@example.org", "GRAY", False),
        ("mailer-daemon@notexample.org", "PASS", False),
        ("mailer-daemon@org", "PASS", False),
    ],
)
def test_only_the_recipients_own_domain_stops_further_mails(
    author: str, dmarc: str, stops: bool
) -> None:
    """Whoever got one mail of ours could otherwise silence anybody by a report of their own."""
    body = RETURNED.format(id=OURS, mark="X-Passerelle-Send-Key")
    (observed,) = parse(ses(f"From: {author}\n{body}".encode(), dmarcVerdict=dmarc))
    content = observed.touchpoint.content
    assert isinstance(content, DeliveryStatus)
    assert (content.status, content.message_id) == ("failed", "ours-1")
    assert (content.stop is not None) is stops


@pytest.mark.parametrize(
    ("message_id", "mark"), [(OURS, "X-Other"), ("1@example.org", "X-Passerelle-Send-Key")]
)
def test_a_report_of_somebody_elses_mail_is_a_mail(message_id: str, mark: str) -> None:
    body = RETURNED.format(id=message_id, mark=mark)
    (observed,) = parse(ses(f"From: mailer-daemon@example.org\n{body}".encode()))
    assert isinstance(observed.touchpoint.content, Message)
    assert observed.touchpoint.automation is Automation.BOUNCE


def test_a_stored_bounce_stays_what_it_is() -> None:
    stored: dict[str, Any] = ses(b"") | {"content": None}
    stored["receipt"]["action"] = {"type": "S3", "bucketName": "b", "objectKey": "k"}
    stored["mail"]["headers"] = [{"name": "From", "value": "Ann <ann@example.org>"}]
    (observed,) = parse(stored)
    content = observed.touchpoint.content
    assert isinstance(content, Message)
    assert [one.provider_reference for one in content.attachments] == ["s3://b/k"]
    assert observed.touchpoint.provider_event_id == "ses-1:stored"


def test_both_spellings_of_a_failed_template_are_read() -> None:
    sent = {"messageId": "ours-1", "source": "x@y.example", "destination": ["a@b.example"]}
    (observed,) = parse({"eventType": "RenderingFailure", "mail": sent, "failure": {}})
    assert isinstance(observed.touchpoint.content, DeliveryStatus)


# Sending


def answer(**fields: Any) -> OutboundMessage:
    endpoint = Endpoint(
        channel=Channel.EMAIL,
        provider="email_ses",
        account="support@boutique.example",
        address="ann@example.org",
    )
    told = {
        "send_key": "follow-up-1",
        "endpoint": endpoint,
        "message_class": MessageClass.TRANSACTIONAL,
        "text": "Votre colis est arrivé à l'agence.",
        "written_by": Writer.PERSON,
        "subject": "Re: Colis",
        "in_reply_to": "<2@example.org>",
        "thread": ("<1@example.org>", "<2@example.org>"),
        "language": "fr",
    }
    return OutboundMessage.model_validate(told | fields)


def written(**fields: Any) -> tuple[Mail, bytes]:
    request = PROVIDER.prepare(answer(**fields), PINNED)
    assert isinstance(request, MailRequest)
    return read_mail(request.mime), request.mime


def test_an_answer_is_a_mail_in_its_thread() -> None:
    request = PROVIDER.prepare(answer(), PINNED)
    assert isinstance(request, MailRequest)
    assert (request.sender, request.recipient) == ("support@boutique.example", "ann@example.org")
    read, mime = written()
    assert mime.isascii()
    assert b"\n" not in mime.replace(b"\r\n", b"")
    assert read.header("from") == "Boutique <support@boutique.example>"
    assert read.header("to") == "ann@example.org"
    assert read.header("subject") == "Re: Colis"
    assert read.header("in-reply-to") == "<2@example.org>"
    assert read.header("references") == "<1@example.org> <2@example.org>"
    assert read.header("content-language") == "fr"
    assert read.text.strip() == "Votre colis est arrivé à l'agence."
    # Amazon SES writes these two itself.
    assert {"date", "message-id"}.isdisjoint(read.headers)


@pytest.mark.parametrize(
    ("message_class", "automatic", "unsubscribable"),
    [
        (MessageClass.TRANSACTIONAL, False, False),
        (MessageClass.SERVICE, True, False),
        (MessageClass.LEGAL, True, False),
        (MessageClass.MARKETING, True, True),
    ],
)
def test_a_template_says_that_no_person_sent_it(
    message_class: MessageClass, automatic: bool, unsubscribable: bool
) -> None:
    read, _ = written(message_class=message_class)
    assert read.header("auto-submitted") == ("auto-generated" if automatic else "")
    assert bool(read.header("list-unsubscribe")) is unsubscribable


@pytest.mark.parametrize("message_class", list(MessageClass))
def test_our_own_mail_is_known_when_it_comes_back(message_class: MessageClass) -> None:
    _, mime = written(message_class=message_class)
    (observed,) = parse(ses(mime))
    assert observed.touchpoint.automation is Automation.ECHO
    assert observed.touchpoint.identifiers == ()
    assert observed.touchpoint.endpoint is None


@pytest.mark.parametrize(
    ("subject", "in_reply_to", "expected"),
    [
        ("Colis", "<1@x.example>", "Re: Colis"),
        ("RE: AW: Re[2]: Colis", "<1@x.example>", "Re: Colis"),
        ("Réponse", "<1@x.example>", "Re: Réponse"),
        (None, "<1@x.example>", "Re:"),
        ("Colis", None, "Colis"),
        ("Re: Colis", None, "Re: Colis"),
        (None, None, ""),
    ],
)
def test_an_answer_has_one_re(subject: str | None, in_reply_to: str | None, expected: str) -> None:
    read, _ = written(subject=subject, in_reply_to=in_reply_to)
    assert read.header("subject") == expected


def test_only_message_ids_thread() -> None:
    read, _ = written(
        in_reply_to="ses-1", thread=("ses-1", "<1@x.example>", "<1 @x>", "<1@x.example>")
    )
    assert read.header("in-reply-to") == ""
    assert read.header("references") == "<1@x.example>"


def test_a_long_thread_keeps_its_beginning_and_its_end_unbroken() -> None:
    ids = tuple(f"<{'x' * 200}{number}@example.org>" for number in range(50))
    read, mime = written(thread=ids, in_reply_to=ids[-1])
    assert read.message_ids("references") == (ids[0], *ids[-19:])
    assert max(map(len, mime.split(b"\r\n"))) <= 998


HOSTILE = "x\r\nBcc: victim@example.org\r\n\r\nbody"


@pytest.mark.parametrize("field", ["subject", "in_reply_to", "send_key", "language", "text"])
def test_no_text_becomes_a_header(field: str) -> None:
    read, _ = written(**{field: HOSTILE})
    assert "bcc" not in read.headers
    assert len(read.headers) <= 12


def test_no_name_or_thread_becomes_a_header() -> None:
    secret = PROVIDER.read_secret(LOCAL | {"sender_name": HOSTILE})
    request = PROVIDER.prepare(answer(thread=(HOSTILE, f"<{HOSTILE}>")), secret)
    assert isinstance(request, MailRequest)
    assert "bcc" not in read_mail(request.mime).headers


@settings(deadline=None)
@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=40))
def test_any_words_can_be_sent(subject: str, text: str) -> None:
    read, mime = written(subject=subject, text=text)
    assert mime.isascii()
    assert set(read.headers) <= EXPECTED_HEADERS


@pytest.mark.parametrize(
    ("message_class", "suppressed"),
    [(MessageClass.TRANSACTIONAL, ""), (MessageClass.SERVICE, "OOF, AutoReply")],
)
def test_what_a_rule_sends_asks_for_no_automatic_answer(
    message_class: MessageClass, suppressed: str
) -> None:
    read, _ = written(message_class=message_class)
    assert read.header("x-auto-response-suppress") == suppressed


def test_files_are_links_below_the_words() -> None:
    files = ({"url": "https://a.example/1", "name": "bill.pdf"}, {"url": "https://a.example/2"})
    read, _ = written(text="Voici.", files=files)
    assert read.text == "Voici.\n\nbill.pdf: https://a.example/1\nhttps://a.example/2"


def test_an_answer_to_a_mail_that_may_be_forged_threads_by_its_message_id() -> None:
    forged = mail(ANN, dmarcVerdict="FAIL").touchpoint.provider_event_id
    assert forged == "<1@example.org>#ses-1"
    read, _ = written(in_reply_to=forged, thread=(forged,))
    assert read.header("in-reply-to") == "<1@example.org>"
    assert read.header("references") == "<1@example.org>"


def test_a_forged_mail_hides_no_genuine_one() -> None:
    forged, genuine = mail(ANN, dmarcVerdict="FAIL"), mail(ANN, dmarcVerdict="PASS")
    assert forged.touchpoint.touchpoint_id != genuine.touchpoint.touchpoint_id


EXPECTED_HEADERS = {
    *("from", "to", "subject", "in-reply-to", "references", "x-passerelle-send-key"),
    *("content-language", "content-type", "content-transfer-encoding", "mime-version"),
}


@pytest.mark.parametrize(
    ("account", "address"),
    [
        ("support@boutique.example", HOSTILE),
        ("support@boutique.example", "ann@example.org, eve@example.org"),
        ("support@boutique.example", "ann@exämple.org"),
        ("support@boutique.example", "änn@example.org"),
        ("support@boutique.example", "ann"),
        ("somebody@else.example", "ann@example.org"),
    ],
)
def test_what_cannot_be_sent_is_refused(account: str, address: str) -> None:
    endpoint = Endpoint(
        channel=Channel.EMAIL, provider="email_ses", account=account, address=address
    )
    with pytest.raises(SendRefused) as refused:
        PROVIDER.prepare(answer(endpoint=endpoint), PINNED)
    assert "ann" not in str(refused.value)


def test_a_conversation_threads_both_ways() -> None:
    """What we answer to, and what answers us, are the same ids on both sides."""
    theirs = mail("From: ann@example.org\nMessage-ID: <2@example.org>\nReferences: <1@example.org>")
    content = theirs.touchpoint.content
    assert isinstance(content, Message)
    reply = answer(
        in_reply_to=theirs.touchpoint.provider_event_id,
        thread=(*content.thread, theirs.touchpoint.provider_event_id),
    )
    request = PROVIDER.prepare(reply, PINNED)
    assert isinstance(request, MailRequest)
    assert read_mail(request.mime).message_ids("references") == (
        "<1@example.org>",
        "<2@example.org>",
    )

    back = mail("From: ann@example.org\nIn-Reply-To: <ours-1@eu-west-1.amazonses.com>")
    assert isinstance(back.touchpoint.content, Message)
    assert back.touchpoint.content.in_reply_to == "ours-1"
