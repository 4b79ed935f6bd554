"""Pure functions, no cluster and no engine."""
