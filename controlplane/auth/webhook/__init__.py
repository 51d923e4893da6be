"""Asking others who somebody is and what they may: TokenReview and SubjectAccessReview over HTTPS.

What is here speaks to a webhook or to a kube-apiserver as kube-apiserver's own webhook authenticator and authorizer do,
and reads the files that say whom to ask. Who is asked in which order beside the local authorizers is `chain.py`'s.
"""
