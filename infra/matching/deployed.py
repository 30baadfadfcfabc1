"""A deployed stack's profiles, and its review queue, with the credentials of its account."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.matching.review import Pair
from shared.domain.matching import MatchModel
from shared.domain.profile import MergeSuggestion, Profile
from shared.ports.profiles import MatchIndex, ProfileStore
from shared.runtime import wiring
from shared.runtime.settings import ProfileSettings, environment


def profiles(stack: str) -> Iterator[Profile]:
    """Each person once, under the profile they are known by; says on stderr how far it is."""
    settings = _settings(stack)
    return read_all(wiring.match_index(settings), wiring.profiles(settings))


def read_all(index: MatchIndex, store: ProfileStore) -> Iterator[Profile]:
    cursor, seen, persons = None, 0, 0
    while True:
        page = index.profile_ids(limit=500, cursor=cursor)
        for profile_id in page.items:
            profile = store.read(profile_id)
            if profile is not None and profile.profile_id == profile_id:
                persons += 1
                yield profile
        seen += len(page.items)
        print(f"{seen} profiles of {persons} people read", file=sys.stderr)
        if page.cursor is None:
            return
        cursor = page.cursor


def suggest(stack: str, found: Sequence[Pair], model: MatchModel, at: datetime) -> int:
    """How many are in the review queue by it."""
    return write_all(wiring.profiles(_settings(stack)), found, model, at)


def write_all(store: ProfileStore, found: Sequence[Pair], model: MatchModel, at: datetime) -> int:
    return sum(store.suggest(suggestion_of(pair, model, at)) for pair in found)


def suggestion_of(pair: Pair, model: MatchModel, at: datetime) -> MergeSuggestion:
    one, other = sorted((pair.one, pair.other))
    return MergeSuggestion(
        profile_ids=(one, other),
        reason=pair.match.reason,
        score=pair.match.probability,
        by=f"model:{model.version}",
        at=at,
    )


def _settings(stack: str) -> ProfileSettings:
    environment.set(wiring.stack_outputs(stack))
    return ProfileSettings.read()
