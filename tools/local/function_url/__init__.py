"""The Function URL: HTTP to payload format 2.0 and back, SigV4, CORS.

Not here: how the function runs (`runtime`) and how bytes travel over a socket (`http`).
"""
