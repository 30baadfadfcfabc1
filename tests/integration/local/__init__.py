"""The local cloud: its engine on a small template, and the real one as a whole."""
