"""Builds the zips and manifests of the layers from the wheels that their locks name.

Nothing here decides whether a layer may be deployed: that is `tools.build_layers.checks`.
"""
