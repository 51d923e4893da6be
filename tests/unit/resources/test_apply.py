from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from controlplane.resources import fieldpath
from controlplane.resources.apply import Conflict, Merged, apply, refused
from controlplane.resources.kinds import KINDS
from controlplane.resources.managedfields import APPLY, Manager, read_managers, written
from controlplane.resources.ownership import bare, empty
from controlplane.resources.typed import field_set
from controlplane.resources.values import same

SERVICE = KINDS["Service"]
_LABELS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4)
_PORTS = st.lists(st.sampled_from([80, 81, 82]), unique=True).map(
    lambda numbers: [{"port": number, "protocol": "TCP", "name": f"p{number}"} for number in numbers]
)


def config(labels: dict[str, str], ports: list[dict[str, Any]]) -> dict[str, Any]:
    """A configuration of a Service."""
    return {
        **({"metadata": {"labels": labels}} if labels else {}),
        **({"spec": {"ports": ports}} if ports else {}),
    }


CONFIGS = st.builds(config, _LABELS, _PORTS)


def by(name: str, time: str = "2030-01-01T00:00:00Z") -> Manager:
    """An applier."""
    return Manager(name, APPLY, "v1", "", time)


def applied(live: dict[str, Any], one: dict[str, Any], managers: tuple[Manager, ...], name: str) -> Merged:
    """An apply that met no conflict, forced if need be."""
    result = apply(live, one, managers, SERVICE.schema, by(name), force=True)
    assert isinstance(result, Merged)
    return result


@given(CONFIGS, CONFIGS)
def test_applying_twice_changes_nothing(first: dict[str, Any], second: dict[str, Any]) -> None:
    """The second apply of the same configuration is no change, whatever others applied before."""
    before = applied(empty(SERVICE), first, (), "other")
    once = applied(before.object, second, before.managers, "me")
    twice = apply(once.object, second, once.managers, SERVICE.schema, by("me", "2031-01-01T00:00:00Z"))

    assert isinstance(twice, Merged)
    assert not twice.changed
    assert same(once.object, twice.object)
    assert written(once.managers) == written(twice.managers)


@given(_LABELS, _PORTS)
def test_disjoint_fields_never_conflict(labels: dict[str, str], ports: list[dict[str, Any]]) -> None:
    """Two managers that apply different fields meet no conflict, and both keep theirs."""
    one = applied(empty(SERVICE), config(labels, []), (), "labels")
    two = apply(one.object, config({}, ports), one.managers, SERVICE.schema, by("ports"))

    assert isinstance(two, Merged)
    assert labels == two.object.get("metadata", {}).get("labels", {})
    assert ports == two.object.get("spec", {}).get("ports", [])


@given(CONFIGS, CONFIGS)
def test_a_forced_apply_owns_what_it_applied(first: dict[str, Any], second: dict[str, Any]) -> None:
    """After a forced apply its fields are its own, and nobody else holds one with another value."""
    one = applied(empty(SERVICE), first, (), "one")
    two = applied(one.object, second, one.managers, "two")
    mine = frozenset().union(*(manager.fields for manager in two.managers if manager.name == "two"))
    again = apply(two.object, second, two.managers, SERVICE.schema, by("two"))

    assert field_set(second, SERVICE.schema) - {fieldpath.path_of("metadata")} == mine
    assert isinstance(again, Merged)


@given(CONFIGS, CONFIGS)
def test_managed_fields_survive_being_written(first: dict[str, Any], second: dict[str, Any]) -> None:
    """What is written as fieldsV1 reads back as the same managers."""
    one = applied(empty(SERVICE), first, (), "one")
    two = applied(one.object, second, one.managers, "two")

    assert set(two.managers) == set(read_managers(written(two.managers)))


@given(CONFIGS)
def test_what_one_owns_alone_goes_when_it_is_no_longer_applied(one: dict[str, Any]) -> None:
    """An apply of nothing leaves nothing of what only this manager applied."""
    before = applied(empty(SERVICE), one, (), "me")
    after = applied(before.object, {}, before.managers, "me")

    assert not after.object.get("metadata", {}).get("labels")
    assert not after.object.get("spec", {}).get("ports")
    assert () == after.managers


@given(CONFIGS)
def test_what_two_own_stays_until_both_let_go(one: dict[str, Any]) -> None:
    """A field that a second manager applied too stays when the first stops."""
    before = applied(empty(SERVICE), one, (), "me")
    shared = applied(before.object, one, before.managers, "you")
    after = applied(shared.object, {}, shared.managers, "me")

    assert same(bare({"metadata": {}, **shared.object}), bare({"metadata": {}, **after.object}))


def test_conflicts_are_told_by_field_and_manager() -> None:
    """One conflict is one sentence; several are listed by manager."""
    updater = Manager("kubectl", "Update", "v1", "status", "2030-01-01T00:00:00Z")
    one = Conflict(updater, fieldpath.path_of("spec", "type"))
    two = Conflict(by("me"), (*fieldpath.path_of("spec", "ports"), fieldpath.key([("port", 80), ("protocol", "TCP")])))

    single = 'Apply failed with 1 conflict: conflict with "kubectl" with subresource "status" using v1: .spec.type'
    assert single == refused((one,)).message
    several = (
        'Apply failed with 2 conflicts: conflicts with "kubectl" with subresource "status" using v1:\n- .spec.type\n'
        'conflicts with "me":\n- .spec.ports[port=80,protocol="TCP"]'
    )
    assert several == refused((one, two)).message
    assert [".spec.type", '.spec.ports[port=80,protocol="TCP"]'] == [one.field for one in refused((one, two)).causes]
