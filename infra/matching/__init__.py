"""Batch review of duplicate profiles, and the weights that the streaming score uses."""
