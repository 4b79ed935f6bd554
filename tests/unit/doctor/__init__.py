"""What the doctor finds, on plain objects."""
