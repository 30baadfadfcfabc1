"""Labelled cases of who is who: read from tests/fixtures/identity, played, and held against the
truth.

`python -m tests.identity_cases` prints the table, theme by theme.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from pydantic import Field

from functions.profile_update.logic.update import normalise
from shared.domain.account import Account, Accounts
from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy, Proof
from shared.domain.identity_claims import claims_of
from shared.domain.identity_graph import IdentityGraph, Person, with_claims
from shared.domain.model import Model, ProfileId
from shared.domain.touchpoint import Channel, Direction, Touchpoint, Unsupported
from shared.policies.reader import PolicyFile, read_policies
from shared.runtime import wiring
from tests.builders import NOON

FOLDER = Path(__file__).parent / "fixtures" / "identity"
SOURCES = "sources.yaml"
NOBODY = "nobody"
"""The owner of what identifies nobody: placeholders, addresses of machines."""

SHORT_NAMES = {
    "customer": IdentifierType.CUSTOMER_NUMBER,
    "whatsapp": IdentifierType.WHATSAPP_USER,
    "messenger": IdentifierType.MESSENGER_USER,
    "instagram": IdentifierType.INSTAGRAM_USER,
    "telegram": IdentifierType.TELEGRAM_USER,
    "card": IdentifierType.LOYALTY_CARD,
    "order": IdentifierType.ORDER_NUMBER,
    "anonymous": IdentifierType.WEB_ANONYMOUS,
    "session": IdentifierType.WEB_CHAT_SESSION,
}
"""What the cases call the types; the others go by their own names."""

Keys = frozenset[str]


# What the files hold


class Origin(Model):
    provider: str
    channel: Channel
    direction: Direction
    proof: Proof | None = None


class Sources(Model):
    sources: dict[str, Origin]
    scopes: dict[IdentifierType, str]


class Seen(Model):
    """One touchpoint. `ids` are written `type value` or `type@scope value`, as providers write."""

    via: str
    ids: tuple[str, ...] = Field(min_length=1)
    by: str
    """Who it really was."""
    name: str | None = None
    region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """Of the line it came in by; the policy's own where it is not said."""
    years: int = 0
    """How long after the others; touchpoints of a case are a day apart."""


class Case(Model):
    name: str
    people: dict[str, tuple[str, ...]]
    """Whose each identifier really is, in its one form. One under two names is shared by both."""
    seen: tuple[Seen, ...] = Field(min_length=1)
    linked: Literal["all", "none", "some"] = "some"
    """What the design promises of the pairs that belong together."""
    misplaced: int = 0
    """Touchpoints that stand in the history of somebody else, since nothing tells them apart."""
    known_false: str = ""
    """Why the rules join two people here. Strict: once they do not, this must go."""


class Theme(Model):
    theme: str
    floor: float = Field(ge=0, le=1)
    """Of the pairs that belong together, the share which must be joined."""
    cases: tuple[Case, ...] = Field(min_length=1)


@cache
def sources() -> Sources:
    read: Sources = PolicyFile(FOLDER / SOURCES).read(Sources)
    return read


@cache
def themes() -> tuple[Theme, ...]:
    paths = sorted(path for path in FOLDER.glob("*.yaml") if path.name != SOURCES)
    return tuple(PolicyFile(path).read(Theme) for path in paths)


@cache
def policy() -> IdentityPolicy:
    """The company's own."""
    return read_policies().identity


@cache
def lines() -> Accounts:
    """One at each provider in each country that a case names."""
    told = {(seen.via, seen.region) for case in cases() for seen in case.seen if seen.region}
    providers = {(sources().sources[via].provider, region) for via, region in told}
    return Accounts(
        tuple(
            Account(provider=provider, account=_line(region), region=region)
            for provider, region in sorted(providers)
        )
    )


def cases() -> list[Case]:
    return [case for theme in themes() for case in theme.cases]


# Playing a case


def identifier_from(text: str) -> Identifier:
    kind, _, value = text.partition(" ")
    name, at, scope = kind.partition("@")
    type_ = SHORT_NAMES.get(name) or IdentifierType(name)
    return Identifier(type=type_, scope=scope if at else _usual_scope(type_), value=value)


def _usual_scope(type_: IdentifierType) -> str:
    return sources().scopes.get(type_, "")


def _line(region: str | None) -> str:
    return f"line-{region}" if region else "line"


def touchpoints(case: Case) -> list[tuple[Seen, Touchpoint]]:
    """A day apart, each of the source it names."""
    return [
        (seen, _touchpoint(case, number, seen)) for number, seen in enumerate(case.seen, start=1)
    ]


def _touchpoint(case: Case, number: int, seen: Seen) -> Touchpoint:
    at = NOON + timedelta(days=number + 366 * seen.years)
    return Touchpoint(
        **dict(sources().sources[seen.via]),
        account=_line(seen.region),
        provider_event_id=f"{case.name}, {number}",
        occurred_at=at,
        received_at=at,
        content=Unsupported(what="a labelled case"),
        identifiers=tuple(map(identifier_from, seen.ids)),
        name=seen.name,
    )


class Played(NamedTuple):
    """What a case's touchpoints come to."""

    graphs: tuple[IdentityGraph, ...]
    homes: tuple[tuple[Seen, str], ...]
    """The identifier whose profile each touchpoint belongs to."""

    @property
    def persons(self) -> list[Person]:
        return [person for graph in self.graphs for person in graph.persons]

    @property
    def known_as(self) -> frozenset[tuple[ProfileId, Keys, Keys]]:
        return frozenset((one.profile_id, one.identifiers, one.homes) for one in self.persons)


def play(order: Sequence[tuple[Seen, Touchpoint]]) -> Played:
    """Touchpoint by touchpoint, as `profile_update` does it, without a store."""
    graphs: dict[str, IdentityGraph] = {}
    homes: list[tuple[Seen, str]] = []
    for seen, touchpoint in order:
        claims = claims_of(touchpoint, normalised(touchpoint), policy())
        if claims is None:
            continue
        named = {claims.home.key, *(one.key for one in claims.others)}
        with_history = frozenset(named & {home for _, home in homes})
        known = {key: graphs[key] for key in named & graphs.keys()}
        graph = with_claims(claims, known, with_history, policy())
        graphs |= dict.fromkeys(graph.identifiers, graph)
        homes.append((seen, claims.home.key))
    return Played(tuple({id(graph): graph for graph in graphs.values()}.values()), tuple(homes))


def normalised(touchpoint: Touchpoint) -> tuple[Identifier, ...]:
    forms = wiring.identifier_forms()
    read, _ = normalise(touchpoint, policy=policy(), accounts=lines(), forms=forms)
    return read


def shuffled(case: Case, times: int = 2) -> Iterator[list[tuple[Seen, Touchpoint]]]:
    """The same orders each time."""
    chance = Random(case.name)
    for _ in range(times):
        order = touchpoints(case)
        chance.shuffle(order)
        yield order


# Holding it against the truth


class Verdict(NamedTuple):
    false_merges: tuple[Keys, ...]
    """Identifiers held to be one person's which no single person owns."""
    misplaced: int
    pairs: int
    joined: int
    suggested: int
    """Joined, or a person is asked about it."""
    stated: int
    """Either, or kept as stated: one of them has no history, so there is nothing to merge."""


def judge(case: Case, played: Played) -> Verdict:
    owners = owners_of(case)
    person_of = {key: person for person in played.persons for key in person.identifiers}
    asked = {
        frozenset(
            person.profile_id
            for one in possible.profile_ids
            for person in [graph.person_with(one)]
            if person
        )
        for graph in played.graphs
        for possible in graph.suggested()
    }
    tied = {one.pair for graph in played.graphs for one in graph.ties}
    levels: Counter[str] = Counter()
    for one, other in _pairs(case):
        here, there = person_of.get(one), person_of.get(other)
        is_joined = here is not None and here is there
        is_asked = (
            here is not None
            and there is not None
            and frozenset({here.profile_id, there.profile_id}) in asked
        )
        levels["pairs"] += 1
        levels["joined"] += is_joined
        levels["suggested"] += is_joined or is_asked
        levels["stated"] += is_joined or is_asked or (one, other) in tied
    return Verdict(
        false_merges=tuple(
            person.identifiers
            for person in played.persons
            if not _in_common(person.identifiers, owners)
        ),
        misplaced=sum(
            seen.by not in _in_common(person_of[home].identifiers, owners)
            for seen, home in played.homes
        ),
        **{name: levels[name] for name in ("pairs", "joined", "suggested", "stated")},
    )


def owners_of(case: Case) -> dict[str, frozenset[str]]:
    owners: dict[str, frozenset[str]] = {}
    for person, texts in case.people.items():
        for key in _keys(texts):
            owners[key] = owners.get(key, frozenset()) | {person}
    return owners


def _in_common(keys: Iterable[str], owners: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset.intersection(*(owners[key] for key in keys))


def _pairs(case: Case) -> Iterator[tuple[str, str]]:
    """Of identifiers that are one person's alone. A chat session lasts an hour, and is not meant
    to be found again.
    """
    owners = owners_of(case)
    for person, texts in case.people.items():
        own = sorted(key for key in _keys(texts) if owners[key] == {person})
        lasting = [key for key in own if not key.startswith(f"{IdentifierType.WEB_CHAT_SESSION}#")]
        if person != NOBODY:
            yield from combinations(lasting, 2)


def _keys(texts: Iterable[str]) -> list[str]:
    return [identifier_from(text).key for text in texts]


# The table


class Row(NamedTuple):
    theme: str
    cases: int
    touchpoints: int
    false_merges: int
    known_false: int
    misplaced: int
    pairs: int
    joined: int
    suggested: int
    stated: int

    @property
    def recall(self) -> float:
        return self.joined / self.pairs if self.pairs else 1.0


def verdict(case: Case) -> Verdict:
    return judge(case, play(touchpoints(case)))


def row_of(theme: Theme) -> Row:
    judged = [(case, verdict(case)) for case in theme.cases]
    return Row(
        theme=theme.theme,
        cases=len(judged),
        touchpoints=sum(len(case.seen) for case, _ in judged),
        false_merges=sum(len(one.false_merges) for case, one in judged if not case.known_false),
        known_false=sum(len(one.false_merges) for case, one in judged if case.known_false),
        misplaced=sum(one.misplaced for _, one in judged),
        pairs=sum(one.pairs for _, one in judged),
        joined=sum(one.joined for _, one in judged),
        suggested=sum(one.suggested for _, one in judged),
        stated=sum(one.stated for _, one in judged),
    )


def table() -> str:
    rows = [row_of(theme) for theme in themes()]
    total = Row(
        "all themes", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))
    )
    head = (
        f"{'theme':<44}{'cases':>6}{'seen':>6}{'false':>6}{'known':>6}{'mixed':>6}"
        f"{'pairs':>7}{'joined':>8}{'+asked':>8}{'+stated':>8}"
    )
    return "\n".join(
        [
            head,
            *(
                f"{row.theme:<44}{row.cases:>6}{row.touchpoints:>6}{row.false_merges:>6}"
                f"{row.known_false:>6}{row.misplaced:>6}{row.pairs:>7}"
                f"{_share(row.joined, row.pairs):>8}{_share(row.suggested, row.pairs):>8}"
                f"{_share(row.stated, row.pairs):>8}"
                for row in (*rows, total)
            ),
            "false: persons that hold identifiers of different people · known: the same, with the"
            " reason in the case",
            "mixed: touchpoints in the history of somebody else, which nothing tells apart",
            "joined: recall over all pairs of identifiers of one person · +asked: or suggested to a"
            " person · +stated: or noted on them",
        ]
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


if __name__ == "__main__":
    print(table())
