"""The xDS protocol: who asked for what, what each Envoy holds, and what it is to be sent next, in which order.

`stream.py` is a pure machine (requests, snapshots and the time in; responses and events out) for both protocol
variants, aggregated or not. `service.py` is its gRPC face and the only module here with I/O.
"""
