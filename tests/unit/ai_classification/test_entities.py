"""What messages name, in six languages: orders, amounts, dates, places and products."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.entity_finder import MOST, EntityFinder
from shared.adapters.personal_data_finder import PersonalDataFinder
from shared.domain.classification import Entity
from shared.domain.understanding import EntityPolicy
from shared.policies.reader import read_policies

POLICY = read_policies().understanding.entities
FINDER = EntityFinder(POLICY)
AT = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
"""A Friday."""


def named(text: str, language: str) -> list[tuple[str, str, str | None]]:
    return [(one.kind.value, one.text, one.value) for one in found(text, language)]


def found(text: str, language: str) -> tuple[Entity, ...]:
    personal = PersonalDataFinder().find(text)
    return FINDER.find(text, language=language, at=AT, personal=personal)


ORDER = "order_number"


@pytest.mark.parametrize(
    ("language", "text", "written", "value"),
    [
        ("en", "Where is order 4512?", "4512", "4512"),
        ("en", "My order number is AB-99812x, late", "AB-99812x", "AB-99812X"),
        ("en", "#4512 never came", "#4512", "4512"),
        ("en", "Tracking 1Z999AA10123456784 stands still", "1Z999AA10123456784", None),
        ("fr", "Ma commande FR-1234567 est où ?", "FR-1234567", "FR-1234567"),
        ("fr", "commande n° 0612345678 en retard", "0612345678", "0612345678"),
        ("fr", "Facture 2024-00-4587 fausse", "2024-00-4587", "2024-00-4587"),
        ("it", "L'ordine 4512 non è arrivato", "4512", "4512"),
        ("it", "Fattura n. 2024/123 errata", "2024/123", "2024/123"),
        ("es", "El pedido 4512 no llega", "4512", "4512"),
        ("pt", "A encomenda 912345678 atrasou", "912345678", "912345678"),
        ("de", "Bestellung 4512 fehlt", "4512", "4512"),
        ("de", "Meine Bestellnummer ist 77-8812", "77-8812", "77-8812"),
    ],
)
def test_an_order_by_its_word_or_its_shape(
    language: str, text: str, written: str, value: str | None
) -> None:
    assert named(text, language) == [(ORDER, written, value or written)]


@pytest.mark.parametrize(
    "text", ["I ordered 2 lamps", "order the blue one", "since 2024", "I need 15 of them", "24/7"]
)
def test_what_is_no_order(text: str) -> None:
    assert named(text, "en") == []


@pytest.mark.parametrize(
    ("language", "text", "written", "value"),
    [
        ("en", "You took $1,250.50 from me", "$1,250.50", "1250.50 USD"),
        ("en", "It was £45", "£45", "45.00 GBP"),
        ("en", "KSh 1,250 is missing", "KSh 1,250", "1250.00 KES"),
        ("en", "I paid ₦25,000", "₦25,000", "25000.00 NGN"),
        ("en", "CHF 49.90 please", "CHF 49.90", "49.90 CHF"),
        ("fr", "On m'a pris 45,00 €", "45,00 €", "45.00 EUR"),
        ("fr", "Total 1 250 000 FCFA !", "1 250 000 FCFA", "1250000.00 XOF"),
        ("fr", "soit 1\u202f250,5 euros", "1\u202f250,5 euros", "1250.50 EUR"),
        ("fr", "350 dh de frais", "350 dh", "350.00 MAD"),
        ("it", "Costa 1.250,00 €", "1.250,00 €", "1250.00 EUR"),
        ("es", "Me cobraron 45,5 euros", "45,5 euros", "45.50 EUR"),
        ("pt", "São R$ 1.250,00", "R$ 1.250,00", "1250.00 BRL"),
        ("de", "Das macht 45,00 EUR", "45,00 EUR", "45.00 EUR"),
    ],
)
def test_an_amount_with_its_currency(language: str, text: str, written: str, value: str) -> None:
    assert named(text, language) == [("amount", written, value)]


@pytest.mark.parametrize(
    ("language", "text", "written", "value"),
    [
        ("en", "Delivered on 2026-11-24.", "2026-11-24", "2026-11-24"),
        ("en", "It came on 24/11/2026", "24/11/2026", "2026-11-24"),
        ("en", "It came on 03/04/2026", "03/04/2026", None),
        ("en", "Come next Friday", "next Friday", "2026-12-04"),
        ("en", "It broke last Monday", "last Monday", "2026-11-23"),
        ("en", "Bring it tomorrow", "tomorrow", "2026-11-28"),
        ("en", "I bought it 3 days ago", "3 days ago", "2026-11-24"),
        ("en", "I leave in 2 weeks", "in 2 weeks", "2026-12-11"),
        ("en", "since May 3rd, 2026", "May 3rd, 2026", "2026-05-03"),
        ("en", "by Friday please", "Friday", None),
        ("en", "on the 12th, please", "the 12th", "2026-12-12"),
        ("fr", "Je pars demain matin", "demain", "2026-11-28"),
        ("fr", "livré hier", "hier", "2026-11-26"),
        ("fr", "vendredi prochain svp", "vendredi prochain", "2026-12-04"),
        ("fr", "le 3 décembre au plus tard", "3 décembre", "2026-12-03"),
        ("fr", "lundi 30 novembre 2026", "lundi 30 novembre 2026", "2026-11-30"),
        ("fr", "il y a 2 jours", "il y a 2 jours", "2026-11-25"),
        ("fr", "le 12, sans faute", "le 12", "2026-12-12"),
        ("fr", "le 03/04/2026", "03/04/2026", "2026-04-03"),
        ("it", "arriva il 12?", "il 12", "2026-12-12"),
        ("it", "dopodomani va bene", "dopodomani", "2026-11-29"),
        ("it", "lunedì scorso", "lunedì scorso", "2026-11-23"),
        ("it", "tra 3 giorni", "tra 3 giorni", "2026-11-30"),
        ("es", "llega mañana", "mañana", "2026-11-28"),
        ("es", "hace 3 días", "hace 3 días", "2026-11-24"),
        ("es", "el 12 de diciembre", "12 de diciembre", "2026-12-12"),
        ("es", "el viernes que viene", "viernes que viene", "2026-12-04"),
        ("pt", "chega amanhã", "amanhã", "2026-11-28"),
        ("pt", "há 3 dias", "há 3 dias", "2026-11-24"),
        ("pt", "próxima sexta-feira", "próxima sexta-feira", "2026-12-04"),
        ("pt", "5 de dezembro", "5 de dezembro", "2026-12-05"),
        ("de", "kommt morgen", "morgen", "2026-11-28"),
        ("de", "am 12. Dezember", "12. Dezember", "2026-12-12"),
        ("de", "nächsten Freitag", "nächsten Freitag", "2026-12-04"),
        ("de", "vor 3 Tagen", "vor 3 Tagen", "2026-11-24"),
        ("de", "am 12.", "am 12.", "2026-12-12"),
    ],
)
def test_a_date_as_of_the_day_it_was_written(
    language: str, text: str, written: str, value: str | None
) -> None:
    assert named(text, language) == [("date", written, value)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "por la mañana no estoy"),
        ("de", "Guten Morgen"),
        ("fr", "le 42 me va mieux"),
        ("fr", "le 12 rue des Lilas"),
        ("en", "the 12 boxes"),
        ("pt", "é a segunda vez"),
        ("it", "ieratico"),
        ("und", "tomorrow demain"),
        ("en", "31/02"),
    ],
)
def test_what_is_no_date(language: str, text: str) -> None:
    assert [one for one in named(text, language) if one[0] == "date"] == []


def test_a_day_that_is_in_no_calendar_has_no_value() -> None:
    assert named("31/02/2026", "fr") == [("date", "31/02/2026", None)]


def test_without_a_moment_what_is_relative_has_no_value() -> None:
    (only,) = FINDER.find("demain", language="fr")
    assert (only.text, only.value) == ("demain", None)


@pytest.mark.parametrize(
    ("language", "text", "written", "value"),
    [
        ("fr", "le vendeur de Bellecour", "Bellecour", "Bellecour"),
        ("fr", "vu à l'opera", "opera", "Opéra"),
        ("fr", "au magasin de Lyon Part-Dieu ce matin", "Lyon Part-Dieu", None),
        ("en", "the store in Leeds was shut", "Leeds", None),
        ("it", "nel negozio di Torino", "Torino", None),
        ("es", "en la tienda de Sevilla", "Sevilla", None),
        ("pt", "na loja de Faro", "Faro", None),
        ("de", "die Filiale in Köln", "Köln", None),
    ],
)
def test_a_place_of_the_company_or_after_a_word(
    language: str, text: str, written: str, value: str | None
) -> None:
    assert named(text, language) == [("place", written, value)]


def test_a_product_by_any_of_its_names() -> None:
    assert named("My kettle-17 leaks", "en") == [("product", "kettle-17", "Kettle 17")]
    assert named("la lampe Lumen clignote", "fr") == [("product", "lampe Lumen", "Lumen lamp")]


def test_what_is_personal_is_not_named() -> None:
    text = "Né le 12/03/1985, carte 4111 1111 1111 1111, 12 rue Bellecour, commande 4512"
    assert named(text, "fr") == [(ORDER, "4512", "4512")]


def test_each_once_in_the_order_of_the_text_and_not_too_many() -> None:
    text = "order 4512, 45 €, order 4512, 45,00 EUR"
    assert [one[1] for one in named(text, "en")] == ["4512", "45 €"]
    many = ", ".join(f"#{number}" for number in range(1000, 1020))
    assert [one[1] for one in named(many, "en")] == [f"#{n}" for n in range(1000, 1000 + MOST)]


def test_a_company_without_lists_names_dates_alone() -> None:
    found = EntityFinder(EntityPolicy()).find("order 4512, 45 €, Bellecour, today", language="en")
    assert [one.kind.value for one in found] == ["date"]


PIECES = st.sampled_from(
    ["order ", "4512", "#", "€", "1 250,00", "le ", "12", "/", "mai", "next ", "friday", "in ",
     "999 ", "weeks", "magasin de ", "Lyon", "\n", "kettle-17", "31", "9" * 20, "².", "٣"]
)  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(PIECES, max_size=15).map("".join) | st.text(max_size=200),
    st.sampled_from(["en", "fr", "it", "es", "pt", "de", "und"]),
)
def test_whatever_is_named_stands_in_the_text(text: str, language: str) -> None:
    for one in FINDER.find(text, language=language, at=AT):
        assert one.text in text
        assert 0 < len(one.text) <= 80


def test_a_row_of_digit_groups_is_no_amount_without_end() -> None:
    """No number has more than five groups of three: each place is looked at for a bounded time."""
    row = "111 " * 1_500
    assert [one.text for one in FINDER.find(f"{row}€", language="en")] == ["111 111 111 111 111 €"]
