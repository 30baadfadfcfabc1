"""What happens when a follow-up is due: decide, write, ask the gate, send, keep.

It is claimed before the provider is asked and ended after, so it leaves once: an attempt that broke
off in between ends as `unconfirmed`, for a person to look at, and is never repeated.
"""
