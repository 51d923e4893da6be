"""A server of unary gRPC calls, for one service that is asked very often.

In: connections. Out: calls to methods, and their answers. Law: HTTP/2 and gRPC are decided by machines without I/O
(`connection`, and what it is made of); `protocol` and `server` only carry bytes and run methods.
"""
