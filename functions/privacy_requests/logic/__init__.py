"""The steps of the state machines `erasure` and `export`."""
