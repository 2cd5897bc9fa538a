"""What runs on a developer's machine: the layer builder, the local cloud, the clients, the measurements."""
