"""Numbers that lead to a person: phones, payment cards, bank accounts, national ids.

A number is told by its shape, and by its check digits where it has some. What may as well be an
order is taken for a phone only where it is grouped like one, or a word before it says so.
"""

import re
from bisect import bisect, bisect_left
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import accumulate, islice
from typing import NamedTuple

Span = tuple[int, int]

MANY_DIGITS = re.compile(r"\d(?:[ ().\-/]{0,3}\d){5}")
LETTERS_AND_DIGITS = re.compile(r"\d\d[a-z]\d\d[a-z]", re.I)
"""Without one of these a text holds none of them; the second is the Italian code's."""

PASSPORT_WORDS = (
    "passpor",
    "passepor",
    "pasaport",
    "passapor",
    "reisepass",
    "cni",
    "cin",
    "identit",
)
"""What announces an id that may hold fewer digits."""

_LOOKS_BACK = 40
"""Characters before a number in which a word may say what it is."""


def _within(text: str, words: str, start: int) -> bool:
    """Whether one of the words stands in the same line before `start`."""
    before = text[max(0, start - _LOOKS_BACK) : start].rpartition("\n")[2]
    return re.search(words, before) is not None


# Payment cards

_CARD_RUN = re.compile(r"\d+(?:(?:[ \t]{1,3}| ?- ?)\d+)*")
_DOTTED_RUN = re.compile(r"(?<!\d)\d{3,}(?:\.\d{3,})+")
_DIGITS = re.compile(r"\d+")
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12,15}"  # Discover
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(?:50[0-9]{2}|5[6-8]\d\d|6[37]\d\d)\d{8,15}"  # Maestro, Verve
    r"|(?:60|65|81|82|508)\d{14}"  # RuPay, Elo and Hipercard
)
"""Issuer prefixes and lengths, as ISO/IEC 7812 registers them."""
_CARD_LENGTHS = 13, 19


def cards(text: str) -> Iterator[Span]:
    """Whatever stands around them: an expiry date, a CVV, the brand's name glued on.

    A card begins and ends with a group of digits. In the middle of a longer row it is written in
    groups as on cards, not in pairs: those are phones in a row.
    """
    for pattern in (_CARD_RUN, _DOTTED_RUN):
        for run in pattern.finditer(text):
            groups = [found.span() for found in _DIGITS.finditer(text, *run.span())]
            digits = "".join(text[start:end] for start, end in groups)
            if len(digits) >= _CARD_LENGTHS[0]:
                yield from _cards_of(digits, groups)


def _cards_of(digits: str, groups: Sequence[Span]) -> Iterator[Span]:
    """`groups` are where the `digits` stand. The longest card at each place, a step for each group
    it may end with.
    """
    shortest, longest = _CARD_LENGTHS
    before = list(accumulate((end - start for start, end in groups), initial=0))
    first = 0
    while first < len(groups):
        last = bisect(before, before[first] + longest) - 1
        ends = range(last, bisect_left(before, before[first] + shortest) - 1, -1)
        for end in ends:
            if _is_card(digits, before[first], before[end]) and (
                first == 0 or _is_grouped(groups[first:end])
            ):
                yield groups[first][0], groups[end - 1][1]
                first = end - 1
                break
        else:
            if _has_more_glued_on(digits[before[first] : before[first + 1]]):
                yield groups[first]
        first += 1


def _is_grouped(groups: Sequence[Span]) -> bool:
    sizes = {end - start for start, end in groups}
    return min(sizes) >= 3 or sizes == {1}


def _has_more_glued_on(number: str) -> bool:
    """Whether a CVV, an expiry date or both follow a card without a gap."""
    lengths = (len(number) - more for more in (3, 4, 7))
    return any(_is_card(number, 0, length) for length in lengths if 15 <= length <= 16)


def _is_card(digits: str, start: int, end: int) -> bool:
    found = _ISSUERS.fullmatch(digits, start, end)
    return found is not None and _is_valid("luhn", found[0])


# Bank accounts

_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?:[ .-]{0,2}[A-Z0-9]){11,30}(?!\w)", re.I)
_PART_ENDS = re.compile(r"(?<=\w)(?=[ .-]|$)")


def bank_accounts(text: str) -> Iterator[Span]:
    """IBANs. What follows one may look like a part of it, so shorter ones are tried as well."""
    for found in _IBAN.finditer(text):
        ends = [one.start() for one in _PART_ENDS.finditer(found[0]) if one.start() >= 15]
        for end in reversed(ends):
            if _is_valid("iban", found[0][:end]):
                yield found.start(), found.start() + end
                break


# National ids


class _Id(NamedTuple):
    shape: str
    checked_by: str | None = None
    """The module of python-stdnum that knows its check digits."""
    after: str | None = None
    """Words of which one must stand before it, where any number may have this shape."""


def _shape(pattern: str) -> str:
    # Here and below `re` compiles what a first text needs: a cold start pays for few of them.
    # What ends with a letter ends there, whatever follows: an id does not block its neighbour.
    return rf"(?i)(?<![\w#/-])(?<!\d[.,]){pattern}(?!\w|(?<=\d)(?:/|[-.,]\d))"


def _words(*words: str) -> str:
    return rf"(?i)(?<!\w)(?:{'|'.join(words)})(?!\w)"


_IDS = (
    _Id(
        _shape(r"[12][ .]?\d\d[ .]?\d\d[ .]?(?:\d\d|2[AB])[ .]?\d{3}[ .]?\d{3}[ .-]?\d\d"),
        "fr.nir",
    ),
    # However it is grouped, and mistyped, where it is called one.
    _Id(
        r"(?<!\d)[12](?:[ .-]{0,2}\d){4}(?:[ .-]{0,2}[\dAB]){2}(?:[ .-]{0,2}\d){6,8}(?!\w)",
        None,
        _words(
            "nir", "s[ée]cu", "s[ée]curit[ée] sociale", "num[ée]ro ss", "n° ss",
            "social security(?: number)?", "carte vitale",
        ),
    ),
    _Id(_shape(r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
        "it.codicefiscale"),
    _Id(_shape(r"\d{8}[ -]?[A-Z]"), "es.dni"),
    _Id(_shape(r"[XYZ][ -]?\d{7}[ -]?[A-Z]"), "es.nie"),
    _Id(
        _shape(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d\d){3} ?[A-D]"),
    ),
    _Id(_shape(r"\d{3}\.\d{3}\.\d{3}-\d\d"), "br.cpf"),
    _Id(_shape(r"\d{11}"), "br.cpf", _words("cpf")),
    _Id(_shape(r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d\d"), "ch.ssn"),
    _Id(_shape(r"\d\d[. ]?\d\d[. ]?\d\d-\d{3}[. -]?\d\d"), "be.nn"),
    _Id(
        _shape(r"\d{11}"),
        "be.nn",
        _words("niss", "registre national", "rijksregister\\w*", "numéro national", "nrn"),
    ),
    _Id(_shape(r"\d\d \d{3} \d{3} \d{3}"), "de.idnr"),
    _Id(
        _shape(r"\d{11}"),
        "de.idnr",
        _words("steuer-?id\\w*", "steuerliche \\w+", "identifikationsnummer", "idnr"),
    ),
    _Id(
        _shape(r"\d{3} ?\d{3} ?\d{3}"),
        "pt.nif",
        _words("nif", "contribuinte", "n[úu]mero fiscal"),
    ),
    _Id(_shape(r"\d{3}-\d\d-\d{4}"), "us.ssn"),
    _Id(_shape(r"\d{13}"), "za.idnr", _words("id(?: number| no\\.?)?", "identity(?: number)?")),
    _Id(_shape(r"\d{11}"), None, _words("nin", "bvn", "national identi\\w+ number")),
    _Id(
        _shape(r"\d{7,8}"),
        None,
        _words("national id", "id (?:number|no\\.?|card)", "kitambulisho\\w*", "namba ya nida"),
    ),
    _Id(
        _shape(r"(?=[A-Z]{0,11}\d[A-Z0-9]{0,10}\d)[A-Z0-9]{7,12}"),
        None,
        _words(
            "passport(?: number| no\\.?)?", "passeport", "pasaporte", "passaporto", "passaporte",
            "reisepass\\w*", "cnie?", "cin", "carte d['’]identit[ée]",
        ),
    ),
)  # fmt: skip


def national_ids(text: str) -> Iterator[Span]:
    for one in _IDS:
        for found in re.finditer(one.shape, text):
            if one.after is not None and not _within(text, one.after, found.start()):
                continue
            if one.checked_by is None or _is_valid(one.checked_by, found[0].upper()):
                yield found.span()


def _is_valid(module: str, number: str) -> bool:
    # Imported for the first number of its kind: most messages hold none.
    checks: bool = import_module(f"stdnum.{module}").is_valid(number)
    return checks


# Phones

_CANDIDATE = re.compile(
    r"(?<![\w@#+])(?<![\d][-./,:])(?<![a-z][-/])(?:\+ ?|00)?\(?\d(?:[ .\-/()]{0,3}\d){6,15}"
    r"(?![\w@]|[-./:]\w)",
    re.I,
)
MOST_SPANS = 28
"""Of one row of digits that are looked at as a phone: one of seven groups has as many parts, and
whoever writes a phone in more writes little beside it.
"""
_CHAT_LINK = re.compile(r"(?<=wa\.me/)\+?\d{7,15}(?!\d)", re.I)
_DATE = re.compile(
    r"(?<![\d.])(?<!\d[/-])(?:\d{1,2}([./-])\d{1,2}\1(?:19|20)?\d\d|(?:19|20)\d\d([./-])\d\d\2\d\d)"
    r"(?![.\-/]?\d)"
)
_MONEY_AFTER = re.compile(
    r"\s?(?:[€$£₦%]|eur|usd|gbp|chf|f ?cfa|xo?af|xof|mad|dh|dzd|tnd|ngn|kes|ksh|tzs|ghs|zar|brl|"
    r"reais|euros?|francs?|dollars?|naira|shillings?|kg|km|ml|mm|cm)(?!\w)",
    re.I,
)
_MONEY_BEFORE = re.compile(r"(?:[€$£₦]|(?<!\w)(?:eur|usd|chf|ksh|kes|ngn|r))\s?$", re.I)
_PHONE_WORDS = _words(
    "tel", "t[ée]l[ée]?", "t[ée]l[ée]phone", "telefon\\w*", "tel[ée]fon[oe]", "phone", "mobile",
    "cell\\w*", "portable", "m[óo]vil", "handy\\w*", "telem[óo]vel", "whats ?app", "call\\w*",
    "ring", "sms", "text me", "appel\\w*", "rappel\\w*", "joindre", "joignable", "chiam\\w*",
    "ll[áa]m\\w*", "lig[au]\\w*", "my number", "mon num[ée]ro", "mio numero", "mi n[úu]mero",
    "meu n[úu]mero", "meine nummer", "erreich\\w*", "anruf\\w*", "simu", "namba yangu", "nipigie",
    "هاتف\\w*", "رقمي", "اتصل\\w*", "جوال\\w*", "contacto?", "fax",
)  # fmt: skip
_OTHER_WORDS = _words(
    "orders?", "commandes?", "ordin[ei]", "pedidos?", "encomendas?", "bestell\\w*", "track\\w*",
    "suivi", "colis", "parcel", "tracciamento", "spedizione", "rastre\\w*", "env[íi]o",
    "sendung\\w*", "invoices?", "facturas?", "factures?", "fatt?ur\\w*", "rechnung\\w*",
    "tickets?", "dossier", "ref\\w*", "r[ée]f\\w*", "contra\\w*", "vertrag\\w*", "kunden\\w*",
    "client", "customer", "serial", "s[ée]rie", "serie\\w*", "ean", "sku", "article", "art",
    "agizo", "oda", "isbn", "iban", "transaction", "code", "c[óo]digo", "codice", "account",
    "compte", "policy", "siret", "cep", "plz", "zip",
    "postcode", "code postal", "siren", "vat", "tva", "imei", "booking", "reservation",
    "r[ée]servation", "meter", "compteur", "طلب\\w*",
)  # fmt: skip


_BETWEEN_TWO = re.compile(r"(?<=\d)[/,](?=\+?\d(?:[ .-]?\d){7})")
_ONE_OF_TWO = re.compile(r"\d(?:[ .-]?\d){7,}\Z")
_LONGEST_PHONE = 32


def _parted(found: re.Match[str]) -> str:
    """What stands between two whole numbers (0612345678/0698765432) belongs to neither."""
    before = found.string[max(0, found.start() - _LONGEST_PHONE) : found.start()]
    return "|" if _ONE_OF_TWO.search(before) else found[0]


class _National(NamedTuple):
    """How a country's people write their numbers among themselves."""

    region: str
    digits: str
    needs_word: bool = False
    """Where even a grouped number of this length may be an amount."""


_COUNTRIES = (
    _National("FR", r"0[1-9]\d{8}"),
    _National("BE", r"0[1-9]\d{7,8}"),
    _National("CH", r"0[2-9]\d{8}"),
    _National("IT", r"3\d{8,9}|0\d{6,10}"),
    _National("ES", r"[6-9]\d{8}"),
    _National("PT", r"[29]\d{8}"),
    _National("BR", r"0?[1-9]\d9?\d{8}"),
    _National("GB", r"0[1-9]\d{8,9}"),
    _National("IE", r"0[1-9]\d{7,8}"),
    _National("DE", r"0[1-9]\d{6,10}"),
    _National("AT", r"0[1-9]\d{6,12}"),
    _National("US", r"1?[2-9]\d{2}[2-9]\d{6}"),
    _National("MX", r"[2-9]\d{9}"),
    _National("AR", r"0?[1-9]\d{9}"),
    _National("CI", r"(?:0[157]|2[157])\d{8}"),
    _National("SN", r"[37]\d{8}"),
    _National("CM", r"[26]\d{8}"),
    _National("MA", r"0[5-8]\d{8}"),
    _National("DZ", r"0[2-7]\d{7,8}"),
    _National("TN", r"[2-9]\d{7}", needs_word=True),
    _National("NG", r"0[7-9]\d{9}"),
    _National("KE", r"0[127]\d{7,8}"),
    _National("TZ", r"0[267]\d{8}"),
    _National("GH", r"0[235]\d{8}"),
    _National("ZA", r"0[1-8]\d{8}"),
    _National("ET", r"0[1-59]\d{8}"),
    _National("EG", r"0[1-9]\d{7,9}"),
    _National("AO", r"9\d{8}"),
    _National("MZ", r"8[2-9]\d{7}"),
)


_OF_ANY_COUNTRY = "|".join(dict.fromkeys(one.digits for one in _COUNTRIES))


def phones(text: str) -> Iterator[Span]:
    for link in _CHAT_LINK.finditer(text):
        yield link.span()
    text = _BETWEEN_TWO.sub(_parted, text)
    # A date is three numbers that a phone may have as well.
    text = _DATE.sub(lambda found: "_" * len(found[0]), text)
    for found in _CANDIDATE.finditer(text):
        if _MONEY_AFTER.match(text, found.end()) or _MONEY_BEFORE.search(
            text, max(0, found.start() - 5), found.start()
        ):
            continue
        number = found[0]
        for start, end in islice(_groups(number), MOST_SPANS):
            if _is_phone(number[start:end], text, found.start() + start):
                yield found.start() + start, found.start() + end
                break


def _said_before(text: str, start: int) -> str:
    """Whether the words before a number call it a `phone` or something `else`; empty for neither.

    The word that stands closest counts.
    """
    before = text[max(0, start - _LOOKS_BACK) : start].rpartition("\n")[2]
    phone = max((one.end() for one in re.finditer(_PHONE_WORDS, before)), default=-1)
    words = [one.end() for one in re.finditer(_OTHER_WORDS, before)]
    if text[start] in "0+":
        # A trunk prefix tells a phone from the number of an order that stands between.
        words = [end for end in words if not any(one.isdigit() for one in before[end:])]
    other = max(words, default=-1)
    return "" if phone == other else "phone" if phone > other else "else"


def _groups(number: str) -> Iterator[Span]:
    """The whole candidate, then parts of it between spaces, fewer and fewer: an order number may
    stand before a phone.
    """
    groups = [found.span() for found in re.finditer(r"[^ ]+", number)]
    for left_out in range(len(groups)):
        for first in range(left_out + 1):
            start, end = groups[first][0], groups[first + len(groups) - left_out - 1][1]
            if left_out == 0 or end - start >= 9:
                yield start, end


def _is_phone(number: str, text: str, start: int) -> bool:
    """Whether the `number` that begins at `start` of the `text` is one."""
    digits = re.sub(r"\D", "", number)
    if not 7 <= len(digits) <= 15:
        return False
    if number.startswith("+"):
        return _is_known(f"+{digits}", None)
    if digits.startswith("00"):
        return _said_before(text, start) != "else" and _is_known(f"+{digits[2:]}", None)
    if not re.fullmatch(_OF_ANY_COUNTRY, digits):
        return False
    said, parts = _said_before(text, start), len(re.findall(r"\d+", number))
    for country in _COUNTRIES:
        if not re.fullmatch(country.digits, digits):
            continue
        told = said == "phone"
        if not told and (said == "else" or country.needs_word):
            continue
        if not told and not digits.startswith("0") and parts < 3:
            continue
        if _is_known(digits, country.region):
            return True
    return False


def _is_known(number: str, region: str | None) -> bool:
    # Imported for the first number: most messages hold none.
    import phonenumbers

    try:
        read = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    if region is None:
        # libphonenumber's data is older than the newest range, and a plus says what it is.
        return phonenumbers.is_possible_number(read)
    return phonenumbers.is_valid_number_for_region(read, region)
