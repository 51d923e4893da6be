"""The gRPC API by which clients register APIs and say who may use them.

What lives here: the services (`service`) and their calls (`calls`, `inspecting`), what they make of requests
(`requests`), reads (`reading`, `watching`) and writes (`writing`), what objects are shown with (`conditions`,
`standings`), how far a write has come among proxies (`rollout`), what is told of calls (`observing`, `bodies`,
`metrics`), errors as gRPC says them (`errors`), and a client (`client`). What may not: the rules of any kind (those are
`controlplane.resources`), and anything that knows who may do what (`access` only asks).
"""
