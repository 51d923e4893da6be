"""The gRPC API by which clients register APIs and say who may use them.

What lives here: the ConfigService (`service`) and its calls (`calls`), what they make of requests (`requests`), reads
(`reading`, `watching`) and writes (`writing`), how far a write has come among proxies (`rollout`), and errors as gRPC
says them (`errors`). What may not: the rules of any kind (those are `controlplane.resources`), and anything that knows
who may do what (`access` only asks).
"""
