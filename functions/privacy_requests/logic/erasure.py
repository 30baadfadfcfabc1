"""Erasing a person, step by step. Each step may be repeated, and a broken one goes on.

A pass goes through all stores. What journeys under way wrote meanwhile is found by the next; the
last pass is one that finds nothing, after all those journeys must have ended.
"""

from collections.abc import Callable, Mapping

from functions.privacy_requests.logic.steps import (
    ROUNDS,
    Next,
    Ports,
    StepRequest,
    has_begun_elsewhere,
)
from shared.domain.errors import Conflict, MissingSecret
from shared.domain.identity import Identifier
from shared.domain.privacy import (
    FEWEST_PASSES,
    MOST_PASSES,
    Erasure,
    ErasureId,
    ErasureState,
    Search,
    proof_of,
    theirs,
    without,
)
from shared.domain.suppression import Suppression, SuppressionKind, person_subject
from shared.events.catalogue import ErasureDone
from shared.ports.privacy import Cleared

SECRET = "privacy"
"""Beside those of the providers: its `key` makes the digests of the proofs."""


def erase(request: StepRequest, ports: Ports) -> Next:
    """One step of the state machine `erasure`, by its name."""
    found = ports.requests.read_erasure(ErasureId(request.erasure_id))
    if not isinstance(found, Erasure):
        return Next.ENDED
    if request.step == "begin_pass" and request.attempt > found.run_attempt:
        # Its passes are counted anew: who wrote all the time then may not do so now.
        begun = {
            "run": request.run,
            "run_attempt": request.attempt,
            "state": ErasureState.RUNNING,
            "passes": 0,
        }
        found = found.model_copy(update=begun)
    if has_begun_elsewhere(found, request):
        return Next.ENDED
    return STEPS[request.step](found, ports)


def _begin_pass(erasure: Erasure, ports: Ports) -> Next:
    """Whoever became one with them since is theirs to be erased as well; nothing more is sent."""
    if erasure.passes >= MOST_PASSES:
        raise Conflict("each pass found something new; somebody is writing all the time")
    whole = _widened(erasure, ports)
    whole = whole.model_copy(
        update={
            "passes": whole.passes + 1,
            "before_pass": whole.deleted,
            "looked_at": 0,
            "position": None,
        }
    )
    _keep(whole, ports)
    ports.requests.mark(whole)
    stop = Suppression(
        kind=SuppressionKind.LEGAL,
        reason="this person is being erased",
        by="erasure",
        at=whole.requested_at,
    )
    for profile_id in whole.profile_ids:
        ports.consents.tell(person_subject(profile_id), stop)
    return Next.ON


def _widened(erasure: Erasure, ports: Ports) -> Erasure:
    known = ports.profiles.known(erasure.profile_ids)
    keys = set(erasure.identifiers)
    for profile_id in erasure.profile_ids:
        if profile_id in known.graphs:
            graph = known.graphs[profile_id].graph
            keys |= theirs(graph, profile_id, erasure.requested_at, ports.policy)
        elif profile_id in known.profiles:
            keys |= {one.key for one in known.profiles[profile_id].identifiers}
    ids = {Identifier.from_key(key).profile_id for key in keys} - set(erasure.profile_ids)
    return erasure.model_copy(
        update={
            "profile_ids": (*erasure.profile_ids, *sorted(ids)),
            "identifiers": tuple(sorted(keys)),
        }
    )


def _keep(erasure: Erasure, ports: Ports) -> None:
    now = ports.clock.now()
    ports.requests.save_erasure(erasure.model_copy(update={"touched_at": now}))


def _all_of(clear: Callable[[], Cleared]) -> Next:
    """Piece by piece, for as long as one invocation may take."""
    for _ in range(ROUNDS):
        if not clear().more:
            return Next.ON
    return Next.AGAIN


def _erase_tickets(erasure: Erasure, ports: Ports) -> Next:
    return _all_of(lambda: ports.data.erase_tickets(erasure))


def _erase_touchpoints(erasure: Erasure, ports: Ports) -> Next:
    return _all_of(lambda: ports.data.erase_touchpoints(erasure))


def _leave_graphs(erasure: Erasure, ports: Ports) -> Next:
    """Others whose identifiers were tied to theirs stay who they are."""
    known = ports.profiles.known(erasure.profile_ids)
    for stored in {one.graph_id: one for one in known.graphs.values()}.values():
        left = without(stored.graph, erasure.identifiers, ports.policy)
        ports.data.leave_graph(erasure, stored, left)
    return Next.ON


def _erase_profiles(erasure: Erasure, ports: Ports) -> Next:
    return _all_of(lambda: ports.data.erase_profiles(erasure))


def _search_ledger(erasure: Erasure, ports: Ports) -> Next:
    """What belongs to nobody and names them: requests that could not be read, statuses."""
    erasure, more = ports.data.erase_unclaimed(erasure, Search(erasure.identifiers))
    _keep(erasure, ports)
    return Next.AGAIN if more else Next.ON


def _end_pass(erasure: Erasure, ports: Ports) -> Next:
    enough = erasure.passes >= FEWEST_PASSES and erasure.found_nothing
    return Next.ON if enough else Next.AGAIN


def _write_proof(erasure: Erasure, ports: Ports) -> Next:
    key = (ports.secrets.read(SECRET) or {}).get("key")
    if not key:
        raise MissingSecret(f"the secret {SECRET} holds no key")
    proof = proof_of(erasure, ports.clock.now(), str(key).encode())
    ports.requests.end_erasure(proof, erasure, ErasureDone(erasure_id=erasure.erasure_id))
    return Next.ON


def _give_up(erasure: Erasure, ports: Ports) -> Next:
    _keep(erasure.model_copy(update={"state": ErasureState.FAILED}), ports)
    return Next.ON


STEPS: Mapping[str, Callable[[Erasure, Ports], Next]] = {
    "begin_pass": _begin_pass,
    "erase_tickets": _erase_tickets,
    "erase_touchpoints": _erase_touchpoints,
    "leave_graphs": _leave_graphs,
    "erase_profiles": _erase_profiles,
    "search_ledger": _search_ledger,
    "end_pass": _end_pass,
    "write_proof": _write_proof,
    "give_up": _give_up,
}
"""In the order of the state machine, which is made from it in infra/constructs/erasure.py."""
