"""What nobody sends on purpose, in great number, at everything that reads a request from outside.

`make fuzz`, and docs/operations.md.
"""
