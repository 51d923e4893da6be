"""Our own gRPC APIs, generated from `protos/` by `make protos`; never edited."""
