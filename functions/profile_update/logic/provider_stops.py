"""What a provider says about every other message to an endpoint."""

from shared.domain.suppression import lifted_by_provider, told_by_provider
from shared.domain.touchpoint import Stop, Touchpoint
from shared.events.catalogue import EndpointReleased, EndpointSuppressed
from shared.ports.consents import ConsentStore


def heed(touchpoint: Touchpoint, stop: Stop | None, consents: ConsentStore) -> None:
    """Where the provider says that nothing more is to be sent there, nothing more is."""
    if stop is None or touchpoint.endpoint is None:
        return
    subject, suppression = told_by_provider(
        touchpoint.endpoint, stop, touchpoint.occurred_at, touchpoint.touchpoint_id
    )
    event = EndpointSuppressed(
        kind=suppression.kind,
        classes=suppression.classes,
        channel=touchpoint.endpoint.channel,
        touchpoint_id=touchpoint.touchpoint_id,
    )
    consents.tell(subject, suppression, event=event)


def reopen(touchpoint: Touchpoint, lifts: Stop | None, consents: ConsentStore) -> None:
    """Where the provider says that the person takes messages again, its own stop is lifted."""
    if lifts is None or touchpoint.endpoint is None:
        return
    subject, release = lifted_by_provider(
        touchpoint.endpoint, lifts, touchpoint.occurred_at, touchpoint.touchpoint_id
    )
    event = EndpointReleased(
        kind=release.kind,
        channel=touchpoint.endpoint.channel,
        touchpoint_id=touchpoint.touchpoint_id,
    )
    consents.tell(subject, release, event=event)
