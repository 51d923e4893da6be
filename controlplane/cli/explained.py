"""An explanation as text, in the style of `kubectl describe`.

In: an ExplainResponse. Out: lines for a person. Law: what has nothing to say is not there, but for what a person would
look for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from controlplane.api.v1 import explain_pb2
from controlplane.cli.asking import aligned

Lines: TypeAlias = Iterator[tuple[int, str, str]]
"""Depth, label and value; a label without a value is the head of what follows."""

_WIDTH: Final = 24
_TRUST: Final = {
    "caBundle": "verified by the caBundle of the registration",
    "system roots": "verified by the system's roots",
    "insecure": "not verified (insecureSkipTLSVerify)",
}
_KINDS: Final = {
    "api": "a registered API",
    "core": "the core API server",
    "discovery": "the control plane, which answers discovery itself",
    "reply": "nowhere; Envoy answers by itself",
}


def text(response: explain_pb2.ExplainResponse) -> str:
    """The explanation, the outcome first."""
    lines = [_line(0, "Outcome", _outcome(response))]
    parts = (_request(response.request), _identity(response), _verdict(response), _keeping(response), _route(response))
    lines += [_line(*each) for part in parts for each in part]
    if response.HasField("destination"):
        lines += [_line(*each) for each in _destination(response.destination)]
    if response.proxies:
        lines.append("Proxies:")
        rows = [(f"  {each.node_id}", each.state, "; ".join(each.reasons)) for each in response.proxies]
        lines.append(aligned(rows))
    elif response.HasField("route"):
        lines.append(_line(0, "Proxies", "none that it could come to is connected"))
    return "\n".join(lines)


def _line(depth: int, label: str, value: str) -> str:
    head = f"{'  ' * depth}{label}:"
    # Values may come from anywhere, and must not move a person's cursor.
    shown = "".join(character if character.isprintable() else " " for character in value)
    return f"{head:{_WIDTH}} {shown}" if shown else head


def _outcome(response: explain_pb2.ExplainResponse) -> str:
    if response.served:
        return f"allowed, and sent to {', '.join(response.destination.endpoints) or 'no endpoint'}"
    if response.status:
        return f"answered with {response.status} by the front door: {response.message}"
    return "allowed, and not served: Envoy is given no cluster for it"


def _request(request: explain_pb2.ExplainResponse.Request) -> Lines:
    yield 0, "Request", f"{request.method} {request.target}"
    if request.given:
        yield 1, "Given As", f"{request.given}, which Envoy normalises"
    if request.refused:
        yield 1, "Refused", request.refused
        return
    yield 1, "Verb", request.verb
    if not request.resource:
        yield 1, "Resource", "none, a path"
        return
    resource = request.resource_name
    yield 1, "Resource", f"{resource}/{request.subresource}" if request.subresource else resource
    yield 1, "API Group", f"{request.api_group or '(core)'}, version {request.api_version}"
    yield 1, "Namespace", request.namespace or "<none>"
    yield 1, "Name", request.name or "<none>"
    if request.field_selector:
        yield 1, "Field Selector", request.field_selector
    if request.label_selector:
        yield 1, "Label Selector", request.label_selector


def _identity(response: explain_pb2.ExplainResponse) -> Lines:
    identity = response.identity
    if identity.certificate:
        yield 0, "Client Certificate", identity.certificate
    if not identity.HasField("user"):
        if identity.failure:
            yield 0, "Not Recognised", identity.failure
        return
    yield 0, "User", identity.user.name
    yield 1, "Recognised By", identity.recognised_by
    yield from _person(identity.user)
    until = identity.until.ToJsonString() if identity.HasField("until") else "the credential has no end"
    yield 1, "Until", until
    for asked in response.impersonation:
        yield 0, "Impersonation", f"{asked.question} {'yes' if asked.allowed else 'no'}"
        if asked.reason:
            yield 1, "Because", asked.reason
    if identity.HasField("impersonated"):
        yield 0, "Becomes", f"{identity.impersonated.name} (by the verb {identity.constraint})"
        yield from _person(identity.impersonated)


def _person(user: explain_pb2.User) -> Lines:
    yield 1, "Groups", ", ".join(user.groups) or "<none>"
    if user.uid:
        yield 1, "UID", user.uid
    for extra in user.extra:
        yield 1, "Extra", f"{extra.key}={','.join(extra.values)}"


def _verdict(response: explain_pb2.ExplainResponse) -> Lines:
    verdict = response.verdict
    if response.request.refused:
        return
    yield 0, "Verdict", "allowed" if verdict.allowed else "denied"
    if verdict.reason:
        yield 1, "Because", verdict.reason
    if verdict.HasField("rule"):
        yield 1, "Rule", _rule(verdict.rule)
        yield 1, "Of", _object(verdict.role)
        if verdict.HasField("aggregated_from"):
            yield 1, "Aggregated From", _object(verdict.aggregated_from)
        yield 1, "Bound By", _object(verdict.binding)
        yield 1, "To", verdict.subject
    if not verdict.allowed and response.identity.HasField("user"):
        told = f", the first {len(verdict.considered)} of them" if verdict.bindings > len(verdict.considered) else ""
        yield 1, "Bindings Looked At", f"{verdict.bindings}{told}"
    for each in verdict.considered:
        what = "which does not exist" if each.missing else f"whose rules ({each.rules}) do not allow it"
        yield 2, each.subject, f"{_object(each.binding)} to {_object(each.role)}, {what}"
    yield 1, "Policy Generation", str(verdict.generation)


def _rule(rule: explain_pb2.ExplainResponse.Rule) -> str:
    parts = (
        ("verbs", rule.verbs),
        ("apiGroups", rule.api_groups),
        ("resources", rule.resources),
        ("resourceNames", rule.resource_names),
        ("nonResourceURLs", rule.non_resource_urls),
    )
    return " ".join(f"{name}=[{', '.join(map(_shown, values))}]" for name, values in parts if values)


def _shown(text: str) -> str:
    return text or '""'


def _object(item: explain_pb2.ExplainResponse.Object) -> str:
    name = f"{item.namespace}/{item.name}" if item.namespace else item.name
    return f"{item.kind} {name} ({item.origin})" if item.origin else f"{item.kind} {name}"


def _keeping(response: explain_pb2.ExplainResponse) -> Lines:
    keeping = response.keeping
    if keeping.not_kept:
        yield 0, "Verdict Cache", f"not kept: {keeping.not_kept}"
    if not keeping.scope:
        return
    yield 0, "Verdict Cache", f"kept for {keeping.seconds:g} s"
    yield 1, "Holds For", keeping.words
    yield 1, "Written As", keeping.scope
    for ground in keeping.grounds:
        yield 1, "Void When Changed", f"{ground.words} ({ground.digest})"


def _route(response: explain_pb2.ExplainResponse) -> Lines:
    if not response.HasField("route"):
        return
    route = response.route
    asked_for = _KINDS.get(route.kind, route.kind)
    yield (
        0,
        "Route",
        asked_for if response.served or route.status == response.status else f"{asked_for}, were it allowed",
    )
    if route.node_group:
        yield 1, "Node Group", route.node_group
    if route.HasField("api_service"):
        registered = route.api_service
        yield 1, "APIService", _object(registered.object)
        yield 1, "Service", registered.service
        yield 1, "Available", f"{registered.available} ({registered.reason}): {registered.message}"
    yield 1, "Scope", route.scope
    yield 1, "Name", route.name
    if route.status:
        yield 1, "Reply", f"{route.status}: {route.message}"
        return
    yield 1, "Cluster", route.cluster
    yield 1, "Timeout", f"{route.timeout_seconds:g} s" if route.timeout_seconds else "none, since a watch has no end"
    if route.retries:
        yield 1, "Tried Again", f"{route.retries} times, on {route.retry_on}"
    if route.upgrade:
        yield 1, "Upgrade", f"{route.upgrade}, over HTTP/1.1"


def _destination(destination: explain_pb2.ExplainResponse.Destination) -> Lines:
    endpoints = ", ".join(destination.endpoints) or "<none>"
    yield 0, "Endpoints", f"{endpoints} (names that Envoy resolves)" if destination.dns else endpoints
    if destination.tls:
        yield 1, "TLS", f"as {destination.server_name}, {_TRUST.get(destination.trust, destination.trust)}"
        yield 1, "Shows", "the front-proxy certificate" if destination.client_certificate else "no certificate"
    else:
        yield 1, "TLS", "none"
    yield 1, "Connect Timeout", f"{destination.connect_timeout_seconds:g} s"
