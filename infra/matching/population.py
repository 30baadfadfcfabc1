"""Invented people and the profiles they leave on five channels, with the truth of who is who.

Everything is drawn from one seed. What makes the task hard is drawn too: misspellings, exchanged
names and dates, marriages, moves, new numbers and addresses; twins, couples and families who share
a phone, a mail box and an address; a father and a son of one name; strangers of one name.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import NamedTuple

from pydantic import JsonValue

from infra.matching.names import Place, places
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.profile import Profile, Trait

SEEN_AT = datetime(2026, 11, 1, tzinfo=UTC)
TOWNS = 40
"""Postcodes of a country: a few thousand people share each in a million."""


class Draw(Random):
    """With the mail addresses that are taken: two strangers never have the same."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.addresses: set[str] = set()

    def address(self, mailbox: str, domain: str) -> str:
        while f"{mailbox}@{domain}" in self.addresses:
            mailbox += self.choice("0123456789")
        self.addresses.add(f"{mailbox}@{domain}")
        return f"{mailbox}@{domain}"


class Human(NamedTuple):
    """One person as they are."""

    number: int
    place: Place
    is_woman: bool
    given: str
    second: str
    family: str
    birth: date
    postcode: str
    phone: str
    """National, without its trunk prefix."""
    email: str
    kind: str = "alone"
    """What they are in the test: twin, couple, child, junior, alone."""


class Labelled(NamedTuple):
    profile: Profile
    person: int
    kind: str


def population(people: int, seed: int) -> list[Labelled]:
    """The profiles of about so many people, in no order that tells anything."""
    random = Draw(seed)
    profiles = [one for human in _humans(people, random) for one in _profiles(human, random)]
    random.shuffle(profiles)
    return profiles


def _humans(people: int, random: Draw) -> Iterator[Human]:
    towns = {place: [_digits(place.postcodes, random) for _ in range(TOWNS)] for place in places()}
    number = 0
    while number < people:
        place = random.choices(places(), [one.of_a_hundred for one in places()])[0]
        for human in _household(place, random.choice(towns[place]), random):
            yield human._replace(number=number)
            number += 1


def _household(place: Place, postcode: str, random: Draw) -> list[Human]:
    first = _human(place, postcode, random)
    kind = random.choices(
        ["alone", "couple", "twin", "child", "junior"], weights=[70, 17, 4, 7, 2]
    )[0]
    if kind == "alone":
        return [first]
    other = _human(place, postcode, random)
    match kind:
        case "couple":
            other = other._replace(is_woman=not first.is_woman)._replace(
                given=_given(place, not first.is_woman, random, but=first.given),
                family=first.family if random.random() < 0.6 else other.family,
            )
        case "twin":
            same = random.random() < 0.6
            is_woman = first.is_woman if same else not first.is_woman
            other = other._replace(
                is_woman=is_woman,
                given=_given(place, is_woman, random, but=first.given),
                family=first.family,
                birth=first.birth,
            )
        case "child" | "junior":
            younger = first.birth + timedelta(days=random.randint(7300, 14000))
            is_woman = first.is_woman if kind == "junior" else random.random() < 0.5
            given = (
                first.given
                if kind == "junior"
                else _given(place, is_woman, random, but=first.given)
            )
            other = other._replace(
                is_woman=is_woman, given=given, family=first.family, birth=younger
            )
    shares_phone, shares_mail = (0.6, 0.5) if kind == "twin" else (0.25, 0.15)
    if random.random() < shares_phone:
        other = other._replace(phone=first.phone)
    other = other._replace(
        email=first.email if random.random() < shares_mail else _email(other, random)
    )
    return [first._replace(kind=kind), other._replace(kind=kind)]


def _human(place: Place, postcode: str, random: Draw) -> Human:
    is_woman = random.random() < 0.5
    human = Human(
        number=0,
        place=place,
        is_woman=is_woman,
        given=_given(place, is_woman, random),
        second=_given(place, is_woman, random),
        family=random.choice(place.families),
        birth=date(1940, 1, 1) + timedelta(days=random.randint(0, 24800)),
        postcode=postcode,
        phone=_digits(place.mobile, random),
        email="",
    )
    return human._replace(email=_email(human, random))


def _given(place: Place, is_woman: bool, random: Draw, but: str = "") -> str:
    names = [name for name in (place.women if is_woman else place.men) if name != but]
    # A few names are very common.
    return random.choice(names[: 8 if random.random() < 0.4 else None])


def _digits(form: str, random: Draw) -> str:
    signs = {"#": "0123456789", "@": "ABCDEFGHKLMNPRSTW"}
    return "".join(random.choice(signs[one]) if one in signs else one for one in form)


def _email(human: Human, random: Draw) -> str:
    given, family = (_ascii(name) for name in (human.given, human.family))
    year = str(human.birth.year)
    mailbox = random.choice(
        [
            f"{given}.{family}",
            f"{given[0]}{family}",
            f"{given}{family}{year[2:]}",
            f"{family}.{given}{random.randint(1, 99)}",
            f"{given}{random.randint(1, 9999)}",
        ]
    )
    return random.address(mailbox, random.choice(human.place.domains))


def _ascii(name: str) -> str:
    plain = name.lower().translate(str.maketrans("éèëêïîçàôâ", "eeeeiicaoa"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


# What of them a channel gets to see


def _profiles(human: Human, random: Draw) -> Iterator[Labelled]:
    many = random.choices([1, 2, 3], weights=[50, 35, 15])[0]
    channels = random.sample([_shop, _till, _whatsapp, _mail, _contract], many)
    for position, channel in enumerate(channels):
        yield channel(human if position == 0 else _later(human, random), random)


def _later(human: Human, random: Draw) -> Human:
    """After a while: moved, married, another number or address."""
    changes: tuple[tuple[float, Callable[[], dict[str, str]]], ...] = (
        (0.12, lambda: {"postcode": _digits(human.place.postcodes, random)}),
        (0.12, lambda: {"phone": _digits(human.place.mobile, random)}),
        (0.25, lambda: {"email": _email(human, random)}),
        (0.05, lambda: {"email": random.address(human.email.partition("@")[0], "proton.me")}),
        (0.08 if human.is_woman else 0, lambda: {"family": _married(human, random)}),
    )
    for probability, change in changes:
        if random.random() < probability:
            human = human._replace(**change())  # type: ignore[arg-type]  # texts by name
    return human


def _married(human: Human, random: Draw) -> str:
    new = random.choice(human.place.families)
    return new if random.random() < 0.6 else f"{human.family} {new}"


def _till(human: Human, random: Draw) -> Labelled:
    """A loyalty card filled in at the counter."""
    number = f"{random.randint(10**8, 10**9 - 1)}"
    return _labelled(
        human,
        Identifier(type=IdentifierType.LOYALTY_CARD, value=number),
        {
            **_two_names(human, random, "first_name", "last_name"),
            **_sometimes(0.7, random, date_of_birth=_birth(human, random)),
            **_sometimes(0.8, random, postcode=_typed(human.postcode, 0.02, random)),
            **_sometimes(0.6, random, phone=_phone(human, random)),
            **_sometimes(0.5, random, email=_typed(human.email, 0.03, random)),
        },
    )


def _shop(human: Human, random: Draw) -> Labelled:
    """An account of the web shop."""
    address: dict[str, JsonValue] = {"postalCode": _typed(human.postcode, 0.02, random)}
    return _labelled(
        human,
        Identifier(type=IdentifierType.WEB_USER, value=f"u{random.randint(10**8, 10**9)}"),
        {
            **_two_names(human, random, "firstName", "lastName"),
            "email": _typed(human.email, 0.02, random),
            **_sometimes(0.5, random, phone=_phone(human, random)),
            **_sometimes(0.6, random, address=address),
            **_sometimes(0.25, random, birthday=_birth(human, random)),
        },
    )


def _whatsapp(human: Human, random: Draw) -> Labelled:
    """The number is certain, the name what they call themselves."""
    given, family = _as_written(human, random)
    name = random.choices([f"{given} {family}", given, f"{family} {given}"], weights=[65, 28, 7])[0]
    phone = Identifier(type=IdentifierType.PHONE, value=f"+{_international(human)}")
    return _labelled(human, phone, {"name": name})


def _mail(human: Human, random: Draw) -> Labelled:
    given, family = _as_written(human, random)
    address = Identifier(type=IdentifierType.EMAIL, value=human.email)
    return _labelled(human, address, _sometimes(0.8, random, name=f"{given} {family}"))


def _contract(human: Human, random: Draw) -> Labelled:
    """Copied from paper: more facts, and mistakes of reading."""
    return _labelled(
        human,
        Identifier(type=IdentifierType.CUSTOMER_NUMBER, value=f"K{random.randint(10**7, 10**8)}"),
        {
            **_two_names(human, random, "given_name", "family_name"),
            **_sometimes(0.98, random, birth_date=_birth(human, random)),
            **_sometimes(0.95, random, zip=_typed(human.postcode, 0.04, random)),
            **_sometimes(0.6, random, phone=_phone(human, random)),
            **_sometimes(0.3, random, email=_typed(human.email, 0.04, random)),
        },
    )


def _labelled(human: Human, identifier: Identifier, traits: dict[str, JsonValue]) -> Labelled:
    # Two households may draw one number; each keeps a profile of its own, as with a recycled one.
    apart = identifier.model_copy(update={"scope": f"person {human.number}"})
    profile = Profile(
        profile_id=apart.profile_id,
        profile_ids=(apart.profile_id,),
        created_at=SEEN_AT,
        identifiers=(identifier,),
        traits={
            name: Trait(value=value, at=SEEN_AT)
            for name, value in traits.items()
            if value not in ("", {"postalCode": ""})
        },
    )
    return Labelled(profile, human.number, human.kind)


def _sometimes(share: float, random: Draw, **traits: JsonValue) -> dict[str, JsonValue]:
    return dict(traits) if random.random() < share else {}


def _two_names(
    human: Human, random: Draw, given_name: str, family_name: str
) -> dict[str, JsonValue]:
    given, family = _as_written(human, random)
    if random.random() < 0.03:
        given, family = family, given
    return {given_name: given, family_name: family}


def _as_written(human: Human, random: Draw) -> tuple[str, str]:
    given = _typed(human.given, 0.05, random)
    if random.random() < 0.05:
        given = f"{given} {human.second}"
    elif random.random() < 0.02:
        given = given[0]
    return given, _typed(human.family, 0.05, random)


def _birth(human: Human, random: Draw) -> str:
    birth = human.birth
    chance = random.random()
    if chance < 0.02 and birth.day <= 12:
        return birth.replace(month=birth.day, day=birth.month).isoformat()
    if chance < 0.05:
        position = random.choice([2, 3, 5, 6, 8, 9])
        text = birth.isoformat()
        return text[:position] + random.choice("0123456789") + text[position + 1 :]
    if chance < 0.06:
        return (birth + timedelta(days=random.randint(300, 4000))).isoformat()
    return birth.isoformat()


def _phone(human: Human, random: Draw) -> str:
    number = _typed(human.phone, 0.03, random, alphabet="0123456789")
    if random.random() < 0.4:
        return f"{human.place.trunk}{number}"
    return f"+{human.place.country_code} {number}"


def _international(human: Human) -> str:
    return f"{human.place.country_code}{human.phone}"


def _typed(
    text: str, mistakes: float, random: Draw, alphabet: str = "abcdefghiklmnoprstuvwyz"
) -> str:
    """As somebody typed it: now and then a letter left out, doubled, wrong or exchanged."""
    if len(text) < 3 or random.random() >= mistakes:
        return text
    at = random.randrange(1, len(text) - 1)
    return random.choice(
        [
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at] + random.choice(alphabet) + text[at + 1 :],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        ]
    )
