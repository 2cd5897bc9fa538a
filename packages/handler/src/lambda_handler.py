"""The function's entry: the story of one request."""
