"""HTTP in, HTTP out: the only package that knows aiohttp, beside `server`.

What lives here reads a request, asks the pure modules, and writes their answer. No rule of the API is decided here.
"""
