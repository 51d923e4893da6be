"""What people and monitoring ask of a control plane: status of registrations, metrics, health.

What lives here: what there is to tell (`reports`, `conditions`), the StatusService and the client of it (`service`,
`client`), the HTTP pages (`pages`). What may not:
any decision; this only shows what other parts have decided.
"""
