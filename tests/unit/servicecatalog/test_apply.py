"""Server-side apply and the bookkeeping of managed fields."""

from servicecatalog.apply import Applied, Conflict, apply, apply_conflict
from servicecatalog.managedfields import Manager, after_update, leaves, read_managers, written_managers
from servicecatalog.schemas import JsonObject

NOW = "2030-01-01T00:00:00Z"


def a_manager(name: str, *fields: str, operation: str = "Apply") -> Manager:
    """A manager of dotted field paths."""
    return Manager(name, operation, "", NOW, frozenset(tuple(field.split(".")) for field in fields))


def applied(live: JsonObject, config: JsonObject, *managers: Manager, by: str = "me", force: bool = False) -> Applied:
    """The outcome of an apply that must succeed."""
    outcome = apply(live, config, managers, a_manager(by), force=force)
    assert isinstance(outcome, Applied)
    return outcome


def owned(outcome: Applied) -> dict[str, set[str]]:
    """Manager names to their dotted field paths."""
    return {one.name: {".".join(field) for field in one.fields} for one in outcome.managers}


def test_applying_to_nothing_makes_the_configuration() -> None:
    """The first applier owns every field it names."""
    outcome = applied({}, {"spec": {"url": "a", "tags": {"x": "1"}}})

    assert outcome.object == {"spec": {"url": "a", "tags": {"x": "1"}}}
    assert owned(outcome) == {"me": {"spec.url", "spec.tags.x"}}


def test_a_field_no_longer_applied_goes_away() -> None:
    """What the applier alone owned and now leaves out is removed, with the maps it leaves empty."""
    live = {"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"url": "a", "tags": {"x": "1"}}}
    mine = a_manager("me", "metadata.labels.x", "spec.url", "spec.tags.x")
    outcome = applied(live, {"spec": {"url": "a"}}, mine)

    assert outcome.object == {"metadata": {"name": "a"}, "spec": {"url": "a"}}
    assert owned(outcome) == {"me": {"spec.url"}}


def test_a_field_someone_else_owns_too_stays() -> None:
    """Giving up a shared field leaves its value to the other owner."""
    live = {"spec": {"url": "a", "size": 1}}
    outcome = applied(
        live, {"spec": {"size": 1}}, a_manager("me", "spec.url", "spec.size"), a_manager("bob", "spec.url")
    )

    assert outcome.object == live
    assert owned(outcome) == {"bob": {"spec.url"}, "me": {"spec.size"}}


def test_the_same_value_is_owned_together() -> None:
    """Two appliers of one value do not conflict."""
    outcome = applied({"spec": {"url": "a"}}, {"spec": {"url": "a"}}, a_manager("bob", "spec.url"))

    assert owned(outcome) == {"bob": {"spec.url"}, "me": {"spec.url"}}


def test_another_value_is_a_conflict() -> None:
    """Changing a field of another manager is refused, and the refusal names field and manager."""
    outcome = apply(
        {"spec": {"url": "a"}}, {"spec": {"url": "b"}}, [a_manager("bob", "spec.url")], a_manager("me"), force=False
    )

    assert outcome == (Conflict("bob", ("spec", "url")),)
    error = apply_conflict((Conflict("bob", ("spec", "url")),))
    assert error.code == 409
    expected = 'Apply failed with 1 conflict: conflict with "bob" using servicecatalog.k8s.io/v1beta1: .spec.url'
    assert error.message == expected


def test_force_takes_the_field_over() -> None:
    """With force the value changes and the other manager no longer owns it."""
    outcome = applied(
        {"spec": {"url": "a", "size": 1}},
        {"spec": {"url": "b"}},
        a_manager("bob", "spec.url", "spec.size", operation="Update"),
        force=True,
    )

    assert outcome.object == {"spec": {"url": "b", "size": 1}}
    assert owned(outcome) == {"bob": {"spec.size"}, "me": {"spec.url"}}


def test_the_stored_object_is_not_changed() -> None:
    """Apply works on a copy."""
    live = {"spec": {"url": "a"}}
    applied(live, {"spec": {"url": "b", "new": {"x": 1}}})

    assert live == {"spec": {"url": "a"}}


def test_an_update_takes_the_fields_it_changes() -> None:
    """A writer owns what it changed; others keep what is unchanged and lose what is gone."""
    before = {"spec": {"url": "a", "size": 1, "old": True}}
    after = {"spec": {"url": "b", "size": 1}}
    bob = a_manager("bob", "spec.url", "spec.size", "spec.old")
    managers = after_update([bob], before, after, a_manager("me", operation="Update"))

    fields = {one.name: {".".join(field) for field in one.fields} for one in managers}
    assert fields == {"bob": {"spec.size"}, "me": {"spec.url"}}


def test_what_the_server_sets_has_no_manager() -> None:
    """Names, versions and times are not fields of anybody."""
    obj = {
        "apiVersion": "v1",
        "kind": "K",
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "labels": {"x": "y"}},
        "spec": {"empty": {}, "list": [1]},
    }

    assert set(leaves(obj)) == {("metadata", "labels", "x"), ("spec", "empty"), ("spec", "list")}


def test_managed_fields_survive_a_round_trip() -> None:
    """Writing managers into an object and reading them back gives the same managers."""
    managers = (
        a_manager("bob", "metadata.labels.x", "spec.url"),
        Manager("ctl", "Update", "status", NOW, frozenset({("status", "conditions")})),
    )
    obj = {"metadata": {"managedFields": written_managers(managers)}}

    assert read_managers(obj) == managers


def test_managers_without_fields_are_dropped() -> None:
    """A manager that owns nothing any more leaves no entry."""
    assert written_managers([a_manager("bob")]) == []
