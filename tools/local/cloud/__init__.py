"""The composition: the stack deployed to the control plane, read back, and served behind its Function URL.

Not here: how a part works; each part has a package of its own below this one.
"""
