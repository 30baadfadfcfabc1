"""One line for one fact, in fields, and never a word, a number or a name of anybody."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from pydantic import ValidationError

from functions.webhook_intake.handler import handler
from shared.domain.errors import Contention, SendRefused
from shared.domain.touchpoint import Endpoint, Touchpoint
from shared.runtime.observability import count, logger, observed
from shared.runtime.settings import environment
from tests.builders import policies, whatsapp_message

PERSONAL = ("+33612345678", "33612345678", "awa@example.com", "Awa", "Où est ma commande ?")

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What was logged so far, line by line."""
    stream = StringIO()
    (log_handler,) = logger().handlers
    assert hasattr(log_handler, "setStream")
    before = log_handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log_handler.setStream(before)


def raising(error: Exception) -> Callable[[dict[str, Any], Any], Any]:
    @observed
    def step(event: dict[str, Any], context: Any) -> Any:
        raise error

    return step


EVENT = {"body": " ".join(PERSONAL)}


def assert_nothing_personal(written: object) -> None:
    text = json.dumps(written, ensure_ascii=False)
    assert not [word for word in PERSONAL if word in text]


class TestWhatAFunctionCouldNotDo:
    def test_what_works_is_not_logged(self, lines: Lines) -> None:
        @observed
        def step(event: dict[str, Any], context: Any) -> str:
            return "done"

        assert step(EVENT, None) == "done"
        assert lines() == []

    def test_our_own_error_is_logged_once_with_its_reason_and_rises(self, lines: Lines) -> None:
        with pytest.raises(Contention):
            raising(Contention("another delivery is under way"))(EVENT, None)
        (line,) = lines()
        assert (line["level"], line["message"]) == ("WARNING", "step_refused")
        assert (line["error"], line["reason"]) == ("Contention", "another delivery is under way")
        assert_nothing_personal(line)

    @pytest.mark.parametrize(
        "error", [ValueError("'+33612345678' is no number"), KeyError("awa@example.com")]
    )
    def test_a_foreign_error_is_logged_by_its_type_alone_and_rises(
        self, lines: Lines, error: Exception
    ) -> None:
        with pytest.raises(type(error)):
            raising(error)(EVENT, None)
        (line,) = lines()
        assert (line["level"], line["message"]) == ("ERROR", "step_failed")
        assert line["error"] == type(error).__name__
        assert_nothing_personal(line)

    def test_a_stored_touchpoint_that_does_not_fit_rises_without_its_content(self) -> None:
        """Lambda itself logs what rises, with its message."""
        stored = whatsapp_message().model_dump_json().replace('"name"', '"nickname"')
        with pytest.raises(ValidationError) as raised:
            Touchpoint.model_validate_json(stored)
        assert "nickname" in str(raised.value)
        assert_nothing_personal(str(raised.value))

    def test_nor_does_any_value_of_the_domain_quote_what_it_refuses(self) -> None:
        with pytest.raises(ValidationError) as raised:
            Endpoint.model_validate({"channel": "+33612345678", "provider": "Awa"})
        assert_nothing_personal(str(raised.value))

    def test_a_handler_keeps_its_name(self) -> None:
        assert raising(SendRefused("no", code="1")).__name__ == "step"


class TestTheLastLineOfDefence:
    @pytest.mark.parametrize(
        ("said", "logged"),
        [
            ("no route to +33 6 12 34 56 78", "no route to [number]"),
            ("06.12.34.56.78 is no number", "[number] is no number"),
            ("'33612345678'", "'[number]'"),
            ("card 4111 1111 1111 1111 refused", "card [number] refused"),
            ("(212) 736-5000, (11) 98765-4321", "[number], [number]"),
            ("to:0612345678 tel:+33612345678", "to:[number] tel:[number]"),
            ("card:4111111111111111", "card:[number]"),
            ("user/33612345678 and user/33612345678/x", "user/[number] and user/[number]/x"),
            ("+33612345678: refused", "[number]: refused"),
            ("33612345678:refused", "[number]:refused"),
            ("0612345678- refused", "[number]- refused"),
            (
                "arn:aws:sns:eu-west-1:123456789012:a, 0612345678",
                "arn:aws:sns:eu-west-1:123456789012:a, [number]",
            ),
            ("mail to awa.diop+shop@example.co.uk failed", "mail to [email] failed"),
        ],
    )
    def test_what_a_reason_brought_along_is_hidden(
        self, lines: Lines, said: str, logged: str
    ) -> None:
        logger().warning("step_refused", extra={"reason": said, "more": {"in": [said]}})
        logger().warning(said)
        with_fields, as_message = lines()
        assert with_fields["reason"] == logged
        assert with_fields["more"] == {"in": [logged]}
        assert as_message["message"] == logged

    @pytest.mark.parametrize(
        "kept",
        [
            "6d0b0e7e-6f53-5b0e-9f5e-0d6d3b0a3b11",
            "12345678-1234-5678-1234-567812345678",
            "2026-11-27T13:46:17.000000Z",
            "2026-11-27 13:46:17,123+0000",
            "arn:aws:lambda:eu-west-1:123456789012:function:passerelle-ai",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/a-queue",
            "2026-11-27 2026-11-28, 2026-11-27T13:46:17.000000+00:00",
            "touchpoint/6d0b0e7e-6f53-5b0e-9f5e-0d6d3b0a3b11:12345678-1234-5678-1234-567812345678",
            "1-57590988-bd862e3fe1be46a994272793",
            "1-5759e988-bd862e3fe1be46a994272793",
            "wamid.HBgLMzM2MTIzNDU2NzgVAgASGBQzQTAx",
            "order 4512 of 2026-11-27, 3 of 10",
            "embedded-2026-11-22-40afe4f26d61",
            "99.95 %, 1700 ms, v3.37.0",
        ],
    )
    def test_ids_moments_and_figures_are_not(self, lines: Lines, kept: str) -> None:
        logger().info(kept, extra={"at": kept, "milliseconds": 1_700_000_000_000, "share": 0.25})
        (line,) = lines()
        assert (line["message"], line["at"]) == (kept, kept)
        assert (line["milliseconds"], line["share"]) == (1_700_000_000_000, 0.25)
        assert line["timestamp"].startswith("20")

    def test_a_traceback_that_quotes_its_input_is_hidden_too(self, lines: Lines) -> None:
        try:
            raise ValueError("'+33612345678' is no number")
        except ValueError:
            logger().exception("step_failed")
        assert_nothing_personal(lines())


class TestMetrics:
    def test_a_fact_is_a_line_that_cloudwatch_counts(self, lines: Lines) -> None:
        count("TouchpointsReceived", 3, provider="twilio")
        (line,) = lines()
        assert line["TouchpointsReceived"] == 3
        assert line["provider"] == "twilio"
        (metric,) = line["_aws"]["CloudWatchMetrics"]
        assert metric == {
            "Namespace": "Passerelle",
            "Dimensions": [["provider"]],
            "Metrics": [{"Name": "TouchpointsReceived", "Unit": "Count"}],
        }
        assert isinstance(line["_aws"]["Timestamp"], int)

    def test_what_did_not_happen_costs_no_line(self, lines: Lines) -> None:
        count("TouchpointsDuplicate", 0, provider="twilio")
        assert lines() == []


class TestARefusedWebhook:
    @pytest.fixture(autouse=True)
    def settings(self) -> Iterator[None]:
        token = environment.set(
            {
                "TOUCHPOINTS_TABLE": "t",
                "RAW_BUCKET": "b",
                "SECRETS_PREFIX": "p",
                "RETENTION": policies().retention.model_dump_json(),
                "INTAKE_FUNCTION_ARN": "a",
            }
        )
        yield
        environment.reset(token)

    @pytest.mark.parametrize("name", ["+33612345678", "../secrets", "base", "__init__"])
    def test_a_provider_nobody_knows_is_one_line_and_no_echo(self, lines: Lines, name: str) -> None:
        answer = handler({"pathParameters": {"provider": name}, **EVENT}, None)
        assert answer["statusCode"] == 404
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert json.loads(answer["body"])["detail"] == "there is no such provider"
        (line,) = lines()
        assert (line["message"], line["error"]) == ("webhook_refused", "UnknownProvider")
        assert name not in json.dumps(line["reason"])
        assert_nothing_personal([line, answer])
