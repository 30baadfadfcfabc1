"""What agents and front ends read and do: touchpoints, profiles, tickets, follow-ups."""
