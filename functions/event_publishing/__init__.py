"""What the tables' streams show becomes events on the bus."""
