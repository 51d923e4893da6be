"""What Kubernetes resources mean, without a server: one implementation for every kind Isthmus keeps.

Here live the kinds and their schemas, decoding, validation, server-side apply, patches, selectors and tables, all as
functions of plain JSON values. No I/O, no clock, no store: times, uids and versions are parameters.
"""
