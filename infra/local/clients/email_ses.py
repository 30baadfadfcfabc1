"""What Amazon SES received or tells, handed on by Amazon SNS."""

from infra.local.clients._sns import sign

__all__ = ["SIGNS_BODY", "sign"]

SIGNS_BODY = False
"""SNS signs the values of its fields, not the text of the JSON around them."""
