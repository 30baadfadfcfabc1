"""The files of a message are fetched from its provider, looked at, and kept or refused."""
