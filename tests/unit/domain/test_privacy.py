"""Whose identifiers are erased, how they are searched for, and what the proof says."""

from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from shared.domain.identity import Identifier, IdentifierType, profile_id_from
from shared.domain.identity_graph import IdentityGraph, settled
from shared.domain.identity_tie import Tie, TieKind, tie
from shared.domain.model import ProfileId
from shared.domain.privacy import (
    STALLED_AFTER,
    Erasure,
    ErasureId,
    ErasureState,
    Reason,
    Search,
    digest_of,
    proof_of,
    theirs,
    without,
)
from tests.builders import NOON, endpoint, identifier, policies, whatsapp_message

POLICY = policies().identity
PHONE = identifier()
MAIL = identifier("awa@example.com", IdentifierType.EMAIL)
CARD = identifier("C-4711882", IdentifierType.CUSTOMER_NUMBER)
HIS = identifier("C-9990001", IdentifierType.CUSTOMER_NUMBER)


def ties(*pairs: tuple[Identifier, Identifier, TieKind]) -> tuple[Tie, ...]:
    return tuple(tie(a.key, b.key, kind, NOON, "touchpoint:1") for a, b, kind in pairs)


def graph(*pairs: tuple[Identifier, Identifier, TieKind], homes: set[Identifier]) -> IdentityGraph:
    keys = frozenset(key for one in ties(*pairs) for key in one.pair)
    built = IdentityGraph(
        identifiers=keys, homes=frozenset(one.key for one in homes), ties=ties(*pairs)
    )
    return settled(built, POLICY)


def erasure(*identifiers: Identifier, **overrides: object) -> Erasure:
    fields: dict[str, object] = {
        "erasure_id": ErasureId("e1"),
        "profile_ids": tuple(profile_id_from(one) for one in identifiers),
        "identifiers": tuple(one.key for one in identifiers),
        "reason": Reason.OBJECTION,
        "by": "agent-7",
        "requested_at": NOON,
        "touched_at": NOON,
    }
    return Erasure.model_validate(fields | overrides)


def test_theirs_is_what_is_proven_and_what_is_stated_of_nobody_else() -> None:
    both = graph(
        (PHONE, CARD, TieKind.VERIFIED), (PHONE, MAIL, TieKind.STATED), homes={PHONE, CARD}
    )
    assert theirs(both, PHONE.profile_id, NOON, POLICY) == {PHONE.key, CARD.key, MAIL.key}


def test_what_is_stated_of_two_people_or_has_a_history_is_not_theirs_alone() -> None:
    shared = graph((PHONE, MAIL, TieKind.STATED), (HIS, MAIL, TieKind.STATED), homes={PHONE, HIS})
    assert theirs(shared, PHONE.profile_id, NOON, POLICY) == {PHONE.key}
    known = graph((PHONE, MAIL, TieKind.STATED), homes={PHONE, MAIL})
    assert theirs(known, PHONE.profile_id, NOON, POLICY) == {PHONE.key}


def test_who_is_tied_to_them_after_the_request_is_not_erased_with_them() -> None:
    later = graph((PHONE, CARD, TieKind.VERIFIED), homes={PHONE, CARD})
    before = NOON - timedelta(seconds=1)
    assert theirs(later, PHONE.profile_id, before, POLICY) == {PHONE.key}


def test_nobody_has_no_identifiers() -> None:
    assert (
        theirs(graph((PHONE, CARD, TieKind.STATED), homes=set()), ProfileId("?"), NOON, POLICY)
        == set()
    )


def test_a_graph_without_them_keeps_the_others() -> None:
    before = graph((PHONE, CARD, TieKind.VERIFIED), (PHONE, HIS, TieKind.STATED), homes={CARD, HIS})
    after = without(before, [PHONE.key, CARD.key], POLICY)
    assert after is not None
    assert after.identifiers == after.homes == {HIS.key}
    assert after.ties == ()
    assert [one.profile_id for one in after.persons] == [HIS.profile_id]
    assert without(after, [HIS.key], POLICY) is None


@pytest.mark.parametrize(
    "content",
    [
        b'{"from": "+33612345678"}',
        b"0033612345678",
        b"tel:33612345678;",
        urlencode({"From": "+33612345678"}).encode(),
        b"From: Awa <AWA@Example.com>",
        urlencode({"to": "awa@example.com"}).encode(),
    ],
)
def test_an_identifier_is_found_however_it_is_written(content: bytes) -> None:
    assert Search([PHONE.key, MAIL.key]).finds(content)


@pytest.mark.parametrize(
    "content",
    [
        b"133612345678",
        b"+336123456789",
        b"lawa@example.com",
        b"",
        b"100%",
        b"awa@example.community",
    ],
)
def test_what_only_resembles_it_is_not(content: bytes) -> None:
    assert not Search([PHONE.key, MAIL.key]).finds(content)


def test_what_is_too_short_is_not_searched_and_the_proof_says_so() -> None:
    short = identifier("42", IdentifierType.CUSTOMER_NUMBER)
    assert not Search([short.key]).finds(b'"customer": "42"')
    assert proof_of(erasure(short, PHONE), NOON, b"key").not_searched == 1


@pytest.mark.parametrize("type_", [IdentifierType.WEB_USER, IdentifierType.WEB_ANONYMOUS])
def test_what_a_browser_may_choose_takes_nobody_elses_requests_along(type_: IdentifierType) -> None:
    chosen, drawn = identifier("purchase", type_), identifier(str(uuid4()), type_)
    assert not Search([chosen.key]).finds(b'{"type": "purchase.completed"}')
    assert Search([drawn.key]).finds(f'{{"anonymousId": "{drawn.value}"}}'.encode())
    assert proof_of(erasure(chosen, drawn), NOON, b"key").not_searched == 1


def test_a_touchpoint_whose_address_contains_theirs_is_not_theirs() -> None:
    domain = identifier("example.com", IdentifierType.CUSTOMER_NUMBER)
    theirs = whatsapp_message(identifiers=(MAIL,), endpoint=None)
    assert Search([MAIL.key]).names(theirs)
    assert not Search([domain.key]).names(theirs)


def test_a_touchpoint_names_its_sender_and_not_whom_it_speaks_of() -> None:
    search = Search([PHONE.key, identifier("42", IdentifierType.CUSTOMER_NUMBER).key])
    assert search.names(whatsapp_message())
    short = whatsapp_message(
        identifiers=(identifier("42", IdentifierType.CUSTOMER_NUMBER),), endpoint=None
    )
    assert search.names(short)
    other = "+33699999999"
    assert search.names(whatsapp_message(phone=other, endpoint=endpoint()))
    assert not search.names(whatsapp_message("Appelez ma soeur, +33612345678", phone=other))


def test_the_proof_names_nobody_and_the_key_recognises_them() -> None:
    done = erasure(PHONE, MAIL, counts={"touchpoints": 3}, passes=2)
    proof = proof_of(done, NOON, b"key")
    assert digest_of(PHONE.profile_id, b"key") in proof.subjects
    assert digest_of(PHONE.profile_id, b"another") not in proof.subjects
    text = proof.model_dump_json()
    assert not any(one in text for one in (*done.profile_ids, *done.identifiers, "336"))


def test_a_pass_that_found_nothing_and_a_request_that_stands_still() -> None:
    running = erasure(PHONE, counts={"touchpoints": 3}, before_pass=3)
    assert running.found_nothing
    assert not running.model_copy(update={"before_pass": 2}).found_nothing
    assert not running.is_stalled(NOON + STALLED_AFTER)
    assert running.is_stalled(NOON + STALLED_AFTER + timedelta(seconds=1))
    assert running.model_copy(update={"state": ErasureState.FAILED}).is_stalled(NOON)
