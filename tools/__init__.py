"""What is run at the desk: the layer builder, the local cloud, the clients, the measurements."""
