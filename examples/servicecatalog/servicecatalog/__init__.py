"""The demo aggregated API server: `servicecatalog.k8s.io/v1beta1`, kept in memory.

In goes HTTPS from a front proxy (its client certificate, and the caller's name in X-Remote-* headers); out come
Kubernetes objects, lists, watches, tables, discovery documents and OpenAPI v3.
The law of the package: it stands for other people's servers, so it imports nothing of the control plane. Everything
below `handlers`, `server` and `cli` is pure: clocks, identifiers and the wake-up of watches are parameters.
"""
