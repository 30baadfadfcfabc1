"""What Messenger and Instagram share: conversations with people who are known by an id that is only
valid with one page or one account of ours.

Messenger: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
Instagram: https://developers.facebook.com/documentation/instagram-platform/webhooks/examples
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, JsonValue

from shared.domain.errors import MalformedPayload, MissingSecret
from shared.domain.identity import IdentifierType
from shared.domain.touchpoint import Attachment, Channel, Direction, Touchpoint, Unsupported
from shared.providers._messenger_calls import call_of
from shared.providers._meta import (
    MetaProvider,
    MetaSecret,
    Part,
    Piece,
    Stamp,
    compact,
    content_key,
    lies_at,
    moment,
)
from shared.providers._meta_events import OurAccount, read_event
from shared.providers._meta_message import KnownId, Mid
from shared.providers._meta_sending import MessagingLimits, outgoing
from shared.providers.base import JSON_TYPE, HttpRequest, Observed, read_model

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage


_WORD = re.compile(r"[a-z_-]{1,40}")


class MessagingSecret(MetaSecret):
    """`access_tokens`: by the id of each page or account, the token that may send for it."""

    access_tokens: dict[str, str] = Field(min_length=1)


MessagingSecretT = TypeVar("MessagingSecretT", bound=MessagingSecret)


class Change(Part):
    """Of a page's name, its hours or its website the value is a text or a list."""

    field: str = Field(max_length=200)
    value: JsonValue = None


class Entry(Part):
    """`field` and `value` stand here where Instagram leaves `changes` out. What stands
    beside these is read where nothing stands in them: Meta has found new places before.
    """

    model_config = ConfigDict(extra="allow")

    id: KnownId
    time: Stamp = None
    messaging: list[dict[str, Any]] = []
    standby: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    changes: list[Change] = []
    field: str = Field(default="", max_length=200)
    value: JsonValue = None

    @property
    def elsewhere(self) -> dict[str, Any]:
        """What is told in none of the places that we know, in those that are not empty."""
        return {name: told for name, told in (self.model_extra or {}).items() if told}


class Body(Part):
    object: str
    entry: list[Entry]


class MessagingProvider(MetaProvider[MessagingSecretT]):
    object: ClassVar[str]
    channel: ClassVar[Channel]
    identifier: ClassVar[IdentifierType]
    limits: ClassVar[MessagingLimits]

    def pieces(
        self, body: JsonValue, secret: MessagingSecretT, received_at: datetime
    ) -> Iterator[Piece]:
        # Meta's own examples stand in a list.
        for one in body if isinstance(body, list) else [body]:
            known = read_model(Body, one)
            if known.object != self.object:
                raise MalformedPayload(f"object: not {self.object}")
            for entry in known.entry:
                yield from self._of_entry(entry, received_at)

    def _of_entry(self, entry: Entry, received_at: datetime) -> Iterator[Piece]:
        account = OurAccount(self.name, self.channel, self.identifier, entry.id, received_at)
        for name, events in (("messaging", entry.messaging), ("standby", entry.standby)):
            for event in events:
                yield self._piece(account, entry, {name: [event]}, event, name == "standby")
        for call in entry.calls:
            read_call = partial(call_of, account, call, entry.time)
            yield partial(_observed, read_call, entry, {"calls": [call]})
        changes = entry.changes
        if entry.field:
            changes = [*changes, Change(field=entry.field, value=entry.value)]
        for change in changes:
            part = {"changes": [{"field": change.field, "value": change.value}]}
            event = change.value if isinstance(change.value, dict) else {}
            party = event.get("recipient") or event.get("sender")
            # What has a verb was written in public: in a group it names a recipient too.
            if isinstance(party, dict) and "verb" not in event:
                yield self._piece(account, entry, part, event, change.field == "standby")
                continue
            key = content_key(compact([account.id, part]))
            read = partial(self.change, account, change, entry.time, key)
            yield partial(_observed, read, entry, part)
        if not (entry.messaging or entry.standby or entry.calls or changes) and entry.elsewhere:
            read = partial(_unknown_entry, account, entry)
            yield partial(_observed, read, entry, entry.elsewhere)

    def _piece(
        self,
        account: OurAccount,
        entry: Entry,
        part: Mapping[str, Any],
        event: dict[str, Any],
        is_standby: bool,
    ) -> Piece:
        read = partial(read_event, account, event, entry.time, not is_standby)
        return partial(_observed, read, entry, part)

    def change(self, account: OurAccount, change: Change, at: Stamp, key: str) -> list[Touchpoint]:
        """What a change of a field says that is no conversation. Raises MalformedPayload."""
        return [unknown_change(account, change, at, key)]

    def url(self, account: str, secret: MessagingSecretT) -> str:
        """Where a message of this account is sent."""
        raise NotImplementedError

    def prepare(self, message: "OutboundMessage", secret: MessagingSecretT) -> HttpRequest:
        account = message.endpoint.account
        token = secret.access_tokens.get(account)
        if token is None:
            raise MissingSecret(f"the secret for {self.name} has no access token for {account}")
        return HttpRequest(
            method="POST",
            url=self.url(account, secret),
            headers={"authorization": f"Bearer {token}", "content-type": JSON_TYPE},
            body=compact(outgoing(message, self.limits)),
        )

    def message_id(self, answer: JsonValue) -> str:
        return read_model(Answer, answer).message_id

    def media(self, attachment: Attachment, secret: MessagingSecretT) -> HttpRequest | None:
        """Meta's addresses hold what they need, so no token is shown. Elsewhere lies what the
        person links to, which is not fetched.
        """
        url = attachment.provider_reference or ""
        if not lies_at(url, self.media_hosts):
            return None
        return HttpRequest(method="GET", url=url, headers={}, body=b"")


class Answer(Part):
    """What the API answers when it takes a message."""

    message_id: Mid


def unknown_change(account: OurAccount, change: Change, at: Stamp, key: str) -> Touchpoint:
    return account.touchpoint(
        key,
        moment(at, account.received_at),
        Unsupported(what=f"change of {change.field}"[:200]),
        Direction.PASSIVE,
        "",
    )


def _unknown_entry(account: OurAccount, entry: Entry) -> list[Touchpoint]:
    names = sorted(one for one in entry.elsewhere if _WORD.fullmatch(one))
    told = Unsupported(what=f"entry of {', '.join(names[:3]) or 'an unknown kind'}")
    key = content_key(compact([account.id, entry.time, entry.elsewhere]))
    at = moment(entry.time, account.received_at)
    return [account.touchpoint(key, at, told, Direction.PASSIVE, "")]


def _observed(
    read: Callable[[], list[Touchpoint]], entry: Entry, part: Mapping[str, Any]
) -> list[Observed]:
    seen = read()
    raw = compact({"id": entry.id, "time": entry.time, **part})
    return [Observed(one, raw) for one in seen]
