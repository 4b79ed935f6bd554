"""Drift: what is not as the stack declares it, and what to do about each difference."""
