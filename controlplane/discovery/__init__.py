"""What APIs there are: /api, /apis, /apis/<group>, /openapi/v3 and /version, as one answer made of many servers'.

`client.py` and `fetch.py` ask the servers, `refresh.py` decides when, `service.py` answers over HTTP; all between is
pure. Requests are answered from memory: a backend that is slow or gone costs others nothing. Nothing here knows
Envoy.
"""
