"""Failure drills: a gang is hurt in every way that is known, and must end, return and train as if nothing had been.

Runs on the embedded cluster and the platform of the stack `local`; nothing here is on a user's path.
"""
