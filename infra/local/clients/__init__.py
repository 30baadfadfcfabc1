"""What makes a request genuine: one file per provider, written apart from what verifies it."""
