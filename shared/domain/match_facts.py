"""What is compared of two profiles, in one form, and the keys under which alike ones are found.

Sources state the same fact under many names and in many spellings; what cannot be read as the fact
it claims to be is left out, so it neither speaks for nor against anybody.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import sha256
from unicodedata import combining, normalize

from pydantic import JsonValue

from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy, email_identifier
from shared.domain.model import Model, ProfileId
from shared.domain.profile import Profile

SPELLINGS: dict[str, tuple[str, ...]] = {
    "given_name": ("firstname", "givenname", "forename", "prenom"),
    "family_name": ("lastname", "familyname", "surname", "nomdefamille", "cognome"),
    "full_name": ("name", "fullname", "displayname"),
    "birth_date": ("birthdate", "birthday", "dateofbirth", "dob", "datedenaissance"),
    "postcode": tuple(
        f"{place}{word}"
        for place in ("", "address", "billingaddress", "shippingaddress")
        for word in ("postcode", "postalcode", "zip", "zipcode", "codepostal")
    ),
    "phone": ("phone", "phonenumber", "mobile", "mobilephone", "telephone"),
    "email": ("email", "emailaddress", "mail"),
}
"""Names of traits, in small letters and without signs (`address.postalCode`: addresspostalcode);
of several the first counts, of phones and mail addresses all.
"""

TITLES = frozenset(
    {
        *("mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam", "el", "hadj", "elhadj"),
        *("m", "mme", "mlle", "monsieur", "madame", "mademoiselle"),
        *("sig", "sigra", "signor", "signora", "dott", "dottssa", "avv", "ing"),
    }
)
"""Words that stand before a name and are none."""

NOT_SPLIT_BY_UNICODE = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i"})
NOT_BIRTH_DATES = frozenset({"1900-01-01", "1970-01-01"})
"""What forms and systems put there when nobody said."""

LONGEST_NAME = 80
MOST_WORDS = 4
MOST_ADDRESSES = 8
"""Words of a name, phones and mail addresses of a person that are looked at."""
PHONE_TAIL = 8
"""Last digits of a number: the same however country and area are written (Benin and Ivory Coast
renumbered in front of them).
"""
SHORTEST_MAILBOX = 5
"""Letters before the @ from which on they say something of a person."""

_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
_SOUNDS = {
    letter: digit
    for digit, letters in {
        "1": "bfpv",
        "2": "cgjkqsxz",
        "3": "dt",
        "4": "l",
        "5": "mn",
        "6": "r",
    }.items()
    for letter in letters
}


class MatchFacts(Model):
    """None or empty where nothing readable was said."""

    profile_id: ProfileId
    given_name: str | None = None
    """In small letters without accents; words apart by one blank."""
    given_stem: str | None = None
    """Without the ending that makes it a man's or a woman's: Giulia and Giulio have one."""
    given_form: str | None = None
    """`m` or `f` where the ending tells, as it does in French, Italian and Spanish."""
    family_name: str | None = None
    words: tuple[str, ...] = ()
    """Of the whole name, sorted: the same whichever name stands first."""
    birth_date: str | None = None
    """YYYY-MM-DD."""
    phones: tuple[str, ...] = ()
    """The last digits of each."""
    emails: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    """What stands before the @, without what follows a plus, where it is more than the name."""
    postcode: str | None = None
    """Capital letters and digits."""

    @property
    def known(self) -> frozenset[str]:
        """Which facts there are. A name is known when both its parts are."""
        said = {
            "name": self.given_name and self.family_name,
            "birth_date": self.birth_date,
            "phone": self.phones,
            "email": self.emails,
            "postcode": self.postcode,
        }
        return frozenset(name for name, value in said.items() if value)

    @property
    def are_enough(self) -> bool:
        """Whether they can tell a person from others: a name alone, or a phone alone, cannot."""
        return len(self.known) > 1


def facts_of(profile: Profile, policy: IdentityPolicy) -> MatchFacts:
    """What the policy blocks, and addresses behind which several people stand, say nothing."""
    traits = dict(_flat({name: trait.value for name, trait in sorted(profile.traits.items())}))
    given, family = _names(traits)
    stem, form = _form(given) if given else (None, None)
    words = tuple(sorted({*(given or "").split(), *(family or "").split()}))[:MOST_WORDS]
    emails = _emails(profile, traits, policy)
    return MatchFacts(
        profile_id=profile.profile_id,
        given_name=given,
        given_stem=stem,
        given_form=form,
        family_name=family,
        words=words,
        birth_date=next(filter(None, map(_birth_date, _said(traits, "birth_date"))), None),
        phones=_phones(profile, traits, policy),
        emails=emails,
        mailboxes=tuple(
            sorted({box for one in emails if _says_more_than(words, box := _mailbox(one))})
        ),
        postcode=next(filter(None, map(_postcode, _said(traits, "postcode"))), None),
    )


def blocking_keys(facts: MatchFacts) -> frozenset[str]:
    """Two profiles that share none of these are never compared. Digests: they show nothing.

    Each pair that could reach a threshold shares one: a phone, a mail address, what stands before
    its @, or a word of the name as it sounds together with a birth date or a postcode. The word may
    be either name, so that a swapped or a married name is found.
    """
    keys = {
        *(f"phone {one}" for one in facts.phones),
        *(f"email {one}" for one in facts.emails),
        *(f"mailbox {one}" for one in facts.mailboxes),
        *(
            f"{kind} {fact} {_sound(word)}"
            for kind, fact in (("birth_date", facts.birth_date), ("postcode", facts.postcode))
            if fact
            for word in facts.words
        ),
    }
    return frozenset(sha256(key.encode()).hexdigest()[:24] for key in keys)


def _flat(value: JsonValue, path: str = "") -> Iterator[tuple[str, str]]:
    """Each text and number with the letters of the path to it."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _flat(inner, path + re.sub(r"[^a-z]", "", _plain(name)))
        case bool():
            return
        case str() | int():
            yield path, str(value).strip()


def _said(traits: Mapping[str, str], fact: str) -> list[str]:
    return [traits[name] for name in SPELLINGS[fact] if traits.get(name)]


def _plain(text: str) -> str:
    """Small letters without accents."""
    small = normalize("NFKD", text.casefold().translate(NOT_SPLIT_BY_UNICODE))
    return "".join(letter for letter in small if not combining(letter))


def _name(text: str) -> list[str]:
    """The words of a name; none where it is an address, a nickname with digits or a sentence."""
    if len(text) > LONGEST_NAME or any(sign.isdigit() or sign == "@" for sign in text):
        return []
    joined = re.sub(r"['’ʼ`.]", "", _plain(text))
    words = re.sub(r"[^\w]|_", " ", joined).split()
    return [word for word in words if word not in TITLES]


def _names(traits: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Given and family name, from the whole name where they are not stated apart."""
    given, family = (
        next(filter(None, map(_name, _said(traits, fact))), [])
        for fact in ("given_name", "family_name")
    )
    if not (given and family):
        for whole in _said(traits, "full_name"):
            if len(words := _name(whole)) > 1:
                last_first = _name(whole.partition(",")[0]) if "," in whole else []
                family = last_first or words[1:]
                given = words[len(last_first) :] if last_first else words[:1]
                break
    return " ".join(given) or None, " ".join(family) or None


def _form(given: str) -> tuple[str, str | None]:
    """Stem and form: `jean` and `jeanne` are (jean, m) and (jean, f), `paolo` and `paola` too."""
    if given[-1] not in "aeiouy":
        return given, "m"
    if given[-1] not in "aeo" or len(given) < 4:
        return given, None
    stem = given[:-1]
    if given[-1] != "o" and stem[-1] == stem[-2]:
        stem = stem[:-1]
    return stem, "m" if given[-1] == "o" else "f"


def _birth_date(text: str) -> str | None:
    if found := _ISO_DATE.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := _DAY_FIRST.fullmatch(text):
        day, month, year = map(int, found.groups())
        if month > 12:
            day, month = month, day
    else:
        return None
    try:
        stated = date(year, month, day).isoformat()
    except ValueError:
        return None
    return None if stated in NOT_BIRTH_DATES else stated


def _postcode(text: str) -> str | None:
    written = re.sub(r"[^A-Z0-9]", "", _plain(text).upper())
    return written if 3 <= len(written) <= 10 else None


def _phones(profile: Profile, traits: Mapping[str, str], policy: IdentityPolicy) -> tuple[str, ...]:
    stated = (
        Identifier(type=IdentifierType.PHONE, value=text[:40]) for text in _said(traits, "phone")
    )
    found = set()
    for one in (*_identifiers(profile, IdentifierType.PHONE), *stated):
        digits = re.sub(r"\D", "", one.value)
        if len(digits) >= PHONE_TAIL and not _says_nothing(one, policy):
            found.add(digits[-PHONE_TAIL:])
    return tuple(sorted(found)[:MOST_ADDRESSES])


def _emails(profile: Profile, traits: Mapping[str, str], policy: IdentityPolicy) -> tuple[str, ...]:
    stated = filter(None, map(email_identifier, _said(traits, "email")))
    found = {
        one.value
        for one in (*_identifiers(profile, IdentifierType.EMAIL), *stated)
        if re.fullmatch(r"[^@\s]+@[^@\s]+", one.value) and not _says_nothing(one, policy)
    }
    return tuple(sorted(found)[:MOST_ADDRESSES])


def _identifiers(profile: Profile, type_: IdentifierType) -> list[Identifier]:
    everything = (*profile.identifiers, *profile.stated_identifiers)
    return [one for one in everything if one.type is type_]


def _says_nothing(identifier: Identifier, policy: IdentityPolicy) -> bool:
    return policy.is_blocked(identifier) or policy.is_shared(identifier)


def _mailbox(email: str) -> str:
    return email.partition("@")[0].partition("+")[0]


def _says_more_than(words: tuple[str, ...], mailbox: str) -> bool:
    """Whether people of one name would not choose it alike: `awa.diop` and `adiop` they would."""
    if len(mailbox) < SHORTEST_MAILBOX:
        return False
    if sum(sign.isdigit() for sign in mailbox) > 1:
        return True
    rest = "".join(letter for letter in _plain(mailbox) if letter.isalpha())
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "", 1)
    return len(rest) > 1


def _sound(word: str) -> str:
    """Soundex (https://www.archives.gov/research/census/soundex): the first letter, then up to
    three groups of consonants. A word of another script stands for itself.
    """
    if not word.isascii():
        return word
    digits = []
    before = _SOUNDS.get(word[0])
    for letter in word[1:]:
        digit = _SOUNDS.get(letter)
        if digit and digit != before:
            digits.append(digit)
        if letter not in "hw":
            before = digit
    return (word[0] + "".join(digits) + "000")[:4]
