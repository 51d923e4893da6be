"""Random rights for people who never change: who there is, and what roles and bindings make of them.

In: a random.Random. Out: RBAC manifests, and every pair of a person and a rule that they grant. Law: the same seed
makes the same rights, and nothing in them is refused by kube-apiserver's validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
Rule: TypeAlias = Mapping[str, Sequence[str]]

RBAC = "rbac.authorization.k8s.io"
GROUPS = {"": ("v1",), "apps": ("v1",), "batch": ("v1",), "example.com": ("v1", "v1beta1"), "a.example.org": ("v2",)}
RESOURCES = ("pods", "configmaps", "secrets", "deployments", "jobs", "widgets", "namespaces", "nodes")
SUBRESOURCES = ("status", "scale", "log", "exec", "finalize", "proxy")
NAMES = ("one", "two", "three.four", "status", "watch", "namespaces", "a:b", "sp ace", "é", "<b>&", '"quoted"', "50%")
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy")
NAMESPACES = ("default", "team-a", "team-b")
URLS = (
    "/healthz",
    "/healthz/*",
    "/metrics",
    "/logs/*",
    "/lo*",
    "/lo*gs",
    "/custom**",
    "/custom/é",
    "/readyz",
    "/a/b/*",
)


@dataclass(frozen=True, slots=True)
class Person:
    """A user as a line of a token file, or a client certificate, would have it."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """The person's static bearer token."""
        return f"token-of-{self.name.encode().hex()}"

    def is_subject(self, subject: Mapping[str, str]) -> bool:
        """Whether a subject of a binding is this person."""
        if subject["kind"] == "ServiceAccount":
            return self.name == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
        if subject["kind"] == "User":
            return self.name == subject["name"]
        return subject["name"] in (*self.groups, "system:authenticated")


def _robot(namespace: str) -> Person:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return Person(f"system:serviceaccount:{namespace}:robot", groups)


# Bound last, in every kind: where this one may do both things, the rest is in force.
SENTINEL = Person("sentinel")
ROOT = Person("root", ("system:masters",))
PEOPLE = (
    Person("alice", ("developers",)),
    Person("bob@example.com", ("developers", "viewers")),
    Person("carol"),
    Person("dave", ("operators", "viewers")),
    Person("erin with <spaces> & signs", ("odd, group", "viewers")),
    Person("zoë", ("équipe",)),
    Person("nobody"),
    _robot("team-a"),
    _robot("team-b"),
)
_BOUND_GROUPS = (
    "developers",
    "viewers",
    "operators",
    "odd, group",
    "équipe",
    "system:serviceaccounts",
    "system:serviceaccounts:team-a",
)


def token_file() -> str:
    """Everybody as kube-apiserver's --token-auth-file has it."""
    lines = []
    for number, person in enumerate((*PEOPLE, ROOT, SENTINEL)):
        # A comma ends a group here, so whoever has one in a group has it only by certificate.
        groups = ",".join(group for group in person.groups if "," not in group)
        # Kube-apiserver makes an empty list of groups one group without a name.
        last = f',"{groups}"' if groups else ""
        lines.append(f'{person.token},"{person.name}",{number}{last}\n')
    return "".join(lines)


def rights(random: Random, *, roles: int = 24, bindings: int = 36) -> tuple[Manifest, ...]:
    """ClusterRoles (a few of them aggregated), Roles and the bindings of both; some name roles that do not exist."""
    objects = [_cluster_role(random, number) for number in range(roles)]
    objects += [_aggregated(name, labels) for name, labels in _AGGREGATED.items()]
    objects += [
        _object("Role", f"role-{number}", space, rules=[_resource_rule(random) for _ in range(random.randint(1, 3))])
        for space in NAMESPACES
        for number in range(roles // 4)
    ]
    cluster_roles = [each["metadata"]["name"] for each in objects if each["kind"] == "ClusterRole"]
    for number in range(bindings):
        role = {"kind": "ClusterRole", "name": _or_missing(random, random.choice(cluster_roles))}
        space = ""
        if number % 2:
            space = random.choice(NAMESPACES)
            if random.random() < 0.5:
                role = {"kind": "Role", "name": _or_missing(random, f"role-{random.randrange(roles // 4)}")}
        objects.append(_binding(f"binding-{number}", space, role, _subjects(random)))
    return (*objects, *_for_the_sentinel())


def as_the_controller_leaves_them(objects: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """The same objects once kube-controller-manager has written the rules of aggregated ClusterRoles into them."""
    return tuple(
        {**each, "rules": list(_rules(each, objects))} if "aggregationRule" in each else each for each in objects
    )


def granted(objects: Sequence[Manifest]) -> tuple[tuple[Person, str, Rule], ...]:
    """Every person with every rule that is granted, and the namespace it is granted in ("" is all)."""
    return tuple(
        (person, binding["metadata"].get("namespace", ""), rule)
        for binding in objects
        if binding["kind"].endswith("Binding")
        for role in objects
        if _is_role_of(role, binding)
        for rule in _rules(role, objects)
        for person in PEOPLE
        if any(person.is_subject(subject) for subject in binding["subjects"])
    )


# Label "to" of the ClusterRoles that each one selects. The last one selects another aggregated one.
_AGGREGATED = {
    "aggregate-a": ["a"],
    "aggregate-ab": ["a", "b"],
    "aggregate-all": ["aggregates", "c"],
    "aggregate-none": [],
}
_SELECTED_BY_ANOTHER = "aggregate-ab"


def _aggregated(name: str, labels: list[str]) -> Manifest:
    selectors = [{"matchLabels": {"to": label}} for label in labels] or [{"matchLabels": {"to": "nobody"}}]
    made = _object("ClusterRole", name, rules=[], aggregationRule={"clusterRoleSelectors": selectors})
    if name == _SELECTED_BY_ANOTHER:
        made["metadata"]["labels"] = {"to": "aggregates"}
    return made


def _rules(role: Manifest, objects: Sequence[Manifest]) -> Iterator[Rule]:
    if "aggregationRule" not in role:
        yield from role["rules"]
        return
    wanted = [selector["matchLabels"] for selector in role["aggregationRule"]["clusterRoleSelectors"]]
    for other in objects:
        if other["kind"] == "ClusterRole" and other is not role and other["metadata"].get("labels") in wanted:
            yield from _rules(other, objects)


def _is_role_of(role: Manifest, binding: Manifest) -> bool:
    wanted = binding["roleRef"]
    namespace = binding["metadata"].get("namespace", "") if wanted["kind"] == "Role" else ""
    return (role["kind"], role["metadata"]["name"], role["metadata"].get("namespace", "")) == (
        wanted["kind"],
        wanted["name"],
        namespace,
    )


def _or_missing(random: Random, name: str) -> str:
    return f"missing-{name}" if random.random() < 0.15 else name


def _cluster_role(random: Random, number: int) -> Manifest:
    rules = [
        _url_rule(random) if random.random() < 0.3 else _resource_rule(random) for _ in range(random.randint(1, 4))
    ]
    made = _object("ClusterRole", f"cluster-role-{number}", rules=rules)
    if number % 3 == 0:
        made["metadata"]["labels"] = {"to": random.choice("abc")}
    return made


def _resource_rule(random: Random) -> dict[str, list[str]]:
    rule = {
        "verbs": ["*"] if random.random() < 0.1 else random.sample(VERBS, random.randint(1, 4)),
        "apiGroups": ["*"] if random.random() < 0.1 else random.sample(tuple(GROUPS), random.randint(1, 2)),
        "resources": [_resource(random) for _ in range(random.randint(1, 3))],
    }
    if random.random() < 0.3:
        # A star is no wildcard among names.
        rule["resourceNames"] = random.sample((*NAMES, "*"), random.randint(1, 3))
    return rule


def _resource(random: Random) -> str:
    resource, subresource = random.choice(RESOURCES), random.choice(SUBRESOURCES)
    choices = [resource] * 6 + [f"{resource}/{subresource}"] * 4 + [f"*/{subresource}"] * 2
    return random.choice([*choices, "*", "*/*", f"{resource}/*"])


def _url_rule(random: Random) -> dict[str, list[str]]:
    urls = ["*"] if random.random() < 0.05 else random.sample(URLS, random.randint(1, 3))
    return {"verbs": random.choice([["get"], ["get", "head"], ["post", "options"], ["*"]]), "nonResourceURLs": urls}


def _subjects(random: Random) -> list[dict[str, str]]:
    subjects = []
    for _ in range(random.randint(1, 2)):
        person = random.choice([each for each in PEOPLE if each.name != "nobody"])
        if random.random() < 0.4:
            subjects.append({"apiGroup": RBAC, "kind": "Group", "name": random.choice(_BOUND_GROUPS)})
        elif person.name.startswith("system:serviceaccount:") and random.random() < 0.7:
            _, _, space, name = person.name.split(":")
            subjects.append({"kind": "ServiceAccount", "namespace": space, "name": name})
        else:
            subjects.append({"apiGroup": RBAC, "kind": "User", "name": person.name})
    return subjects


def _for_the_sentinel() -> Iterator[Manifest]:
    subject = {"apiGroup": RBAC, "kind": "User", "name": SENTINEL.name}
    for kind, space in (("ClusterRole", ""), ("Role", "default")):
        rule = {"verbs": ["get"], "apiGroups": ["example.com"], "resources": [f"of-{kind.lower()}"]}
        yield _object(kind, "sentinel", space, rules=[rule])
        yield _binding("sentinel", space, {"kind": kind, "name": "sentinel"}, [subject])


def _binding(name: str, space: str, role: dict[str, str], subjects: list[dict[str, str]]) -> Manifest:
    kind = "RoleBinding" if space else "ClusterRoleBinding"
    return _object(kind, name, space, roleRef={"apiGroup": RBAC, **role}, subjects=subjects)


def _object(kind: str, name: str, space: str = "", **fields: object) -> Manifest:
    metadata = {"name": name, **({"namespace": space} if space else {})}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, **fields}
