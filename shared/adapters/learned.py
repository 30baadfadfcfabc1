"""What understanding taught of a person, on DynamoDB: one item beside the profile's own.

It is written after the journey's other writes, so it stays out of their transaction.
"""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.adapters.contact_counts import profile_key
from shared.domain.errors import Contention
from shared.domain.learning import Learned
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.profile import LearnedLanguage, Mood
from shared.events.envelope import Event

TRIES = 5
"""Where messages of one person are understood at the same moment. Trying here is cheaper than
having the step understand the message again.
"""


def learned_key(profile_id: ProfileId) -> dict[str, str]:
    return {"pk": f"profile#{profile_id}", "sk": "learned"}


def learn(
    client: Any,
    table: str,
    profile_id: ProfileId,
    touchpoint_id: TouchpointId,
    language: LearnedLanguage | None,
    mood: Mood | None,
    event: Event | None = None,
) -> None:
    """Writes nothing that is known; `event` where the language or a known mood becomes another.

    Raises Contention where others were quicker every time.
    """
    for _ in range(TRIES):
        # The profile too: what is learned of somebody who was erased meanwhile is not kept.
        keys = [profile_key(profile_id), learned_key(profile_id)]
        items = dynamo.batch_get(client, table, keys, consistent=True)
        if not any("created_at" in item for item in items):
            return
        found = [item for item in items if "learned" in item]
        known = learned_of(found[0]) if found else Learned()
        learned = known.after(touchpoint_id, language, mood)
        is_told = _language(learned) != _language(known) or learned.corrects(known)
        told = event if is_told else None
        if learned == known or _write(client, table, profile_id, learned, found, told):
            return
    raise Contention("other messages of the same person were understood first")


def _language(learned: Learned) -> str | None:
    return learned.language.language if learned.language is not None else None


def _write(
    client: Any,
    table: str,
    profile_id: ProfileId,
    learned: Learned,
    read: list[dict[str, Any]],
    event: Event | None,
) -> bool:
    version = read[0]["version"] if read else 0
    item = {
        **learned_key(profile_id),
        "learned": dynamo.compressed(learned.model_dump_json(exclude_defaults=True)),
        "version": version + 1,
        "event": event.carried() if event is not None else None,
    }
    condition = "#version = :read" if read else "attribute_not_exists(pk)"
    values = {"read": version} if read else None
    try:
        client.put_item(**dynamo.put(item, table=table, condition=condition, values=values))
    except ClientError as error:
        if not dynamo.condition_failed(error):
            with dynamo.contention():
                raise
        return False
    return True


def learned_of(item: Mapping[str, Any]) -> Learned:
    """Items written before several languages were kept hold one, or none, as `language`."""
    stored = json.loads(dynamo.decompressed(item["learned"]))
    if (only := stored.pop("language", None)) is not None:
        stored["languages"] = [only]
    return Learned.model_validate(stored)
