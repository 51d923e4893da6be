"""What is registered, and what it comes to: objects in, one `Topology` a generation out.

`store.py` is the one mutable table set of the control plane; `resolve.py` is pure. Nothing here knows Envoy, protobuf,
a file or a clock, and no defect of an object is an exception: it is a Condition of the APIService.
"""
