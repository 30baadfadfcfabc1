"""What the API does, in domain objects and ports; one file per noun."""
