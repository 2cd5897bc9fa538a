"""HTTP as Lambda sees it: Function URL payloads, routes, request models, JSON envelopes, OpenAPI, the page.

Nothing here runs the agent, streams a response or exports a trace.
"""
