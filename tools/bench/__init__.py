"""The measurements: every claim of speed, against what a user would pick instead, in one run."""
