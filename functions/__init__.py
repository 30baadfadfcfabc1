"""The customer's journey, one folder a step."""
