"""Topology in, Envoy resources out: pure functions, one file per Envoy concept, called in one explicit order.

What is authored once per configuration (listener, connection manager, filters, bootstrap) is written with
envoy-data-plane; what is made per APIService (routes, clusters, load assignments, secrets) with protobuf's own
classes, which are 50 to 1,280 times faster at it (docs/design/0002-two-protobuf-libraries.md). `translate.py` is the
only file that knows all the others.
"""
