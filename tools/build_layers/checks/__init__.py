"""Checks that layers must pass before they may be deployed: one function for each check.

A check takes a `Candidate`, changes nothing and yields one line for each violation. `run` lists the checks.
"""
