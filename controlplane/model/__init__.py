"""The values that travel between stages: frozen, slotted, hashable where they are keys; standard library only.

Nothing here knows Envoy, Kubernetes' client, protobuf, a file or a clock.
"""
