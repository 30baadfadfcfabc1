"""Twilio signs what it says of calls as it signs what it says of messages."""

from infra.local.clients.twilio import SIGNS_BODY, sign

__all__ = ["SIGNS_BODY", "sign"]
