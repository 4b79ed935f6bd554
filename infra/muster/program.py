"""The whole stack in order: what a plan becomes on a cluster, and what the stack exports."""
