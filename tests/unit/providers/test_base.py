"""What every provider reads with: strict JSON, models that name what is wrong, sane times."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ConfigDict, ValidationError

from shared.domain.errors import MalformedPayload, TooLarge, UnknownProvider
from shared.domain.model import Instant
from shared.domain.touchpoint import Line
from shared.providers.base import (
    Payload,
    believable,
    find_provider,
    provider_names,
    read_json,
    read_model,
    same,
)
from shared.providers.segment import PROVIDER
from tests.builders import webhook_request

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"1e999",
        b'{"a": [-1e999]}',
        b'"\\ud800"',
        b"9" * 5_000,
        b"[" * 150 + b"]" * 150,
        b"[" + (b"[" + b"{}," * 2_000 + b"0],") * 60 + b"0]",
        b"[" + (b"[" + b"1," * 2_000 + b"0],") * 60 + b"0]",
        b'{"a": [' + b"{}," * 3_000 + b"{}]}",
        b"{} {}",
    ],
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        read_json(body)


def test_what_is_strict_json_is_read() -> None:
    assert read_json(b'{"a": [1, 1.5e3, "\\ud83d\\ude00", null], "a": 2}') == {"a": 2}
    assert read_json(b"[" * 99 + b"]" * 99) is not None
    assert read_json(b"[" + b"{}," * 2_999 + b"{}]") == [{}] * 3_000
    assert read_json(b"[" + b"1," * 9_999 + b"{}]") == [1] * 9_999 + [{}]
    commas = b'"' + b",[{" * 200_000 + b'\\""'
    assert read_json(commas) == json.loads(commas)


class Example(Payload):
    at: Instant
    words: list[str]


class Measured(Payload):
    model_config = ConfigDict(strict=False)
    length: float


@pytest.mark.parametrize("length", ["Infinity", "-inf", "NaN", float("inf")])
def test_what_is_endless_is_no_number(length: object) -> None:
    assert read_model(Measured, {"length": "2.5"}).length == 2.5
    with pytest.raises(MalformedPayload, match="length: finite_number"):
        read_model(Measured, {"length": length})
    with pytest.raises(ValidationError):
        Line(sku="1", quantity=length)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"words": []}, "at"),
        ({"at": datetime(1, 1, 1, tzinfo=UTC), "words": ["x", 7]}, "words.1"),
        ("words", "body"),
        (None, "body"),
    ],
)
def test_the_error_names_the_field_and_quotes_nothing(value: object, field: str) -> None:
    with pytest.raises(MalformedPayload, match=f"^{field}: ") as raised:
        read_model(Example, value)
    assert "7" not in str(raised.value)


@pytest.mark.parametrize(
    ("moment", "believed"),
    [
        (NOON - timedelta(days=400), True),
        (NOON + timedelta(minutes=5), True),
        (NOON + timedelta(minutes=6), False),
        (datetime(1999, 12, 31, tzinfo=UTC), False),
        (datetime.min.replace(tzinfo=UTC), False),
        (datetime.max.replace(tzinfo=UTC), False),
        (None, False),
    ],
)
def test_a_time_out_of_reason_is_when_we_received_it(
    moment: datetime | None, believed: bool
) -> None:
    assert believable(moment, NOON) == (moment if believed else NOON)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("a", "a", True),
        ("é", "é", True),
        ("é", "é".encode(), True),
        ("a", "b", False),
        ("a", "", False),
        ("\udcff", b"\xff", True),
        ("\ud800", "x", False),
    ],
)
def test_signatures_are_compared_as_bytes(
    left: str | bytes, right: str | bytes, equal: bool
) -> None:
    assert same(left, right) is equal


def test_a_provider_is_found_by_its_file_and_nothing_else_is() -> None:
    assert "base" not in provider_names()
    assert find_provider("segment") is PROVIDER
    for name in ("base", "__init__", "../domain/errors", "Segment", ""):
        with pytest.raises(UnknownProvider):
            find_provider(name)


def test_a_body_is_bounded() -> None:
    PROVIDER.check_size(webhook_request(b"x" * PROVIDER.largest_body))
    with pytest.raises(TooLarge):
        PROVIDER.check_size(webhook_request(b"x" * (PROVIDER.largest_body + 1)))
