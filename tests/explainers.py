"""An Explainer of one small world, whose parts a test may replace.

In: rights, proxies, terms. Out: an `Explainer`. Law: it decides by a real ruling and reads real resources.
"""

from __future__ import annotations

from math import inf
from types import MappingProxyType

from pki import CertificateAuthority
from ruled import ruling

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Anonymous, Authentication
from controlplane.auth.evidence import Failed, Outcome, Recognised
from controlplane.auth.front_proxy import RequestHeaderTrust
from controlplane.auth.ruling import Ruling
from controlplane.auth.service import Keeping
from controlplane.explaining.explainer import Explainer
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import ObjectKey
from controlplane.model.credentials import ClientAuthorities
from controlplane.model.identity import UserInfo
from controlplane.model.policy import Policy
from controlplane.model.problem import Origin
from controlplane.model.proxy import Proxy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.selector import Requirement
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint, Topology
from controlplane.registry.resolve import PASSED
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation import clusters, routes

NOW = 1_800_000_000.0
TOKEN = "token-of-tess"
THINGS = "/apis/a.io/v1/namespaces/n/things"
CLIENTS = CertificateAuthority("clients")
FRONT_PROXIES = CertificateAuthority("front proxies")

KEY = BackendKey(ServiceReference("ns", "svc"), "system")
BACKEND = Backend(KEY, "svc.ns.svc", (Endpoint("10.0.0.7", 8443),), dns=False)
API = Api(ApiService(GroupVersion("a.io", "v1"), 1000, 10, KEY.service), PASSED, KEY)

_READ = PolicyRule(("get", "list"), ("a.io",), ("things",))
_ACT = PolicyRule(("impersonate",), ("",), ("users",), resource_names=("alice",))
_ROLES = (
    Role(RoleKey("", "reader"), (_READ,), labels=(("to", "all"),)),
    Role(RoleKey("", "all"), aggregation=((Requirement("to", "In", ("all",)),),)),
    Role(RoleKey("", "actor"), (_ACT,)),
)


def _bound(name: str, role: str, kind: str, subject: str, namespace: str = "") -> RoleBinding:
    return RoleBinding(BindingKey(namespace, name), RoleKey("", role), (Subject(kind, subject),))


_BINDINGS = (
    _bound("readers", "reader", "Group", "developers"),
    _bound("in-n", "all", "User", "alice", "n"),
    _bound("actors", "actor", "User", "bob"),
    _bound("lost", "missing", "User", "bob"),
    _bound("tests", "reader", "User", "tess"),
)


def policy(generation: int = 7) -> Policy:
    """Developers read things, alice does in one namespace, bob may be alice."""
    return Policy(
        generation,
        MappingProxyType({role.key: role for role in _ROLES}),
        MappingProxyType({binding.key: binding for binding in _BINDINGS}),
        authorities=ClientAuthorities(CLIENTS.certificate, FRONT_PROXIES.certificate),
    )


def explainer(
    *,
    proxies: tuple[Proxy, ...] = (),
    groups: tuple[str, ...] = ("",),
    keeping: Keeping | None = Keeping("epoch", 60.0),  # noqa: B008 - frozen
    clock: float = NOW,
    until: float = inf,
    started: bool = True,
    failing: bool = False,
    trust: RequestHeaderTrust | None = None,
) -> Explainer:
    """What explains a.io/v1; the token of tess holds until `until`, `failing` has asking about tokens fail.

    `trust` says what front proxies may say, None that there are none.
    """

    async def holder_of(token: str) -> Outcome:
        if failing:
            raise RuntimeError(f"cannot look up {token}")
        return Recognised(UserInfo("tess"), until, "tests") if token == TOKEN else Failed("unknown")

    authentication = Authentication(
        token_authenticators=(holder_of,), request_header=trust, anonymous=Anonymous(enabled=True)
    )
    snapshots = SnapshotCache()
    resources = (
        *clusters.backend_resources(BACKEND, present_certificate=False),
        routes.api_resource(API, BACKEND),
        routes.core_resource(None),
    )
    for group in groups:
        snapshots.publish(Snapshot().updated(resources), group)
    latest: Watchable[Ruling | None] = Watchable(ruling(policy(), authentication, lambda: clock) if started else None)
    return Explainer(
        latest,
        Watchable(Topology(1, MappingProxyType({API.service.group_version: API}))),
        snapshots,
        lambda: proxies,
        groups=groups,
        keeping=keeping,
        clock=lambda: clock,
        origin_of=origin_of,
    )


def origin_of(key: ObjectKey) -> Origin | None:
    """Only the roles are from a file."""
    return Origin("roles.yaml", 3) if key.kind == "ClusterRole" else None
