"""Random requests, aimed at what somebody may do and then bent.

In: a random.Random and the grants of some rights. Out: method, target and credentials of each request. Law: the same
seed makes the same requests, and each has one reading: paths that Isthmus refuses on purpose are not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from urllib.parse import quote

from differential.rights import (
    GROUPS,
    NAMES,
    NAMESPACES,
    PEOPLE,
    RESOURCES,
    ROOT,
    SUBRESOURCES,
    URLS,
    VERBS,
    Person,
    Rule,
)
from differential.targets import PATHS, QUERIES

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Of another authority than the one that is believed.
FOREIGN = Person("root-of-another-ca", ("system:masters",))
CERTIFIED = (*PEOPLE, ROOT, FOREIGN)

_METHOD_OF = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}
_UNNAMED = {"list", "watch", "create", "deletecollection"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows: the certificate of somebody in CERTIFIED, by name, and Authorization header lines."""

    certificate: str = ""
    authorization: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One request; its repr is all that is needed to send it again."""

    method: str
    target: str
    credentials: Credentials
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Pieces:
    method: str
    group: str
    version: str
    prefix: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    query: str = ""

    def target(self, random: Random) -> str:
        start = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        segments = [self.prefix, *(("namespaces", self.namespace) if self.namespace else ()), self.resource]
        segments += [self.name, self.subresource] if self.name else []
        path = "/".join([start, *(_escaped(random, segment) for segment in segments if segment)])
        return path + self.rest + self.query


def with_token(person: Person) -> Credentials:
    """The credentials of somebody who shows a token."""
    return Credentials(authorization=(f"Bearer {person.token}",))


def requests(random: Random, grants: Sequence[tuple[Person, str, Rule]], count: int) -> Iterator[Request]:
    """`count` requests: aimed at a grant, at a path that is no resource, or with credentials of all kinds."""
    for number in range(count):
        person, namespace, rule = random.choice(grants)
        if random.random() < 0.15:
            person = random.choice(PEOPLE)
        if "nonResourceURLs" in rule or random.random() < 0.1:
            method, target = _of_url(random, rule)
        else:
            pieces = _aimed(random, namespace, rule)
            for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
                pieces = _bent(random, pieces)
            method, target = pieces.method, pieces.target(random)
        yield Request(method, target, _shown(random, person) if number % 8 else _odd(random, person))


def _aimed(random: Random, namespace: str, rule: Rule) -> _Pieces:
    group = _one(random, rule["apiGroups"], tuple(GROUPS))
    verb = _one(random, rule["verbs"], VERBS)
    resource, _, subresource = random.choice(rule["resources"]).partition("/")
    resource = random.choice(RESOURCES) if resource == "*" else resource
    subresource = random.choice(SUBRESOURCES) if subresource == "*" else subresource
    pieces = _Pieces(
        method=_METHOD_OF.get(verb, random.choice(("GET", "GET", "GET", "HEAD"))),
        group=group,
        version=random.choice(GROUPS[group]),
        namespace=namespace or random.choice(("", "", *NAMESPACES)),
        resource=resource,
        subresource=subresource,
    )
    if subresource or verb not in _UNNAMED or random.random() < 0.1:
        pieces = replace(pieces, name=random.choice(rule.get("resourceNames", NAMES[:4])))
    elif "resourceNames" in rule and verb in {"list", "watch"}:
        pieces = replace(pieces, query=f"?fieldSelector=metadata.name%3D{quote(rule['resourceNames'][0])}")
    if verb == "proxy":
        return replace(pieces, prefix="proxy", method=random.choice(METHODS), subresource="")
    if verb == "watch" and random.random() < 0.5:
        return replace(pieces, prefix="watch")
    if verb == "watch":
        joined = "&" if pieces.query else "?"
        return replace(pieces, query=f"{pieces.query}{joined}watch={random.choice(('1', 'true', 'yes'))}")
    return pieces


def _bent(random: Random, pieces: _Pieces) -> _Pieces:
    """The same with one thing different."""
    group = random.choice(tuple(GROUPS))
    return random.choice(
        (
            replace(pieces, method=random.choice(METHODS)),
            replace(pieces, group=group, version=random.choice(GROUPS[group])),
            replace(pieces, namespace=random.choice(("", *NAMESPACES, "absent", "status", "proxy"))),
            replace(pieces, resource=random.choice((*RESOURCES, "namespaces", "watch", "unknowns"))),
            replace(pieces, name=random.choice(("", *NAMES))),
            replace(pieces, name=pieces.name or "one", subresource=random.choice(("", *SUBRESOURCES, "watch"))),
            replace(pieces, prefix=random.choice(("", "watch", "proxy", "namespaces"))),
            replace(pieces, rest=random.choice(("/", "/x", "/x/y/z", "/status/", "/proxy/a%20b"))),
            replace(pieces, query=random.choice(QUERIES)),
            replace(pieces, query=random.choice(QUERIES), name="", subresource="", rest=""),
        )
    )


def _of_url(random: Random, rule: Rule) -> tuple[str, str]:
    url = random.choice((*rule.get("nonResourceURLs", URLS), *PATHS[:5]))
    path = "/" + quote(url.replace("*", random.choice(("", "x", "x/y"))).lstrip("/"))
    if random.random() < 0.4:
        path = random.choice(PATHS)
    method = random.choice(("GET", "GET", "GET", *METHODS))
    return method, path.replace("//", "/") + random.choice(("", "", "", *QUERIES))


def _one(random: Random, values: Sequence[str], instead_of_star: Sequence[str]) -> str:
    value = random.choice(values)
    return random.choice(instead_of_star) if value == "*" else value


def _escaped(random: Random, segment: str) -> str:
    """The segment percent-encoded where it must be, and seldom where it need not."""
    escaped = quote(segment, safe=":")
    if random.random() < 0.03:
        at = random.randrange(len(segment))
        escaped = (
            quote(segment[:at]) + "".join(f"%{byte:02x}" for byte in segment[at].encode()) + quote(segment[at + 1 :])
        )
    return escaped


def _shown(random: Random, person: Person) -> Credentials:
    if any("," in group for group in person.groups) or random.random() < 0.3:
        return Credentials(certificate=person.name)
    return with_token(person)


def _odd(random: Random, person: Person) -> Credentials:
    token, other = person.token, random.choice(PEOPLE).token
    return random.choice(
        (
            Credentials(),
            Credentials(authorization=("",)),
            Credentials(authorization=("Basic YTpi",)),
            Credentials(authorization=(f"bearer {token}",)),
            Credentials(authorization=(f"BEARER {token} and more",)),
            Credentials(authorization=(f"Bearer  {token}",)),
            Credentials(authorization=(f"Bearer {token}x",)),
            Credentials(authorization=("Bearer",)),
            Credentials(authorization=("Bearer nonsense",)),
            Credentials(authorization=(f"Bearer\t{token}",)),
            Credentials(authorization=(token,)),
            Credentials(certificate=person.name, authorization=(f"Bearer {other}",)),
            Credentials(certificate=person.name, authorization=("Bearer nonsense",)),
            Credentials(certificate=FOREIGN.name),
            Credentials(certificate=FOREIGN.name, authorization=(f"Bearer {token}",)),
            Credentials(certificate=ROOT.name),
            with_token(ROOT),
        )
    )
