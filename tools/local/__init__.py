"""The local cloud: deploys the real stack to this machine and runs the deployed bytes.

Imports go in one direction:
commands > cloud > control_plane | function_url | fakes > runtime | traces > http.
"""
