"""The journey's second step: what a message means, and whether somebody owes the customer
something.
"""
