"""What becomes of one request, told from exactly what decides about real ones: `Explainer.explain`.

What lives here: the question put to the latest ruling, and what Envoy is given read for it. What may not: any decision
of its own; who is recognised, what is allowed and how long that is kept is asked of `auth`, where it goes of the
snapshot.
"""
