"""What a plan looks like to AWS: pure functions, parts of a plan in, documents out."""
