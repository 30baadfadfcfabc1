"""Whose touchpoint it is, what it states of them, and what a status settles."""
