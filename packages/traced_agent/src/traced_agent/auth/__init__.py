"""Who may call the function when it checks bearer tokens itself: OpenID Connect tokens and the issuer's keys.

IAM authentication is not here: Lambda checks those signatures before the function runs.
"""
