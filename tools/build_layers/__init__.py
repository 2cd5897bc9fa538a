"""Locks, builds and checks the Lambda layers.

The list of layers and their Python version are in the catalogue (`layers`).
"""
