"""Authorization in processes of its own: what the control plane pushes to them, and how they live.

In: a watched policy and settings. Out: processes that answer Envoy's Check calls by that policy. Law: a worker that has
no policy denies; a worker whose control plane is gone ends.

Nothing here decides anything: deciding is `controlplane.auth`, in whichever process it runs.
"""
