"""What people read: the state of a stack's jobs, and later previews and costs. Pure functions over plain data."""
