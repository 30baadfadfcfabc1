"""A provider's webhook becomes durable touchpoints, or is refused."""
