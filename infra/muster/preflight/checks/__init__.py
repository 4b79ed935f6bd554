"""Answers compared with the plan: pure, one line for each thing that can be wrong."""
