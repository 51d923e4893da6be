"""Random requests by people who act as others, with rights for it of every kind.

In: a random.Random. Out: RBAC manifests, and requests with Impersonate-* headers. Law: the same seed makes the same
requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from differential.exchange import Answer
from differential.requests import Request, with_token
from differential.rights import NAMESPACES, PEOPLE, RBAC, Manifest

AUTHENTICATION = "authentication.k8s.io"
ALICE, BOB, CAROL, DAVE, ERIN, ZOE, NOBODY, *_ROBOTS = PEOPLE
_USERS = ("alice", "carol", "nobody", "system:anonymous", "system:node:n1", "system:node:N_1", "eve", "")
_ACCOUNTS = tuple(f"system:serviceaccount:{space}:robot" for space in NAMESPACES)
_GROUPS = ("developers", "viewers", "system:masters", "system:authenticated", "system:unauthenticated", "a,b", "")
_KEYS = ("scopes", "example.com%2fscopes", "Example.com%2FK", "%zz", "")
_TARGETS = (
    "/api/v1/pods",
    "/api/v1/namespaces/team-a/pods",
    "/api/v1/namespaces/team-a/pods/one",
    "/version",
    "/metrics",
)


def rights() -> tuple[Manifest, ...]:
    """Who may act as whom: by the plain verb, by constrained ones, by halves of those, for some names only."""
    rules: dict[str, list[dict[str, Any]]] = {
        ALICE.name: [
            _plain("users", "groups", "serviceaccounts"),
            _plain("uids", "userextras/*", group=AUTHENTICATION),
        ],
        BOB.name: [_plain("users", names=("carol", "nobody")), _plain("groups", names=("viewers", "developers"))],
        CAROL.name: [_mode("user-info", "users", "groups", "uids", "userextras/*"), _on("user-info", "list", "get")],
        DAVE.name: [
            _mode("serviceaccount", "serviceaccounts"),
            _on("serviceaccount", "list"),
            _plain("serviceaccounts"),
        ],
        ERIN.name: [_mode("arbitrary-node", "nodes"), _on("arbitrary-node", "list"), _mode("user-info", "users")],
        ZOE.name: [_on("user-info", "list"), _plain("users", names=("eve",))],
    }
    made: list[Manifest] = []
    for number, (name, listed) in enumerate(rules.items()):
        role = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": f"impersonation-{number}"}}
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"impersonation-{number}"}
        subject = {"apiGroup": RBAC, "kind": "User", "name": name}
        made.append({**role, "kind": "ClusterRole", "rules": listed})
        made.append({**role, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]})
    return tuple(made)


def requests(random: Random, count: int) -> Iterator[Request]:
    """`count` requests of people who act as somebody, or forget to say as whom."""
    for _ in range(count):
        person = random.choice(PEOPLE)
        method = random.choice(("GET", "GET", "GET", "DELETE"))
        yield Request(method, random.choice(_TARGETS), with_token(person), tuple(_headers(random)))


def refusal(answer: Answer) -> str | None:
    """What an answer says of an impersonation that was refused, but for the permission that it names."""
    message = answer.status_object.get("message", answer.text)
    if answer.code == 400:
        return str(message)
    return "may not act as that" if answer.code == 403 and " cannot impersonate" in message else None


def _headers(random: Random) -> Iterator[tuple[str, str]]:
    if random.random() < 0.9:
        yield "Impersonate-User", random.choice((*_USERS, *_ACCOUNTS))
    if random.random() < 0.3:
        for _ in range(random.randint(1, 5)):
            yield "Impersonate-Group", random.choice(_GROUPS)
    if random.random() < 0.15:
        yield "Impersonate-Uid", random.choice(("7", ""))
    if random.random() < 0.25:
        # Kube-apiserver looks at keys in no order, so which is refused first is chance when there are several.
        key = random.choice(_KEYS)
        for value in random.sample(("x", "y", "z", "", "w"), random.randint(1, 4)):
            yield f"Impersonate-Extra-{key}", value


def _plain(*resources: str, group: str = "", names: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": ["impersonate"], "resourceNames": list(names)}


def _mode(mode: str, *resources: str) -> dict[str, Any]:
    return {"apiGroups": [AUTHENTICATION], "resources": list(resources), "verbs": [f"impersonate:{mode}"]}


def _on(mode: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["pods"], "verbs": [f"impersonate-on:{mode}:{verb}" for verb in verbs]}
