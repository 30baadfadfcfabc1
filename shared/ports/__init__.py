"""What the steps need from the world, in the house's own words.

`adapters` gives it on AWS, `tests/fake*.py` in tests.
"""
