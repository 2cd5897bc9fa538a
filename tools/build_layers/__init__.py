"""Lock, build and check the Lambda layers."""
