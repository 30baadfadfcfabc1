"""A commitment is due: is it still needed, may it leave, and did it."""
