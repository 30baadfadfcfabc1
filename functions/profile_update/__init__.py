"""A touchpoint finds the person it belongs to."""
