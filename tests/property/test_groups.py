"""A group's snapshot, whatever happened before, is what it would be if everything were selected anew."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.groups import views
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import Change, CredentialsChanged, Delete, ObjectKey, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import (
    CLUSTER,
    ENDPOINTS,
    EXTENSION_CONFIG,
    SCOPED_ROUTE,
    SECRET,
    EnvoyResource,
    ResourceName,
)
from controlplane.model.service import EndpointSlice, Service, ServiceName, ServicePort, SliceEndpoint, SlicePort
from controlplane.model.topology import Topology
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.settings.groups import NodeGroup
from controlplane.snapshot.part import Part
from controlplane.snapshot.snapshot import Resource, Snapshot
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.names import scope
from controlplane.translation.translate import Translator, everything

# From what leans on others to what is leaned on: a reference goes to the right only.
LAYERS = (SCOPED_ROUTE, CLUSTER, ENDPOINTS, SECRET)
KEYS = [ResourceName(layer, name) for layer in LAYERS for name in "ab"]


def _rightwards(key: ResourceName) -> list[ResourceName]:
    return [other for other in KEYS if LAYERS.index(other.type_url) > LAYERS.index(key.type_url)]


@st.composite
def contents(draw: st.DrawFn) -> tuple[ResourceName, EnvoyResource | None]:
    """A resource with references that follow from its body, or its removal."""
    key = draw(st.sampled_from(KEYS))
    if draw(st.booleans()):
        leaned = draw(st.frozensets(st.sampled_from(_rightwards(key) or KEYS), max_size=3)) if _rightwards(key) else ()
        return key, EnvoyResource(key, repr(sorted(leaned)).encode(), frozenset(leaned))
    return key, None


steps = st.tuples(
    st.lists(contents(), max_size=4),
    st.dictionaries(st.sampled_from(KEYS), st.booleans(), max_size=3),
)


def closure(whole: Snapshot, chosen: Iterable[ResourceName]) -> set[Resource]:
    """The law, written down with no thought of cost."""
    found: set[Resource] = set()
    waiting = list(chosen)
    while waiting:
        key = waiting.pop()
        resource = whole.get(key)
        if resource is not None and resource not in found:
            found.add(resource)
            waiting += resource.references | resource.children
    return found


def held(snapshot: Snapshot) -> set[Resource]:
    """Everything in a snapshot; resources are equal only when they are the identical object."""
    return {resource for table in snapshot.tables.values() for resource in table.values()}


@given(st.lists(steps, max_size=12), st.booleans())
def test_a_part_is_what_selecting_anew_gives(history: list[tuple[list, dict]], of_type: bool) -> None:
    """After any changes, choices and drops the part is the closure of what is chosen, or the identical snapshot."""
    whole, part, chosen = Snapshot(), Part([ENDPOINTS] if of_type else []), set[ResourceName]()
    before = part.updated(whole)
    for changes, choices in history:
        latest = dict(changes)
        whole = whole.updated(
            [resource for resource in latest.values() if resource is not None],
            [key for key, resource in latest.items() if resource is None],
        )
        chosen = chosen - {key for key, wanted in choices.items() if not wanted}
        chosen |= {key for key, wanted in choices.items() if wanted}
        drops = [key for key, wanted in choices.items() if not wanted and not (of_type and key.type_url == ENDPOINTS)]
        after = part.updated(whole, [key for key, wanted in choices.items() if wanted], drops)
        always = [resource.key for resource in whole.table(ENDPOINTS).values()] if of_type else []

        assert closure(whole, [*chosen, *always]) == held(after)
        assert (after is before) == (held(after) == held(before))
        before = after


GROUPS = ("a.io", "b.io", "c.io")
PAIR = KeyPair(b"chain", Secret(b"key"))
TRANSLATOR = Translator(
    FrontDoor(
        "127.0.0.1",
        8443,
        Scripts("-- verdicts", "-- scope", "-- arrival", "-- identity"),
        asks_for_client_certificates=True,
    ),
    authorization=Address.parse("unix:/run/authorization.sock"),
    discovery=Address.parse("unix:/run/discovery.sock"),
)
NODE_GROUPS = [
    NodeGroup.model_validate(group)
    for group in (
        {"name": "edge", "nodes": {"cluster": "edge"}, "apiServices": {"matchLabels": {"at": "edge"}}},
        {
            "name": "not-edge",
            "nodes": {"cluster": "dc"},
            "apiServices": {"matchExpressions": [{"key": "at", "operator": "NotIn", "values": ["edge"]}]},
        },
        {"name": "rest"},
    )
]


@functools.cache
def fixed_resources() -> tuple[EnvoyResource, ...]:
    """What no registration changes; the listener takes long to build."""
    return TRANSLATOR.fixed(Topology()).upserts


registrations = st.builds(
    lambda group, service, at, trust: ApiService(
        GroupVersion(group, "v1"),
        1000,
        10,
        ServiceReference("ns", service) if service else None,
        trust,
        labels=(("at", at),) if at else (),
    ),
    st.sampled_from(GROUPS),
    st.sampled_from(("", "x", "y")),
    st.sampled_from(("", "edge", "dc")),
    st.sampled_from((b"", b"CA")),
)


def _registered(api: ApiService) -> Change:
    return Upsert(ObjectKey("APIService", "", api.name), api)


def _described(name: str, addresses: list[str]) -> list[Change]:
    service = ServiceName("ns", name)
    endpoints = tuple(SliceEndpoint((address,)) for address in addresses)
    piece = EndpointSlice("ns", name, service, "IPv4", endpoints, (SlicePort("https", 6443),))
    return [
        Upsert(ObjectKey("Service", "ns", name), Service(service, "10.0.0.1", ports=(ServicePort("https", 443),))),
        Upsert(ObjectKey("EndpointSlice", "ns", name), piece),
    ]


batches = st.lists(
    st.one_of(
        registrations.map(lambda api: [_registered(api)]),
        st.sampled_from(GROUPS).map(lambda group: [Delete(ObjectKey("APIService", "", f"v1.{group}"))]),
        st.builds(_described, st.sampled_from("xy"), st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2"]), max_size=2)),
        st.sampled_from("xy").map(lambda name: [Delete(ObjectKey("Service", "ns", name))]),
        st.sampled_from((b"1", b"2")).map(
            lambda roots: [CredentialsChanged(Credentials(PAIR, b"ca", PAIR, system_roots=roots))]
        ),
    ),
    max_size=4,
).map(lambda found: [change for changes in found for change in changes])


# The first example builds the listener, which takes long.
@settings(deadline=None)
@given(st.lists(batches, max_size=8))
def test_a_groups_snapshot_is_what_selecting_anew_gives(history: list[list[Change]]) -> None:
    """After any registrations, backends and credentials a group holds what its APIs take, the same as a new view."""
    registry = Registry(dns_template="{name}.{namespace}.svc", core=None)
    whole, seen = Snapshot(), views(NODE_GROUPS, TRANSLATOR)
    fixed = fixed_resources()
    names = [resource.key for resource in fixed]
    for number, batch in enumerate(history):
        topology = registry.apply(batch)
        touched = topology.touched if number else everything(topology)
        translation = TRANSLATOR.translate(topology, touched)
        whole = whole.updated((*(fixed if number == 0 else ()), *translation.upserts), translation.removals)
        shown = [view.snapshot(whole, topology, touched.apis, names if number == 0 else ()) for view in seen]
        anew = [view.snapshot(whole, topology, topology.apis, names) for view in views(NODE_GROUPS, TRANSLATOR)]

        assert whole is shown[2]
        for group, snapshot, fresh in zip(NODE_GROUPS[:2], shown, anew, strict=False):
            fitting = {
                ResourceName(SCOPED_ROUTE, scope(key))
                for key, api in topology.apis.items()
                if group.api_services.fits(dict(api.service.labels))
            }
            always = [resource.key for resource in whole.table(EXTENSION_CONFIG).values()]

            assert closure(whole, [*names, *always, *fitting]) == held(snapshot)
            assert held(fresh) == held(snapshot)
