"""What a user would pick instead, set up as its own documentation says."""
