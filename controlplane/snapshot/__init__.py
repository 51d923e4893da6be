"""The wanted state of Envoy, ready to send: resources framed once, snapshots that share them, who waits for the next.

In: `EnvoyResource`s from translation, or bare (type URL, name, version, bytes) from whoever embeds this. Out:
`Snapshot`s. No protocol, no network; `cache.py` alone knows the event loop.
"""
