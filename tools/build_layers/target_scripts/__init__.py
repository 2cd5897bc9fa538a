"""Scripts that the target interpreter runs: they compile and check what only this interpreter can.

They import the standard library, `tools.zip_entries` and one another, and nothing else.
"""
