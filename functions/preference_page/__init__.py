"""By a link of their own a person reads and changes what they allow and how they are written to."""
