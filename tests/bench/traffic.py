"""Genuine webhooks in any number, all different, signed as their providers sign."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from enum import StrEnum
from itertools import count
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

from infra.local.clients.base import Call, find_client


class Kind(StrEnum):
    """What a touchpoint is to the bill."""

    PASSIVE_IN_BATCH = "passive_in_batch"
    """One of ten calls in one Segment request, as its server and mobile libraries send them."""
    PASSIVE_SINGLE = "passive_single"
    """A purchase at a till, a delivery status, an event of a browser: one to a request, in turn."""
    MESSAGE_THAT_JOINS = "message_that_joins"
    """A customer with an open ticket writes again."""
    MESSAGE_THAT_OPENS = "message_that_opens"
    """A customer writes who has no open ticket: with its follow-ups, to the delivery."""


BATCH = 10
"""Touchpoints in a Segment batch."""

Mix = Mapping[Kind, float]
"""The share of all touchpoints that each kind has; the shares sum to one."""

DEFAULT_MIX: Mix = {
    Kind.PASSIVE_IN_BATCH: 0.60,
    Kind.PASSIVE_SINGLE: 0.10,
    Kind.MESSAGE_THAT_JOINS: 0.20,
    Kind.MESSAGE_THAT_OPENS: 0.10,
}

OPENINGS = (
    "Bonjour, ma commande {n} n'est toujours pas arrivée, c'est inadmissible, je veux un "
    "remboursement.",
    "Hello, I ordered the blue coat ten days ago (order {n}) and it still has not arrived. "
    "Where is my parcel?",
    "Mon colis {n} est arrivé cassé, la boîte était ouverte et il manque une pièce. Que faire ?",
    "Order {n} came with a broken zip. Please refund it as soon as possible.",
)
JOININGS = (
    "Toujours rien pour la commande {n}, personne ne m'a répondu. Avez-vous une date ?",
    "Any news about order {n}? I am still waiting for my parcel.",
    "Je joins le numéro de suivi de la commande {n} : il n'a pas bougé depuis lundi.",
    "I still have not received the refund for order {n}, can you tell me when it will come?",
)


class Webhook(NamedTuple):
    """A request that is not signed yet, and how many touchpoints of which kind it carries."""

    kind: Kind
    touchpoints: int
    provider: str
    call: Call


class Customer(NamedTuple):
    number: int

    @property
    def phone(self) -> str:
        """A mobile number of France, without its plus."""
        return f"336{10_000_000 + self.number % 80_000_000}"

    @property
    def email(self) -> str:
        return f"customer{self.number}@example.com"


class Traffic:
    """Webhooks for one local cloud. `series` keeps two of them apart."""

    def __init__(self, url: str, *, series: int = 0) -> None:
        self._url = f"{url}/webhooks"
        self._series = series
        self._numbers = count(1)
        self._customers = count(1_000_000 * series)

    def customer(self) -> Customer:
        """Somebody nobody has heard of."""
        return Customer(next(self._customers))

    def customers(self, number: int) -> list[Customer]:
        return [self.customer() for _ in range(number)]

    def opening(self, customer: Customer, now: datetime) -> Webhook:
        return self._message(Kind.MESSAGE_THAT_OPENS, OPENINGS, customer, now)

    def joining(self, customer: Customer, now: datetime) -> Webhook:
        return self._message(Kind.MESSAGE_THAT_JOINS, JOININGS, customer, now)

    def passive(self, customer: Customer, now: datetime) -> Webhook:
        """The three ways in turn."""
        number = next(self._numbers)
        ways = (self._purchase, self._status, self._browser_event)
        return ways[number % len(ways)](number, customer, now)

    def purchase(self, customer: Customer, now: datetime) -> Webhook:
        """Makes a customer known by phone number and mail address."""
        return self._purchase(next(self._numbers), customer, now)

    def batch(self, customers: Sequence[Customer], now: datetime) -> Webhook:
        """Calls of a shop's app, one of each customer."""
        calls = [
            self._segment_call(next(self._numbers), one, now) | {"context": _app_context()}
            for one in customers
        ]
        body = {"batch": calls, "sentAt": _iso(now)}
        return self._json(
            Kind.PASSIVE_IN_BATCH, "segment", "/v1/batch", body, touchpoints=len(customers)
        )

    # Messages, by the channel a customer keeps to

    def _message(
        self, kind: Kind, texts: tuple[str, ...], customer: Customer, now: datetime
    ) -> Webhook:
        number = next(self._numbers)
        text = texts[number % len(texts)].format(n=4000 + number)
        ways = (self._whatsapp, self._sms, self._mail, self._chat)
        return ways[customer.number % len(ways)](kind, number, text, customer, now)

    def _whatsapp(
        self, kind: Kind, number: int, text: str, customer: Customer, now: datetime
    ) -> Webhook:
        value = {
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": "15550783881",
                "phone_number_id": "106540352242922",
            },
            "contacts": [{"profile": {"name": "Awa Diop"}, "wa_id": customer.phone}],
            "messages": [
                {
                    "from": customer.phone,
                    "id": f"wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNj{self._series}I{number}A==",
                    "timestamp": str(int(now.timestamp())),
                    "type": "text",
                    "text": {"body": text},
                }
            ],
        }
        return self._whatsapp_change(kind, value)

    def _whatsapp_change(self, kind: Kind, value: Mapping[str, Any]) -> Webhook:
        change = {"value": value, "field": "messages"}
        entry = {"id": "102290129340398", "changes": [change]}
        body = {"object": "whatsapp_business_account", "entry": [entry]}
        return self._json(kind, "whatsapp_cloud", "", body)

    def _sms(
        self, kind: Kind, number: int, text: str, customer: Customer, now: datetime
    ) -> Webhook:
        sid = f"SM{self._series:04x}{number:028x}"
        fields = {
            "AccountSid": "AC00000000000000000000000000000000",
            "ApiVersion": "2010-04-01",
            "Body": text,
            "From": f"+{customer.phone}",
            "FromCountry": "FR",
            "MessageSid": sid,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "To": "+33755500000",
            "ToCountry": "FR",
        }
        call = Call(
            method="POST",
            url=f"{self._url}/twilio",
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=urlencode(fields).encode(),
        )
        return Webhook(kind, 1, "twilio", call)

    def _mail(
        self, kind: Kind, number: int, text: str, customer: Customer, now: datetime
    ) -> Webhook:
        mail = EmailMessage()
        # What mailboxes and the servers between put on top of every mail, most of it signatures.
        draw = Random(number)
        for name in ("DKIM-Signature", "ARC-Seal", "ARC-Message-Signature", "X-Gm-Message-State"):
            mail[name] = f"a=rsa-sha256; d=example.com; s=20230601; b={_signature(draw)}"
        mail["From"] = f"Marie Durand <{customer.email}>"
        mail["To"] = "Boutique <support@boutique.example>"
        mail["Subject"] = f"Commande {4000 + number}"
        mail["Date"] = now
        mail["Message-ID"] = f"<{self._series}.{number}@mail.example.com>"
        mail.set_content(f"{text}\n-- \nMarie Durand\n")
        mail.add_alternative(f"<p>{text}</p><p>Marie Durand</p>", subtype="html")
        verdict = {"status": "PASS"}
        names = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
        topic = "arn:aws:sns:eu-west-1:123456789012:mail-received"
        message = {
            "notificationType": "Received",
            "mail": {
                "timestamp": _iso(now),
                "source": customer.email,
                "messageId": f"o3vrnil0e2ic28trm7dfhrc2v0{self._series:04x}{number:010x}",
                "destination": ["support@boutique.example"],
                "headersTruncated": False,
                "headers": [],
            },
            "receipt": {
                "timestamp": _iso(now),
                "processingTimeMillis": 415,
                "recipients": ["support@boutique.example"],
                **dict.fromkeys(names, verdict),
                "action": {"type": "SNS", "topicArn": topic, "encoding": "UTF8"},
            },
            "content": mail.as_string(),
        }
        body = {
            "Type": "Notification",
            "MessageId": f"22b80b92-fdea-4c2c-{self._series:04x}-{number:012x}",
            "TopicArn": topic,
            "Subject": "Amazon SES Email Receipt Notification",
            "Message": json.dumps(message),
        }
        return self._json(
            kind, "email_ses", "", body, {"content-type": "text/plain; charset=UTF-8"}
        )

    def _chat(
        self, kind: Kind, number: int, text: str, customer: Customer, now: datetime
    ) -> Webhook:
        body = {"id": f"m{self._series}-{number}", "text": text, "sent_at": _iso(now)}
        session = {"authorization": f"Session s-7f3c1d9e5b-{customer.number}"}
        return self._json(kind, "web_chat", "/messages", body, session)

    # What somebody did, or what happened to them

    def _purchase(self, number: int, customer: Customer, now: datetime) -> Webhook:
        body = {
            "type": "purchase.completed",
            "timestamp": _iso(now),
            "data": {
                "number": f"R-{self._series}-{number}",
                "store": "Lyon Part-Dieu",
                "total": "64.80",
                "currency": "EUR",
                "lines": [
                    {
                        "sku": "kettle-17",
                        "name": "Bouilloire",
                        "quantity": 1,
                        "unit_price": "39.90",
                    },
                    {"sku": "tea-4", "name": "Thé vert", "quantity": 2, "unit_price": "12.45"},
                ],
                "customer": {"phone": f"+{customer.phone}", "email": customer.email},
            },
        }
        ids = {"webhook-id": f"msg_{self._series}_{number}"}
        return self._json(Kind.PASSIVE_SINGLE, "standard_webhooks", "/till", body, ids)

    def _status(self, number: int, customer: Customer, now: datetime) -> Webhook:
        value = {
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": "15550783881",
                "phone_number_id": "106540352242922",
            },
            "statuses": [
                {
                    "id": f"wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI5QTNDQT{self._series}S{number}A==",
                    "status": "delivered",
                    "timestamp": str(int(now.timestamp())),
                    "recipient_id": customer.phone,
                    "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility"},
                }
            ],
        }
        return self._whatsapp_change(Kind.PASSIVE_SINGLE, value)

    def _browser_event(self, number: int, customer: Customer, now: datetime) -> Webhook:
        body = self._segment_call(number, customer, now) | {"context": _browser_context()}
        return self._json(Kind.PASSIVE_SINGLE, "segment", "/v1/track", body)

    def _segment_call(self, number: int, customer: Customer, now: datetime) -> dict[str, Any]:
        return {
            "type": "track",
            "event": "Product Viewed",
            "userId": f"user-{customer.number}",
            "properties": {
                "product_id": f"sku-{number % 500}",
                "category": "Kitchen",
                "name": "Kettle 17",
                "price": 39.9,
                "currency": "EUR",
            },
            "messageId": f"ajs-next-{self._series:04x}{number:028x}",
            "timestamp": _iso(now),
        }

    def _json(
        self,
        kind: Kind,
        provider: str,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        touchpoints: int = 1,
    ) -> Webhook:
        call = Call(
            method="POST",
            url=f"{self._url}/{provider}{path}",
            headers={"content-type": "application/json", **(headers or {})},
            body=json.dumps(body, ensure_ascii=False).encode(),
        )
        return Webhook(kind, touchpoints, provider, call)


def signed(webhook: Webhook, secrets: Mapping[str, Any], now: datetime) -> Call:
    """The request as its provider sends it."""
    return find_client(webhook.provider).sign(webhook.call, secrets[webhook.provider], now)


def feed(traffic: Traffic, mix: Mix, number: int, now: datetime, seed: int) -> list[Webhook]:
    """Webhooks of about `number` touchpoints in the shares of `mix`, shuffled.

    A customer's openings stand before what joins them, as in life.
    """
    webhooks = list(_in_shares(traffic, mix, number, now))
    Random(seed).shuffle(webhooks)
    late = [one for one in webhooks if one.kind is Kind.MESSAGE_THAT_JOINS]
    first = [one for one in webhooks if one.kind is not Kind.MESSAGE_THAT_JOINS]
    # Those that join come in the second half, among everything else.
    half = len(first) // 2
    rest = first[half:] + late
    Random(seed + 1).shuffle(rest)
    return first[:half] + rest


def _in_shares(traffic: Traffic, mix: Mix, number: int, now: datetime) -> Iterator[Webhook]:
    writers = []
    for _ in range(max(1, round(number * mix[Kind.MESSAGE_THAT_OPENS]))):
        writers.append(traffic.customer())
        yield traffic.opening(writers[-1], now)
    for position in range(round(number * mix[Kind.MESSAGE_THAT_JOINS])):
        yield traffic.joining(writers[position % len(writers)], now)
    for _ in range(round(number * mix[Kind.PASSIVE_SINGLE])):
        yield traffic.passive(traffic.customer(), now)
    for _ in range(round(number * mix[Kind.PASSIVE_IN_BATCH] / BATCH)):
        yield traffic.batch(traffic.customers(BATCH), now)


def _signature(draw: Random) -> str:
    """As long as one of 2048 bits, and as hard to compress."""
    return b64encode(draw.randbytes(256)).decode()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _app_context() -> dict[str, Any]:
    """What Segment's library for phones tells of each call."""
    return {
        "app": {
            "name": "Boutique",
            "version": "5.2.1",
            "build": "512",
            "namespace": "com.boutique",
        },
        "device": {
            "id": "B5372DB0-C21E-11E4-8DFC-AA07A5B093DB",
            "manufacturer": "Samsung",
            "model": "SM-A546B",
            "type": "android",
        },
        "library": {"name": "analytics-kotlin", "version": "1.16.3"},
        "locale": "fr-FR",
        "network": {"cellular": True, "wifi": False},
        "os": {"name": "Android", "version": "15"},
        "screen": {"density": 2.8, "height": 2340, "width": 1080},
        "timezone": "Europe/Paris",
    }


def _browser_context() -> dict[str, Any]:
    """What Segment's library for browsers tells of each call."""
    return {
        "library": {"name": "analytics.js", "version": "next-1.77.0"},
        "locale": "fr-FR",
        "page": {
            "path": "/kitchen/kettle-17",
            "referrer": "https://www.boutique.example/kitchen",
            "search": "",
            "title": "Kettle 17 | Boutique",
            "url": "https://www.boutique.example/kitchen/kettle-17",
        },
        "timezone": "Europe/Paris",
        "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
        "Gecko) Chrome/142.0.0.0 Safari/537.36",
    }
