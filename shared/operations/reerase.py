"""Erase again whom a restored backup brought back.

A restored table does not know of what was erased after its moment. The proofs do, in files of their
own: each holds digests of the profile ids, made with a key that only this account has.
"""

from collections.abc import Callable
from uuid import uuid4

from shared.domain.errors import MissingSecret
from shared.domain.model import ProfileId
from shared.domain.privacy import Erasure, ErasureId, Reason, digest_of
from shared.events.catalogue import ErasureRequested
from shared.ports.privacy import PrivacyRequests
from shared.ports.profiles import MatchIndex, ProfileStore
from shared.ports.providers import Clock, Secrets

BY = "operations"


def _say_nothing(_: str) -> None:
    """Where nobody listens."""


def reerase(
    *,
    requests: PrivacyRequests,
    profiles: ProfileStore,
    index: MatchIndex,
    secrets: Secrets,
    clock: Clock,
    report: Callable[[str], None] = _say_nothing,
) -> int:
    """Ask for the erasure of each profile that was erased after it began; how many.

    Who came back after their erasure has a profile that is younger than the proof, and stays.
    """
    key = (secrets.read("privacy") or {}).get("key")
    if not key:
        raise MissingSecret("the secret privacy holds no key")
    erased = dict(
        sorted((digest, proof.done_at) for proof in requests.proofs() for digest in proof.subjects)
    )
    asked, cursor = 0, None
    while True:
        page = index.profile_ids(cursor=cursor)
        known = profiles.known(page.items).profiles
        for profile_id in page.items:
            done_at = erased.get(digest_of(profile_id, str(key).encode()))
            profile = known.get(profile_id)
            if done_at is not None and profile is not None and profile.created_at < done_at:
                report(f"profile {profile_id} was erased at {done_at:%Y-%m-%d}: again")
                _request(profile_id, requests, clock)
                asked += 1
        if (cursor := page.cursor) is None:
            return asked


def _request(profile_id: ProfileId, requests: PrivacyRequests, clock: Clock) -> None:
    now = clock.now()
    erasure = Erasure(
        erasure_id=ErasureId(str(uuid4())),
        profile_ids=(profile_id,),
        reason=Reason.RESTORED_BACKUP,
        by=BY,
        requested_at=now,
        touched_at=now,
    )
    requests.begin_erasure(erasure, ErasureRequested(erasure_id=erasure.erasure_id))
