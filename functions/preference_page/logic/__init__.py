"""What the page shows and what its form changes.

Reading changes nothing, so that what opens links by itself, a mail scanner, decides nothing for
anybody. The link is what proves the right to change, so a form needs no other token.
"""
