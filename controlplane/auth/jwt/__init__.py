"""Bearer tokens that are JSON Web Tokens: of OpenID Connect issuers and of Kubernetes service accounts.

`configuration` and `service_accounts` hold descriptions (frozen data that can be sent to another process); `decode` and
`validation` read them as kube-apiserver reads its AuthenticationConfiguration. `compact`, `keys`, `claims`, `mapping`,
`openid` and `service_accounts` judge a token and are pure. `fetch`, `remote` and `authenticators`, which makes the live
object, are the only modules with I/O.
"""
