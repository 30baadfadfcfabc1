"""What a person may ask of us: a copy of everything known of them, and to be forgotten."""
