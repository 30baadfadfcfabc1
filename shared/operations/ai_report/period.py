"""From when to when is reported."""

from datetime import datetime

from shared.domain.errors import InvalidInput
from shared.domain.model import Instant, Model


class Period(Model):
    """Received from `since` and before `until`."""

    since: Instant
    until: Instant

    @property
    def before(self) -> "Period":
        """The equally long one that ends where this one begins."""
        return Period(since=self.since - (self.until - self.since), until=self.since)

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


def period(since: datetime, until: datetime) -> Period:
    """Raises InvalidInput where it has no length, or none before it."""
    if since >= until:
        raise InvalidInput("the period ends before it begins", field="since")
    asked = Period(since=since, until=until)
    try:
        _ = asked.before
    except OverflowError:
        raise InvalidInput("there is no period as long before it", field="since") from None
    return asked
