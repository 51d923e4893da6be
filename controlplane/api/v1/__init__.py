"""Version 1 of our own gRPC APIs: read by `controlplane.admin`, and by the commands that print its answers."""
