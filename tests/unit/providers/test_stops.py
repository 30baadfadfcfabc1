"""By which of its codes a provider says that nothing more is to be sent to an address."""

from dataclasses import replace

import pytest

from shared.domain.suppression import SuppressionKind
from shared.domain.touchpoint import DeliveryStatus, Endpoint, Stop
from shared.providers.base import find_provider, provider_names
from tests.unit.providers.fixtures import FIXTURES, NOW, SECRETS, Case, read_case


def case(provider: str, name: str) -> Case:
    return read_case(provider, FIXTURES / provider / f"{name}.json")


def told(
    provider: str, name: str, *changes: tuple[str, str]
) -> tuple[Stop | None, Endpoint | None]:
    """What the first status of that request says, with these parts of its body replaced."""
    recorded = case(provider, name)
    body = recorded.call.body.decode()
    for before, after in changes:
        assert before in body
        body = body.replace(before, after)
    call = replace(recorded.call, body=body.encode())
    request = replace(recorded, call=call).request
    found = find_provider(provider)
    secret = found.read_secret(SECRETS[provider])
    touchpoint = found.parse(request, secret, NOW)[0].touchpoint
    assert isinstance(touchpoint.content, DeliveryStatus)
    return touchpoint.content.stop, touchpoint.endpoint


@pytest.mark.parametrize(
    ("code", "stop"),
    [
        ("30004", Stop(kind="provider_block")),
        ("30006", Stop(kind="provider_block")),
        ("21610", Stop(kind="opt_out")),
        ("63024", Stop(kind="bounce")),
        ("30003", None),
        ("30008", None),
    ],
)
def test_twilio_tells_by_its_error_code(code: str, stop: Stop | None) -> None:
    found, endpoint = told("twilio", "status_undelivered", ("ErrorCode=30003", f"ErrorCode={code}"))
    assert found == stop
    assert endpoint is not None
    assert (endpoint.account, endpoint.address) == ("+15557122661", "+15558675310")


def test_a_code_beside_a_success_stops_nothing() -> None:
    body = [("MessageStatus=undelivered", "MessageStatus=delivered"), ("30003", "30004")]
    assert told("twilio", "status_undelivered", *body)[0] is None


@pytest.mark.parametrize(
    ("code", "stop"),
    [
        ("131050", Stop(kind="opt_out", classes="marketing")),
        ("131026", Stop(kind="bounce")),
        ("131047", None),
        ("131049", None),
    ],
)
def test_whatsapp_tells_by_its_error_code(code: str, stop: Stop | None) -> None:
    found, endpoint = told("whatsapp_cloud", "status_failed", ('"code":131047', f'"code":{code}'))
    assert found == stop
    assert endpoint is not None and endpoint.address == "16505551234"


@pytest.mark.parametrize(
    ("kind", "stop"),
    [("Permanent", Stop(kind="bounce")), ("Transient", None), ("Undetermined", None)],
)
def test_a_mail_that_bounced_for_good_stops_its_address(kind: str, stop: Stop | None) -> None:
    change = ('bounceType\\": \\"Permanent', f'bounceType\\": \\"{kind}')
    found, endpoint = told("email_ses", "status_bounce", change)
    assert found == stop
    assert endpoint is not None
    assert (endpoint.account, endpoint.address) == ("support@boutique.example", "Jane@example.com")


def test_a_complaint_stops_the_mail_unless_it_is_taken_back() -> None:
    assert told("email_ses", "status_complaint")[0] == Stop(kind="complaint")
    body = case("email_ses", "status_complaint").call.body.decode()
    kind = body.split('complaintFeedbackType\\": \\"')[1].split("\\")[0]
    taken_back = (f'complaintFeedbackType\\": \\"{kind}', 'complaintFeedbackType\\": \\"not-spam')
    assert told("email_ses", "status_complaint", taken_back)[0] is None


def test_every_stop_of_a_provider_has_a_kind_of_suppression() -> None:
    stops = [stop for name in provider_names() for stop in find_provider(name).stops.values()]
    assert stops
    assert {stop.kind for stop in stops} <= {kind.value for kind in SuppressionKind}


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("UserInBlackList", Stop(kind="opt_out")),
        ("UserDoesNotExist", Stop(kind="bounce")),
        ("UserIsInactive", Stop(kind="bounce")),
        ("InsufficientCredit", None),
        ("UserAccountSuspended", None),
    ],
)
def test_africas_talking_tells_by_the_reason(reason: str, stop: Stop | None) -> None:
    found, endpoint = told("africas_talking_sms", "report_failed", ("DeliveryFailure", reason))
    assert found == stop
    assert endpoint is not None
    assert (endpoint.account, endpoint.address) == ("22384", "+254711000111")
