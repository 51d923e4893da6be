"""Version 1 of our own gRPC APIs; `controlplane.admin` is its only reader."""
