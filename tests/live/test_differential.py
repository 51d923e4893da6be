"""Isthmus beside a real kube-apiserver: the same rights and the same requests have the same outcome on both."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from backend import Backend, Seen
from differential import impersonation
from differential.exchange import Answer, Door
from differential.outcome import UNREADABLE, isthmus_refusal, kube_refusal, read_by_isthmus, read_by_kube
from differential.requests import CERTIFIED, FOREIGN, Credentials, Request, requests, with_token
from differential.rights import NAMESPACES, ROOT, SENTINEL, as_the_controller_leaves_them, granted, rights, token_file
from kube import KubeApiServer
from pki import CertificateAuthority
from stack import Stack, until

SEED = 36
COUNT = 2600


def seeded() -> Random:
    """The randomness that every run has."""
    return Random(SEED)  # noqa: S311 - a test must be able to be run again


class Recorder(Backend):
    """A backend that answers a watch like everything else, at once."""

    async def _watch(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - the method overridden has it
        return web.json_response({})


@dataclass(frozen=True)
class Sides:
    """A kube-apiserver with its audit log, and an Isthmus with what reaches the backend behind it."""

    kube: Door
    isthmus: Door
    backend: Backend
    server: KubeApiServer

    def seen(self) -> dict[str, Seen]:
        """What reached the backend, by Audit-ID."""
        return {"".join(each.lines("Audit-ID")): each for each in self.backend.seen}

    def audit(self) -> dict[str, dict[str, Any]]:
        """Kube-apiserver's audit events, by Audit-ID."""
        return {event["auditID"]: event for event in self.server.audit()}


@dataclass(frozen=True)
class Run:
    """Requests, what each side answered to them, and what kube-apiserver's audit log and the backend have of them."""

    requests: list[Request]
    kube: list[Answer]
    isthmus: list[Answer]
    audit: list[dict[str, Any] | None]
    seen: list[Seen | None]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both, with the same rights, tokens and certificates; all that Isthmus allows gets 200 of the backend."""
    folder = tmp_path_factory.mktemp("core")
    servers, proxies = CertificateAuthority("servers"), CertificateAuthority("front-proxy")
    files = _written(folder, "core", servers.issue("core", ip_addresses=["127.0.0.1"], client=False))
    authorities = {name: folder / f"{name}.crt" for name in ("servers", "proxies")}
    authorities["servers"].write_bytes(servers.certificate)
    authorities["proxies"].write_bytes(proxies.certificate)
    objects = (*rights(seeded()), *impersonation.rights())
    with Recorder(*files, authorities["proxies"], name="core") as backend:
        core = {"server": f"https://127.0.0.1:{backend.port}", "caFile": str(authorities["servers"])}
        stack = Stack(core=core, authentication={"tokenFile": "tokens.csv"}, proxies=proxies)
        (stack.root / "tokens.csv").write_text(token_file())
        stack.drop("rights.yaml", *objects)
        certificates = _certificates(folder, stack.clients)
        with KubeApiServer(clients=stack.clients, tokens=token_file()) as kube, stack:
            kube.apply(*map(_namespace, NAMESPACES), *as_the_controller_leaves_them(objects))
            isthmus = Door(stack.port, _contexts(stack.servers.certificate, certificates))
            direct = Door(int(kube.url.rpartition(":")[2]), _contexts(kube.serving.certificate, certificates))
            for door in (direct, isthmus):
                until(lambda door=door: _is_in_force(door), "the rights are in force")
                door.close()
            yield Sides(direct, isthmus, backend, kube)


@pytest.fixture(scope="module")
def run(sides: Sides) -> Run:
    """The random requests, sent to both."""
    return _run(sides, list(requests(seeded(), granted(rights(seeded())), COUNT)), "random")


def test_the_same_requests_are_refused_with_the_same_words(run: Run) -> None:
    """2,600 random requests: code, reason, message and details of every refusal are kube-apiserver's, and no more."""
    differing = []
    for request, theirs, ours, seen in zip(run.requests, run.kube, run.isthmus, run.seen, strict=True):
        expected, found = kube_refusal(request, theirs), isthmus_refusal(request, ours, arrived=seen is not None)
        if expected != found:
            differing.append(f"{request}\n  kube-apiserver: {expected}\n  Isthmus:        {found}")

    assert differing == [], "\n".join(differing)
    refusals = [kube_refusal(*each) for each in zip(run.requests, run.kube, strict=True)]
    outcomes = Counter(refused and refused[0] for refused in refusals)
    # Everything was said to somebody.
    assert min(outcomes[None], outcomes[403]) > COUNT / 5
    assert min(outcomes[401], outcomes[500]) > COUNT / 200


def test_a_request_is_read_as_kube_apiserver_reads_it(run: Run) -> None:
    """Verb, group, version, namespace, resource, name and subresource of every random request are the audit log's."""
    differing = []
    for request, event in zip(run.requests, run.audit, strict=True):
        expected, found = read_by_kube(event), read_by_isthmus(request)
        if expected != found:
            differing.append(f"{request.method} {request.target}\n  kube-apiserver: {expected}\n  Isthmus: {found}")

    assert differing == [], "\n".join(differing)


def test_who_asks_is_who_kube_apiserver_says_is_asking(run: Run) -> None:
    """Name, UID and groups that reach the backend are those of kube-apiserver's audit log for the same credentials."""
    allowed = [(seen, event) for seen, event in zip(run.seen, run.audit, strict=True) if seen and event]

    assert len(allowed) > COUNT / 5
    for seen, event in allowed:
        user = event["user"]
        found = {
            "username": seen.lines("X-Remote-User")[0].encode("utf-8", "surrogateescape").decode(),
            "uid": "".join(seen.lines("X-Remote-Uid")),
            "groups": seen.lines("X-Remote-Group"),
        }
        assert {"username": user["username"], "uid": user.get("uid", ""), "groups": user["groups"]} == found


def test_what_is_allowed_arrives_as_it_was_sent(run: Run) -> None:
    """The backend sees the method and the target of every allowed request, but for escapes that mean nothing."""
    for request, seen in zip(run.requests, run.seen, strict=True):
        if seen is not None:
            assert (request.method, _decoded(request.target)) == (seen.method, _decoded(seen.path))


def test_whoever_acts_as_another_is_answered_alike(sides: Sides) -> None:
    """1,000 random impersonations: the same are refused, and the rest arrive as the same user.

    Which of several lacking permissions kube-apiserver names depends on what the same user did before.
    """
    asked = list(impersonation.requests(seeded(), 1000))

    done = _run(sides, asked, "impersonation")

    differing = []
    for request, theirs, ours, seen, event in zip(asked, done.kube, done.isthmus, done.seen, done.audit, strict=True):
        expected: object = impersonation.refusal(theirs) or kube_refusal(request, theirs)
        found: object = impersonation.refusal(ours) or isthmus_refusal(request, ours, arrived=seen is not None)
        if expected is found is None and seen is not None and event is not None:
            user = event.get("impersonatedUser", event["user"])
            # Whoever reads identity headers passes over a group without a name.
            expected, found = {**user, "groups": [group for group in user["groups"] if group]}, _user(seen)
        if expected != found:
            differing.append(f"{request}\n  kube-apiserver: {expected}\n  Isthmus:        {found}")
    assert differing == [], f"{len(differing)} differ:\n" + "\n".join(differing[:20])
    codes = Counter(answer.code for answer in done.isthmus)
    assert min(codes[200], codes[400], codes[403]) > 20


# Each with the code that kube-apiserver answers system:masters.
AMBIGUOUS = {
    "/api/v1/namespaces/default%2Fpods": 200,
    "/api/v1/namespaces/default/pods/a%5Cb": 404,
    "/api/v1/pods/a%00b": 404,
    "/api/v1/pods/%ff": 404,
    "/api/v1/pods/%zz": 400,
    "/api/v1/pods#a": 404,
    "/apis/apps/v%20/deployments": 404,
}
# Envoy writes these as they are meant before anything reads them; kube-apiserver does not.
NORMALISED = {
    "/%61pi/v1/pods": "/api/v1/pods",
    "/apis/apps/v%31/deployments": "/apis/apps/v1/deployments",
    "/api/v1/namespaces/default/../../nodes": "/api/v1/nodes",
    "/api/v1/./pods": "/api/v1/pods",
    "/api/v1/%2e%2e/v1/pods": "/api/v1/pods",
    "//api/v1/pods": "/api/v1/pods",
    "/api/v1//pods": "/api/v1/pods",
}


def test_paths_with_more_than_one_reading_are_refused_to_everybody(sides: Sides) -> None:
    """Deliberately different: what a proxy and a server might read differently is 400, even for system:masters."""
    done = _run(sides, [Request("GET", target, with_token(ROOT)) for target in AMBIGUOUS], "ambiguous")

    answers = zip(done.requests, done.kube, done.isthmus, strict=True)
    codes = {request.target: (theirs.code, ours.code) for request, theirs, ours in answers}
    assert {target: (code, 400) for target, code in AMBIGUOUS.items()} == codes
    assert {None} == set(done.seen)


def test_paths_are_normalised_before_they_are_judged(sides: Sides) -> None:
    """Deliberately different: dot segments, double slashes and needless escapes are gone before authorization."""
    done = _run(sides, [Request("GET", target, with_token(ROOT)) for target in NORMALISED], "normalised")

    arrived = {request.target: seen and seen.path for request, seen in zip(done.requests, done.seen, strict=True)}
    assert NORMALISED == arrived


def test_two_authorization_lines_are_nobody(sides: Sides) -> None:
    """Deliberately different: kube-apiserver reads the first of two lines, Isthmus believes neither."""
    tokens = [line for person in (ROOT, SENTINEL) for line in with_token(person).authorization]
    both = [Request("GET", "/api/v1/pods", Credentials(authorization=tuple(tokens)))]

    done = _run(sides, both, "two-lines")

    assert [(200, 401)] == [(theirs.code, ours.code) for theirs, ours in zip(done.kube, done.isthmus, strict=True)]


def test_methods_that_http_does_not_know_are_refused(sides: Sides) -> None:
    """Deliberately different: Envoy refuses what is no method; kube-apiserver asks for a right to the verb ""."""
    done = _run(sides, [Request(method, "/api/v1/pods", with_token(SENTINEL)) for method in ("LIST", "get")], "methods")

    assert [(403, 400)] * 2 == [(theirs.code, ours.code) for theirs, ours in zip(done.kube, done.isthmus, strict=True)]


def _run(sides: Sides, asked: list[Request], prefix: str) -> Run:
    kube, isthmus = sides.kube.answers(asked, prefix), sides.isthmus.answers(asked, prefix)
    identifiers = [f"{prefix}-{number}" for number in range(len(asked))]
    # An event is written after the answer was sent. Of what it cannot read, kube-apiserver writes none.
    expected = sum(UNREADABLE not in answer.text and answer.code != 400 for answer in kube)
    until(lambda: len(sides.audit().keys() & set(identifiers)) >= expected, "the audit log has all requests")
    audit, seen = sides.audit(), sides.seen()
    return Run(
        asked, kube, isthmus, [audit.get(each) for each in identifiers], [seen.get(each) for each in identifiers]
    )


def _user(seen: Seen) -> dict[str, object]:
    user: dict[str, object] = {"username": "".join(seen.lines("X-Remote-User")), "groups": seen.lines("X-Remote-Group")}
    if uid := "".join(seen.lines("X-Remote-Uid")):
        user["uid"] = uid
    return user


def _decoded(target: str) -> tuple[str, str]:
    path, _, query = target.partition("?")
    return unquote(path), query


def _is_in_force(door: Door) -> bool:
    paths = ("/apis/example.com/v1/of-clusterrole/x", "/apis/example.com/v1/namespaces/default/of-role/x")
    asked = [Request("GET", path, with_token(SENTINEL)) for path in paths]
    return {door.answer(each, "sentinel").code for each in asked} in ({200}, {404})


def _certificates(folder: Path, believed: CertificateAuthority) -> dict[str, tuple[Path, Path]]:
    authorities = dict.fromkeys(CERTIFIED, believed) | {FOREIGN: CertificateAuthority("clients")}
    return {
        person.name: _written(
            folder, f"client-{number}", authority.issue(person.name, organizations=person.groups, server=False)
        )
        for number, (person, authority) in enumerate(authorities.items())
    }


def _contexts(ca: bytes, certificates: dict[str, tuple[Path, Path]]) -> Callable[[str], ssl.SSLContext]:
    def context_for(name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=ca.decode())
        if name:
            context.load_cert_chain(*certificates[name])
        return context

    return context_for


def _written(folder: Path, name: str, pair: tuple[bytes, bytes]) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(pair[0])
    key.write_bytes(pair[1])
    return certificate, key


def _namespace(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
