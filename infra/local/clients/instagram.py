"""Instagram's webhooks: Meta's."""

from infra.local.clients._meta import sign

__all__ = ["SIGNS_BODY", "sign"]

SIGNS_BODY = True
