"""The way to a person's preferences, as a message shows it."""

from functions.follow_up_delivery.logic.state import Ports
from shared.domain.model import ProfileId
from shared.domain.preference_link import NAME, read_keys, sign


def preference_link(profile_id: ProfileId, ports: Ports) -> str:
    """Raises MissingSecret where no link can be signed."""
    until = ports.clock.now() + ports.policies.consent.link_lasts
    token = sign(profile_id, until, read_keys(ports.secrets.read(NAME)))
    return f"{ports.preferences_url}{token}"
