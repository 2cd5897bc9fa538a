"""What the story of one request, `lambda_handler`, is told with."""

__version__ = "0.1.0"
