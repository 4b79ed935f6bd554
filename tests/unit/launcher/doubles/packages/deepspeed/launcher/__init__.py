"""A double of DeepSpeed: its launcher with the real exit rules, and no torch."""
