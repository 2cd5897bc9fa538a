"""The commands that act in an AWS account: deploy, destroy, call and inspect the stack.

Not here: the emulated AWS of `tools.local`, and the building of layers in `tools.build_layers`.
"""
