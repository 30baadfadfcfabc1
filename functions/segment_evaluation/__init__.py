"""Whoever changed, or has waited long enough, enters and leaves segments."""
