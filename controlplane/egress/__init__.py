"""The ways out: how Isthmus itself reaches servers over HTTPS, through a proxy or not.

Here lives which proxy is used, and the connection through it. What is asked there is not decided here, and what Envoy
connects to goes other ways.
"""
