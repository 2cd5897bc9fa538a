"""What the story of one request, `lambda_handler`, is told with."""
