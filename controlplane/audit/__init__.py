"""The audit log: what Envoy tells of every request becomes events of audit.k8s.io/v1, in a file or on stdout.

Here live the policy, the shape of events and the way to the disk. What a path asks for is read by a function that is
passed in, and whom a request was taken for is said by authorization: neither is found out here a second time.
"""
