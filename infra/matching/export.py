"""Profiles as JSON lines: one person a line.

A line holds at least `profile_id`, and of `identifiers`, `stated_identifiers` and `traits` what
there is, as `Profile` names them; a trait may also be its bare value. Other fields are ignored.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from shared.domain.errors import InvalidInput
from shared.domain.profile import Profile

READ = ("profile_id", "identifiers", "stated_identifiers")
NEVER = datetime(1970, 1, 1, tzinfo=UTC).isoformat()


def line_of(profile: Profile, **labels: Any) -> str:
    fields = profile.model_dump(mode="json", include={*READ, "traits"})
    return json.dumps(fields | labels, ensure_ascii=False, sort_keys=True)


def profiles_of(lines: Iterable[str]) -> Iterator[Profile]:
    """Raises InvalidInput with the number of the line that is no profile, and quotes nothing."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _profile(json.loads(line))
            except (ValueError, TypeError, AttributeError, KeyError):
                raise InvalidInput("this line is no profile", field=f"line {number}") from None


def _profile(fields: dict[str, Any]) -> Profile:
    traits = {
        name: said if isinstance(said, dict) and set(said) == {"value", "at"} else _bare(said)
        for name, said in fields.get("traits", {}).items()
    }
    known = {name: fields[name] for name in READ if name in fields}
    return Profile.model_validate(
        {"created_at": NEVER, "profile_ids": (fields["profile_id"],), **known, "traits": traits}
    )


def _bare(value: Any) -> dict[str, Any]:
    return {"value": value, "at": NEVER}
