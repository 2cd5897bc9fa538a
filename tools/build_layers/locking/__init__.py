"""Resolves the layers' requirements into locks: what to install, in which version, with which hashes.

`tools.wheels` reads locks and downloads their wheels; `tools.build_layers.building` builds from them.
"""
