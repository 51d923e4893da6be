"""The resource rules against a real kube-apiserver: the same writes to both, the same answers from both.

What cannot be the same is left out: uids, times, resourceVersions, generations that upstream does not keep, and what
upstream's allocators fill in.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from dataclasses import replace
from typing import Any

import pytest
import urllib3
from kube import KubeApiServer
from resource_cases import BASES, CASES, Case, Step, spoiled
from resource_lives import LIVES

from controlplane.resources import operations
from controlplane.resources.finish import Written
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.operations import Call, Target
from controlplane.resources.patch import Patch, PatchType
from controlplane.resources.reading import Strictness
from controlplane.resources.status import Status

NOW = "2030-01-01T00:00:00Z"
# Places in the source of upstream, and excerpts of what was sent.
OMITTED = re.compile(
    r" in scheme \"[^\"]*\"|; json parse error: .*|object meta: .*|"
    r"StorageError:.*AdditionalErrorMsg: |error decoding from json: "
)
ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort")
# Upstream repeats the whole object, or what a Secret holds.
WHOLE = re.compile(r'Invalid value: "\{.*\}": ')
SECRETS = re.compile(r"(Kind=Secret\).*), got .*")
MEDIA_TYPES = {
    "apply": "application/apply-patch+yaml",
    "merge": PatchType.MERGE.value,
    "json": PatchType.JSON.value,
    "strategic": PatchType.STRATEGIC.value,
}


class Upstream:
    """kube-apiserver, asked over HTTP."""

    def __init__(self, kube: KubeApiServer) -> None:
        files = {"cert_file": str(kube.root / "admin.crt"), "key_file": str(kube.root / "admin.key")}
        self._pool = urllib3.PoolManager(ca_certs=str(kube.ca_file), retries=False, **files)
        self._url = kube.url

    def write(self, target: Target, step: Step, body: object) -> dict[str, Any]:
        """The answer to one write."""
        query = f"fieldManager={step.manager}&fieldValidation={step.strictness}&force={str(step.force).lower()}"
        path = collection(target)
        query = query.replace("fieldManager=&", "")
        if step.verb == "create":
            return self._ask("POST", f"{path}?{query.rpartition('&')[0]}", body, "application/json")
        path = f"{path}/{target.name}" + (f"/{target.subresource}" if target.subresource else "")
        if step.verb == "update":
            return self._ask("PUT", f"{path}?{query.rpartition('&')[0]}", body, "application/json")
        query = query if step.verb == "apply" else query.rpartition("&")[0]
        return self._ask("PATCH", f"{path}?{query}", body, MEDIA_TYPES[step.verb])

    def settled(self, target: Target, obj: dict[str, Any]) -> dict[str, Any]:
        """The object once upstream's controllers have done with it: they say whether an APIService is available."""
        path = f"{collection(target)}/{obj['metadata']['name']}"
        while "service" in obj.get("spec", {}) and not obj["status"]:
            obj = self._ask("GET", path, None, "application/json")
        return obj

    def remove(self, target: Target) -> None:
        """Removes the object, whatever finalizers it has."""
        path = f"{collection(target)}/{target.name}"
        self._ask("PATCH", path, {"metadata": {"finalizers": None}}, MEDIA_TYPES["merge"])
        self._ask("DELETE", path, {}, "application/json")

    def _ask(self, method: str, path: str, body: object, media_type: str) -> dict[str, Any]:
        headers = {"Content-Type": media_type, "Accept": "application/json"}
        answer: dict[str, Any] = json.loads(
            self._pool.request(method, self._url + path, body=json.dumps(body), headers=headers).data
        )
        return answer


def collection(target: Target) -> str:
    """The path of a kind's objects."""
    prefix = f"/apis/{target.kind.api_version}" if target.kind.group else "/api/v1"
    return (
        f"{prefix}/namespaces/{target.namespace}/{target.kind.plural}"
        if target.namespace
        else f"{prefix}/{target.kind.plural}"
    )


class Ours:
    """The rules under test, with a store of one object."""

    def __init__(self) -> None:
        self.live: dict[str, Any] | None = None
        self._versions = itertools.count(1_000_000)

    def write(self, target: Target, step: Step, body: object) -> Written | Status:
        """The result of one write, stored."""
        call = Call(NOW, "uid", "abcde", step.manager, Strictness(step.strictness))
        body = json.loads(json.dumps(body))
        match step.verb:
            case "create":
                result = operations.create(target, body, call)
            case "update":
                result = operations.update(target, self.live, body, call)
            case "apply":
                result = operations.apply(target, self.live, body, call, force=step.force)
            case verb:
                result = operations.patch(target, self.live, Patch(PatchType(MEDIA_TYPES[verb]), body), call)
        if isinstance(result, Written) and result.changed:
            self.live = copy.deepcopy(result.object)
            self.live["metadata"]["resourceVersion"] = str(next(self._versions))
        return result


def comparable(obj: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """The object without what two servers cannot agree on."""
    obj = json.loads(json.dumps(obj))
    meta = obj["metadata"]
    for name in (
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "selfLink",
        *(() if kind.kind == "EndpointSlice" else ("generation",)),
    ):
        meta.pop(name, None)
    entries = [entry for entry in meta.get("managedFields", ()) if entry["manager"] != "kube-apiserver"]
    for entry in entries:
        entry.pop("time", None)
    meta["managedFields"] = sorted(entries, key=json.dumps)
    conditions = obj.get("status", {}).get("conditions", [])
    # Upstream's controller says again and again whether an API is available.
    conditions[:] = [condition for condition in conditions if condition["type"] != "Available"]
    for condition in conditions:
        condition.pop("lastTransitionTime", None)
    if kind.kind == "APIService" and "service" in obj["spec"]:
        # Whether it is available is upstream's controller's to say.
        del obj["status"]
    if kind.kind == "Service":
        for name in ALLOCATED:
            obj["spec"].pop(name, None)
        for port in obj["spec"].get("ports", ()):
            port.pop("nodePort", None)
    return obj


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """A Status without the order of its causes, which Go's maps decide, and without what only upstream tells."""
    details = body.get("details", {})
    names = ("field", "reason", "message")
    # Upstream tells some causes twice.
    causes = sorted(
        {tuple(bare(cause.get(name, "")) for name in names) for cause in details.get("causes", ()) if "field" in cause}
    )
    return {
        "code": body.get("code"),
        "reason": body.get("reason", ""),
        "message": bare(body["message"]) if len(causes) <= 1 else "",
        "about": (details.get("group"), details.get("kind"), details.get("name")),
        "causes": causes,
    }


def bare(message: str) -> str:
    """The message without places in upstream's source, and without repetitions of what was sent."""
    return OMITTED.sub("", SECRETS.sub(r"\1", WHOLE.sub('Invalid value: "<patched object>": ', message)))


def target_of(case: Case) -> Target:
    """Where a case's object is."""
    kind = KINDS[case.kind]
    return Target(kind, "default" if kind.namespaced else "", BASES[case.kind]["metadata"]["name"])


def both(upstream: Upstream, case: Case) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What upstream and the rules answer to the steps of a case, made comparable."""
    target, ours = target_of(case), Ours()
    theirs_live: dict[str, Any] | None = None
    theirs: list[dict[str, Any]] = []
    mine: list[dict[str, Any]] = []
    made: set[str] = set()
    try:
        for step in case.steps:
            at = Target(target.kind, target.namespace, target.name, step.subresource)
            body_theirs = _sent(step, theirs_live)
            got = upstream.write(at, step, body_theirs)
            result = ours.write(at, step, _sent(step, ours.live))
            if got.get("kind") == "Status":
                theirs.append(answer(got))
            else:
                theirs_live = upstream.settled(at, got)
                made.add(got["metadata"]["name"])
                theirs.append(comparable(got, target.kind))
            mine.append(
                answer(result.as_json()) if isinstance(result, Status) else comparable(result.object, target.kind)
            )
            if theirs[-1].keys() != mine[-1].keys():
                break
        return theirs, mine
    finally:
        for name in made:
            upstream.remove(replace(target, name=name))


def _sent(step: Step, live: dict[str, Any] | None) -> object:
    if not step.live:
        return step.body
    assert live is not None
    body: dict[str, Any] = live
    for path, value in step.body.items():
        body = spoiled(body, path, value)
    return body


@pytest.fixture(scope="module")
def upstream(kube: KubeApiServer) -> Upstream:
    """The real server."""
    return Upstream(kube)


@pytest.mark.parametrize("case", [*CASES, *LIVES], ids=lambda case: case.id)
def test_both_servers_answer_alike(upstream: Upstream, case: Case) -> None:
    """Verdict, reason, message, object and managed fields are kube-apiserver's."""
    theirs, mine = both(upstream, case)

    assert theirs == mine
