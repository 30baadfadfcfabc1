"""What makes a genuine request: one file per provider, named like it, written apart from what verifies it."""
