"""Resources on AWS: one noun a module, everything they need from the plan."""
