"""The nouns and rules of customer contact.

Nothing here imports anything but the standard library and pydantic.
"""
