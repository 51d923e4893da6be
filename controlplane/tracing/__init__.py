"""Spans of what the control plane does for a request that Envoy traces.

In: the metadata of a call. Out: spans at a collector. Law: only what Envoy has chosen to trace is, and nobody waits for
the collector.

The messages come with xds-protos: OpenTelemetry's own packages would put other files in the same places.
"""
