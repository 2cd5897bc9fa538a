"""What a layer must be before it may be deployed, one function a gate.

A gate takes a `Candidate` and yields one line for each breach. `tools.build_layers.check` names them all.
"""
