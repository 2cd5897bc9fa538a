"""An HTTP server on loopback that streams in both directions.

Not here: what a request means; every server of the local cloud brings its own routes.
"""
