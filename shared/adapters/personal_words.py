"""What words say of a person: mail and network addresses, dates of birth, where they live, names.

Every gap that a pattern allows is bounded, so that no text makes it slow.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from shared.adapters.personal_numbers import Span

# Mail addresses

_MAIL = re.compile(
    r"(?<![\w.+%'-])[\w+%'-][\w.+%'-]{0,63}(?:@| ?[(\[](?:at|arobase|chiocciola|arroba)[)\]] ?)"
    r"[\w-]{1,63}(?:\.[\w-]{2,63}){1,5}",
    re.I,
)


SPELLED_AT = re.compile(
    r" @|@ |[(\[]@"
    r"|(?i: (?:at|arobase|chiocciola|arroba|kwa) {1,2}\w[\w-]{1,15}(?: ?\.| (?:do|po|pu|nu)))"
)
_ENDINGS = (
    "com|net|org|info|biz|edu|gov|eu|io|co|app|dev|me|africa|fr|be|ch|lu|mc|de|at|it|es|pt|nl|uk|ie|"
    "us|ca|mx|br|ar|cl|pe|ma|dz|tn|eg|sn|ci|cm|bj|tg|ml|ng|gh|ke|tz|ug|rw|za|et|ao|mz|in|cn|jp|au|pl|"
    "se|no|dk|fi|gr|ro|cz|hu|tr|ru|ua|ae|sa"
)
_MAIL_HOSTS = (
    "gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|icloud|me|aol|gmx|web|proton|protonmail|"
    "orange|wanadoo|free|sfr|laposte|bbox|libero|virgilio|tiscali|alice|t-online|freenet|sapo|uol|"
    "bol|terra|telefonica|bluewin|skynet|btinternet|yandex|zoho|fastmail"
)
_DOT = r"(?: ?\. ?| (?:dot|point|punto|ponto|punkt|nukta) )"
_SPACED_MAIL = (
    r"(?i)(?<![\w.+%'-])[\w+%'-][\w.+%'-]{0,63}"
    # With an at sign any domain that looks like one, in words only where people have their mail.
    rf"(?: {{0,3}}[(\[]?@[)\]]? {{0,3}}(?:[\w-]{{1,63}}\.){{1,4}}(?:{_ENDINGS})"
    rf"|(?:{_DOT}[\w+%'-]{{1,63}}){{0,2}} {{1,2}}(?:at|@|arobase|chiocciola|arroba|kwa) {{1,2}}"
    rf"(?:{_MAIL_HOSTS}){_DOT}(?:(?:co|com){_DOT})?(?:{_ENDINGS}))(?!\w)"
)


def mail_addresses(text: str) -> Iterator[Span]:
    for found in _MAIL.finditer(text):
        yield found.span()
    # Compiled by `re` when a first text may hold one.
    for found in re.finditer(_SPACED_MAIL, text) if SPELLED_AT.search(text) else ():
        yield found.span()


# Network addresses

_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:]|\.\d)",
    re.I,
)
_VERSION = re.compile(
    r"(?:versions?|firmware|release|build|v|ver|versione|versión|versão)[ .:]*$", re.I
)


def network_addresses(text: str) -> Iterator[Span]:
    for found in _IP.finditer(text):
        before = text[max(0, found.start() - 12) : found.start()]
        if len(found[0]) < 7 or _VERSION.search(before):
            continue
        try:
            ip_address(found[0])
        except ValueError:
            continue
        yield found.span()


# Dates of birth

_MONTHS = (
    "jan|feb|f[ée]v|mar|m[äa]r|apr|avr|abr|ma[iyg]|jun|jui|giu|jul|lug|aug|ao[ûu]|ago|sep|set|"
    "o[ck]t|ott|out|nov|de[cz]|d[ée]c|dic|gen|ene"
)
WRITTEN_DATE = (
    rf"(?:\d{{1,2}}(?:er|st|nd|rd|th|[.º°])? ?(?:de |of )?(?:{_MONTHS})[^\W\d_]{{0,8}}\.?,?"
    rf" ?(?:de |del )?(?:19|20)?\d\d"
    rf"|(?:{_MONTHS})[^\W\d_]{{0,8}}\.? \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d"
    r"|\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})"
)
_BIRTH = (
    r"(?i)"
    r"(?<!\w)(?:born|birth ?date|birthday|date of birth|d\.?o\.?b\.?|n[ée]e?\(?e?\)? le|"
    r"date de naissance|naissance|nat[oa]|data di nascita|nascita|nacid[oa]|nac[íi]|"
    r"fecha de nacimiento|nacimiento|nascid[oa]|nasci|data de nascimento|nascimento|geboren|"
    r"geb\.?|geburtsdatum|geburtstag|nimezaliwa|tarehe ya kuzaliwa|تاريخ الميلاد|مواليد)"
    r"(?!\w)[^\w\n\ufffc]{0,4}"
    r"(?:(?:is|was|on|the|est|le|il|el|em|a|am|es|è|é|ist|tarehe)[ :]{1,2}){0,3}"
    rf"(?P<found>{WRITTEN_DATE})(?!\d)"
)
BIRTH_WORDS = (
    "born", "birth", "dob", "d.o.b", "né", "ne le", "nee le", "naissance", "nat", "nascita",
    "nac", "nasc", "geb", "kuzaliwa", "nimezaliwa", "ميلاد", "مواليد",
)  # fmt: skip


def births(text: str) -> Iterator[Span]:
    for found in re.finditer(_BIRTH, text):
        yield found.span("found")


# Postal addresses

_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĢĪĮİĶĻŁŃŅŇŌŐŒŔŘŚŞŠŤŪŮŰŹŻŽ"
_CAPITAL = rf"[{_UPPER}](?:[^\W\d_]|['’.-](?=[^\W\d_])){{0,24}}"
_ANY = r"(?:[^\W\d_]|['’.-](?=[^\W\d_])){1,25}"
_SMALL = r"(?:d[eiu]|del|della|delle|dei|degli|da|d[ao]s|do|des|la|le|les|los|las|y|e|et|San|St)"
_SMALL_STEPS = rf"(?:(?:{_SMALL} ){{0,2}}|[dDlL]['’])"
_CAPITALS = rf"{_SMALL_STEPS}{_CAPITAL}(?:[ -]{_SMALL_STEPS}{_CAPITAL}){{0,3}}"
_NUMBER = r"\d{1,4}(?: ?(?:bis|ter|quater|[a-dA-D](?!\w)))?"
_UK = r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?!\w)"
_TOWN = (
    r"(?:,? ?(?:\n ?)?(?:[A-Z]{1,2}-)?\d{4,5}(?:-\d{3})?,? "
    rf"{_CAPITAL}(?:[ -]{_CAPITAL}){{0,3}}"
    rf"|,? ?(?:\n ?)?(?:{_CAPITAL},? )?{_UK})?"
)

_FRENCH = (
    "rue",
    "r.",
    "avenue",
    "av.",
    "boulevard",
    "bd",
    "bld",
    "chemin",
    "allée",
    "allee",
    "impasse",
    "quai",
    "faubourg",
    "résidence",
    "residence",
    "lotissement",
    "montée",
    "sentier",
)
_FRENCH_WORDS = ("place", "cours", "square", "passage", "route", "villa", "cité")
_ENGLISH = ("street", "road", "avenue", "ave", "boulevard", "blvd", "crescent", "terrace")
_ENGLISH_WORDS = (
    "St",
    "Rd",
    "Lane",
    "Ln",
    "Drive",
    "Dr",
    "Close",
    "Court",
    "Ct",
    "Way",
    "Place",
    "Pl",
    "Square",
    "Sq",
    "Gardens",
    "Grove",
    "Hill",
    "Mews",
    "Row",
    "Walk",
    "Park",
    "Highway",
    "Estate",
)
_SOUTHERN = (
    "via",
    "viale",
    "corso",
    "piazza",
    "piazzale",
    "largo",
    "vicolo",
    "strada",
    "plaza",
    "paseo",
    "ronda",
    "camino",
)
_IBERIAN = (
    "calle",
    "avda.",
    "avda",
    "avenida",
    "carrera",
    "travesía",
    "travesia",
    "rua",
    "travessa",
    "praça",
    "praca",
    "alameda",
    "estrada",
)
_GERMAN = ("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer")
_BOXES = (
    "po box", "p.o. box", "p.o.box", "p. o. box", "boîte postale", "boite postale", "b.p.",
    "apartado",
    "postfach", "casella postale", "s.l.p.",
)  # fmt: skip


def _one_of(words: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, words))


_ADDRESSES: tuple[tuple[tuple[str, ...], str], ...] = (
    # 12 rue de la Paix
    (_FRENCH, rf"{_NUMBER},? (?i:{_one_of(_FRENCH)}) {_SMALL_STEPS}{_ANY}(?:[ -]{_CAPITALS})?"),
    (_FRENCH_WORDS, rf"{_NUMBER},? (?i:{_one_of(_FRENCH_WORDS)}) {_CAPITALS}"),
    # 221B Baker Street
    (_ENGLISH, rf"\d{{1,5}}[a-zA-Z]?,? (?:{_ANY} ){{1,3}}(?i:{_one_of(_ENGLISH)})\.?"),
    (
        _ENGLISH_WORDS,
        rf"\d{{1,5}}[a-zA-Z]?,? (?:{_CAPITAL} ){{1,3}}(?:{_one_of(_ENGLISH_WORDS)})\.?",
    ),
    # Via Roma 12, Calle Mayor, 5, C/ Serrano 21, Rua das Flores 123
    (_SOUTHERN, rf"(?i:{_one_of(_SOUTHERN)}) {_CAPITALS},? ?(?:n\.? ?)?{_NUMBER}"),
    (
        (*_IBERIAN, "c/", "av.", "r."),
        rf"(?i:(?:{_one_of(_IBERIAN)}) |(?:c/|av\.|r\.) ?){_SMALL_STEPS}{_ANY}"
        rf"(?: {_SMALL_STEPS}{_ANY}){{0,3}},? ?(?:n[.º°]{{0,2}} ?)?{_NUMBER}",
    ),
    # Hauptstraße 12, Berliner Str. 44
    (
        _GERMAN,
        rf"(?!Park|Sitz|Steh|Start|Arbeits|Spiel|Lager|Heim)[{_UPPER}](?:[^\W\d_]|-){{2,24}}"
        rf"(?:{_one_of(_GERMAN)}) \d{{1,4}}(?: ?[a-d](?!\w))?",
    ),
    (
        _GERMAN,
        rf"{_CAPITAL} (?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Gasse) \d{{1,4}}(?: ?[a-d](?!\w))?",
    ),
    # Am Markt 3, 50667 Köln: without the town it might be anything.
    (
        ("am ", "im ", "an de", "zum ", "zur ", "auf de"),
        rf"(?:Am|Im|An de[rm]|Zum|Zur|Auf de[rm]) {_CAPITAL} \d{{1,4}}"
        rf"(?=,? ?\n?\d{{5}} {_CAPITAL})",
    ),
    (_BOXES, rf"(?i:{_one_of(_BOXES)}) \d{{1,6}}"),
    # A British postcode leads to a dozen doors.
    ((), _UK),
)
"""Words of which a text must hold one to be worth searching, and the pattern."""


def postal_addresses(text: str) -> Iterator[Span]:
    lowered = text.lower()
    for words, pattern in _ADDRESSES:
        if words and not any(word.lower() in lowered for word in words):
            continue
        # Compiled by `re` when a first text needs it: a cold start pays for few of them.
        for found in re.finditer(rf"(?<![\w.,/-])(?:{pattern}){_TOWN}(?!\w)", text):
            yield found.span()


# Names

_WORD = rf"(?:[{_UPPER}]\.|[{_UPPER}](?:[^\W\d_]|['’-](?=[^\W\d_])){{1,29}})"
_PARTICLE = (
    r"(?:(?:de|da|do|dos|du|di|del|della|van|von|der|den|el|al|ben|bin|le|la|ould|N['’]) ?){0,2}"
)
_NAME = rf"{_WORD}(?: {_PARTICLE}{_WORD}){{0,3}}"
_SPOKEN = r"[^\W\d_](?:[^\W\d_]|['’-](?=[^\W\d_])){1,29}"

_NO_NAME = (
    "a|about|actually|already|also|am|an|and|anders|auf|aussi|bien|but|come|de|du|différemment|e|"
    "en|est|et|euch|for|from|fuori|hier|ich|il|in|incorrect|is|la|le|mal|misspelled|mit|na|nicht|no|"
    "non|not|now|on|pas|per|por|porque|probably|sbagliato|so|spelled|spelt|still|sur|the|to|und|"
    "falsch|richtig|unter|va|von|wrong|written|y|with|et|mais|ma|pero|mas|aber|con|avec|com|kutoka|من|و"
)
_CUES_LOWER = (
    "my name is", "my name's", "name is", "je m'appelle", "je m’appelle", "mon nom est",
    "mi chiamo", "il mio nome è", "me llamo", "mi nombre es", "meu nome é", "me chamo",
    "chamo-me", "ich heiße", "ich heisse", "mein name ist", "jina langu ni", "naitwa", "اسمي",
)  # fmt: skip
_CALLED = (
    r"(?i)"
    rf"(?<!\w)(?:{'|'.join(map(re.escape, _CUES_LOWER))}):? {{1,2}}"
    rf"(?P<found>(?-i:{_NAME})|(?!(?:{_NO_NAME})(?!\w)){_SPOKEN}"
    rf"(?: (?!(?:{_NO_NAME}|i|je|io|eu|yo|j|mon|my|mio|mi|meu|mein|wa|ningependa|nataka)(?!\w))"
    rf"{_SPOKEN}(?=[.,!?;\n]|$| (?:and|et|e|y|und|i|je|ich)(?!\w)))?)"
)
_I_AM = (
    r"(?<!\w)(?:[Ii] am|[Ii]['’]m|[Jj]e suis|[Ss]ono|[Ss]oy|[Ss]ou(?: [oa])?"
    r"|[Aa]qui (?:é|fala)(?: [oa])?)"
    rf" (?P<found>{_WORD} {_PARTICLE}{_WORD}(?: {_WORD})?)"
)
_TITLED = (
    r"(?<![\w'’])(?:(?:Mr|Mrs|Ms|Dr|Mme|Mlle|Sig\.ra|Sig|Sr|Sra|Srta|Prof)\.? |M\. "
    r"|[Ss]ig\.(?:ra)? |(?:[Ss]ra?|[Ss]rta)\. "
    r"|(?:Miss|Mister|[Mm]onsieur|[Mm]adame|Mademoiselle|[Ss]ignora?|[Ss]eñor(?:a|ita)?|[Ss]enhora?|"
    r"Herrn?|Frau|Bwana|Bibi|[Mm]oi c['’]est) )"
    r"(?!(?:Madame|Monsieur|Sir|Madam|Martens|Bricolage|Oetker|Propre|Clean|Pepper|Muscle|Doctor|"
    r"Director|Directeur|Und|Sehr|Doktor|Professor)(?!\w))"
    rf"(?P<found>{_NAME})"
)
TITLES = (
    "oi c'est", "oi c’est",
    "sig", "señor", "senhor", "sr", "onsieur", "adame", "Mr", "Ms", "Dr", "Mme", "Mlle", "M. ",
    "Sig", "Sr", "Prof", "Miss", "Mister", "Mademoiselle", "Señor", "Senhor", "Herr", "Frau",
    "Bwana", "Bibi",
)  # fmt: skip

CLOSINGS = (
    "regards", "sincerely", "yours faithfully", "yours truly", "best wishes", "best", "cheers",
    "thanks", "thank you", "many thanks", "cordialement", "bien à vous", "salutations", "cdlt",
    "cdt", "merci", "merci d'avance", "bonne journée", "bonne soirée", "saluti", "cordialmente",
    "grazie", "grazie mille", "saludos", "saludo", "atentamente", "gracias", "cumprimentos",
    "atenciosamente", "obrigado", "obrigada", "abraço", "grüße", "grüßen", "gruß", "gruss",
    "grüsse", "grüssen", "mfg", "danke", "vielen dank", "asante", "asante sana", "wako",
    "مع التحية", "شكرا",
)  # fmt: skip
_FORMAL = (
    "regards", "sincerely", "cordialement", "salutations", "cdlt", "saluti", "cordialmente",
    "saludos", "saludo", "atentamente", "cumprimentos", "atenciosamente", "grüße", "grüßen",
    "gruß", "mfg",
)  # fmt: skip
_NO_SIGNATURE = (
    r"(?!(?:Beaucoup|Bien|D['’]avance|Bonne|Bonjour|The|A|I|We|Je|Sent|Envoyé|Inviato|Enviado|"
    r"Gesendet|Von|Service|Team|Equipe|Équipe|Tel|Tél|Mille|Muchas|Muito|Et|And|Und|E|Y)(?![\w.]))"
)
_SIGNED = (
    r"(?i)"
    rf"(?<!\w)(?:{'|'.join(map(re.escape, CLOSINGS))})[ ,.!;:]{{0,4}}\r?\n\s{{0,4}}(?:-{{1,2}} ?)?"
    rf"(?-i:{_NO_SIGNATURE}(?P<found>{_NAME}))[ .]{{0,2}}(?=\r?\n|$)"
)
_SIGNED_BESIDE = (
    r"(?i)"
    rf"(?<!\w)(?:{'|'.join(map(re.escape, _FORMAL))})[ ,.]{{1,3}}"
    rf"(?-i:{_NO_SIGNATURE}(?P<found>{_NAME}))[ .!]{{0,3}}(?=\r?\n|$)"
)
_I_AM_CUES = ("I am ", "i am ", "I'm ", "I’m ", "e suis ", "ono ", "oy ", "ou ", "qui ")


def names_said(text: str) -> Iterator[Span]:
    """The person's own, and whomever they call by title. Cheap where nothing announces one."""
    lowered = text.lower()
    if any(cue in lowered for cue in _CUES_LOWER):
        yield from _found(_CALLED, text)
    if any(cue in text for cue in _I_AM_CUES):
        yield from _found(_I_AM, text)
    if any(title in text for title in TITLES):
        yield from _found(_TITLED, text)
    if any(closing in lowered for closing in CLOSINGS):
        if "\n" in text:
            yield from _found(_SIGNED, text)
        yield from _found(_SIGNED_BESIDE, text)


def _found(pattern: str, text: str) -> Iterator[Span]:
    for found in re.finditer(pattern, text):
        yield found.span("found")


SHORTEST_NAME = 3
"""Letters a part of a known name must have to be looked for by itself."""


def names_known(text: str, names: Iterable[str]) -> Iterator[Span]:
    """Where the text holds what the touchpoint itself calls the person: the whole name in any
    case, a part of it only with its capital, since Rose and Will are words too.
    """
    for name in names:
        parts = re.findall(r"[^\W\d_](?:[^\W\d_]|['’-](?=[^\W\d_]))*", name[:200])
        if len(parts) > 1:
            whole = r"[ .-]{1,3}".join(map(re.escape, parts))
            for found in re.finditer(rf"(?<!\w){whole}(?!\w)", text, re.I):
                yield found.span()
        for part in parts:
            if len(part) < SHORTEST_NAME:
                continue
            for found in re.finditer(rf"(?<!\w){re.escape(part)}(?!\w)", text, re.I):
                if not found[0][0].islower():
                    yield found.span()
