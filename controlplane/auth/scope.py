"""How far an allowing decision reaches beyond the request it was made for.

In: the request, the evidence, and the rule that allowed it. Out: a `Validity`, or None: this request only. Law: every
request of the same credential that lies in the scope would be allowed by the same rule, as the same user.

A scope is a text; `envoy/lua/verdicts.lua` writes the texts of the scopes that a request lies in, and compares. From
the widest to the narrowest:

    *                                                      whatever can be asked
    VERB GROUP/VERSION                                     every resource of a group-version, everywhere
    VERB GROUP/VERSION NAMESPACE                           every resource of it in one namespace
    VERB GROUP/VERSION NAMESPACE RESOURCE/SUBRESOURCE      every object of one collection
    VERB GROUP/VERSION NAMESPACE RESOURCE/SUBRESOURCE NAME one object
    path METHOD PATH                                       one path that is no resource

What is absent is empty. None holds a request whose path or query could be read in two ways, a Lua script and this
program being two readers: escapes in the path, dot segments, a selector of fields.
"""

from __future__ import annotations

import re
from math import inf
from typing import Final

from controlplane.auth.evidence import Evidence
from controlplane.model.identity import RequestInfo, Validity
from controlplane.model.rbac import Grant, PolicyRule
from controlplane.model.revocations import holder_ground, role_ground

EVERYTHING: Final = "*"

_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9\-._~:]+)+(?:\?[!-~]*)?")
# Envoy joins the lines of a header with commas, so a value with a comma might be two.
_BEARER: Final = re.compile(r"[Bb]earer [!-+\--~]+")


def validity_of(
    target: str, info: RequestInfo, evidence: Evidence, until: float, grant: Grant | None
) -> Validity | None:
    """The validity of the decision that `grant` allowed; `until` (Unix seconds) is when the credential ends."""
    if grant is None or why_alone(target, info, evidence, until, grant):
        return None
    scope = EVERYTHING if grant.rule is None else _scope(info, grant.rule, grant.holder.namespace)
    grounds = (holder_ground(grant.holder), *(() if grant.binding is None else (role_ground(grant.binding.role),)))
    return Validity(scope, grounds, until)


def why_alone(target: str, info: RequestInfo, evidence: Evidence, until: float, grant: Grant | None) -> str:
    """Why the decision holds for this request alone, "" when it reaches further; arguments as for `validity_of`."""
    if grant is None:
        return "no rule allowed it, so nobody can tell what else it would hold for"
    if _PLAIN.fullmatch(target) is None:
        return "its path or query could be read in two ways"
    if not _shows_one_credential(evidence):
        return "it shows several credentials, or one that is not the sender's alone, or upgrades"
    if evidence.certificate and until == inf:
        # A certificate ends even when it is not what the user was recognised by.
        return "it shows a certificate that is not what the user was recognised by"
    if grant.rule is not None and info.is_resource_request and info.name and info.verb in {"list", "watch"}:
        return "the name it asks for is in a field selector"
    return ""


def in_words(scope: str) -> str:
    """A scope for people."""
    if scope == EVERYTHING:
        return "whatever can be asked"
    verb, _, rest = scope.partition(" ")
    if verb == "path":
        method, _, path = rest.partition(" ")
        return f"{method} of the path {path}"
    parts = rest.split(" ")
    group, _, version = parts[0].partition("/")
    api = f"{group}/{version}" if group else version
    namespace = parts[1] if len(parts) > 1 else ""
    where = f" in the namespace {namespace}" if namespace else ""
    if len(parts) < 3:
        return f"{verb} of every resource of {api}{where or ', in all namespaces'}"
    what = parts[3] if len(parts) > 3 else "every object"
    return f"{verb} of {what} among {parts[2].removesuffix('/')} of {api}{where or ', where no namespace is named'}"


def _shows_one_credential(evidence: Evidence) -> bool:
    """Whether it is a certificate, or one bearer token, or nothing, for the sender itself.

    An upgrade may carry a token in a subprotocol.
    """
    tokens = evidence.header_values("authorization")
    if evidence.asserted or evidence.header_values("upgrade") or len(tokens) + bool(evidence.certificate) > 1:
        return False
    return all(_BEARER.fullmatch(token) for token in tokens)


def _scope(info: RequestInfo, rule: PolicyRule, namespace: str) -> str:
    if not info.is_resource_request:
        return f"path {info.verb} {info.path}"
    group_version = f"{info.verb} {info.api_group}/{info.api_version}"
    collection = f"{group_version} {info.namespace} {info.resource}/{info.subresource}"
    if rule.resource_names:
        return f"{collection} {info.name}"
    if "*" not in rule.resources:
        return collection
    return f"{group_version} {namespace}" if namespace else group_version
