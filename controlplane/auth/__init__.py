"""Who asks, and whether they may: authentication, authorization and the ext_authz face.

Everything here but `service` and `metrics` is pure: values in, values out, clocks and keys as parameters. `service` is
the only module that knows gRPC and Envoy's messages. Nothing here changes a request: headers are written inside Envoy,
from what `service` answers.
"""
