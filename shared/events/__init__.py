"""What leaves the house: one class per event, and the envelope around it."""
