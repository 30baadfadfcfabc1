"""What the policy promises on a ticket becomes dated follow-ups."""
