"""Isthmus: the front door for Kubernetes-style APIs, a control plane for Envoy.

Read `pipeline.py` first: it is the whole journey of a registration on one page. Nothing happens when this is imported.
"""

__version__ = "0.1.0"
