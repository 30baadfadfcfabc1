"""The providers' APIs as far as we call them: one file per provider, named like it."""
