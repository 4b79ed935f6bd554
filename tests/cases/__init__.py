"""Stack files, one case each."""
