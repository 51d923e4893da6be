"""The commands that are clients of the config API, and what they share.

Here: where the server is and as whom it is called, manifests that are sent there, and one module a command. Not here:
what an object of a kind may look like (`controlplane.resources`), or anything that talks to the network by itself
(`controlplane.configapi.client`).
"""
