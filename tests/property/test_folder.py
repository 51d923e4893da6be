from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.change import Change, Delete, Object, ObjectKey, Upsert
from controlplane.model.problem import Origin, Problem
from controlplane.model.rbac import PolicyRule, Role, RoleKey
from controlplane.sources.decode import Bad, Good
from controlplane.sources.folder import Broken, Content, Folder, Gone, Observation

PATHS = ("a.yaml", "b.yaml", "c.yaml")
NAMES = ("x", "y", "z")

# One document: the name of its object ("" when it does not say), and its value (None when it is broken).
Documents = list[tuple[str, int | None]]
documents = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 2)) | st.tuples(st.sampled_from(("", *NAMES)), st.none()),
    max_size=4,
)
looks = documents | st.just("broken") | st.just("gone")
batches = st.lists(st.dictionaries(st.sampled_from(PATHS), looks, min_size=1), max_size=8)
Batches = list[dict[str, Documents | str]]


def _key(name: str) -> ObjectKey:
    return ObjectKey("Role", "default", name)


def _observation(path: str, look: Documents | str) -> Observation:
    problem = Problem(Origin(path), "", "", "is broken", "mend it")
    if isinstance(look, str):
        return Broken(problem) if look == "broken" else Gone()
    return Content(
        tuple(
            Bad(Origin(path, number), _key(name) if name else None, (problem,))
            if value is None
            else Good(Origin(path, number), _key(name), Role(RoleKey("default", name), (PolicyRule((str(value),)),)))
            for number, (name, value) in enumerate(look, start=1)
        )
    )


class Model:
    """The law of the folder, written down with no thought of cost: what each file gives, and who claimed what first."""

    def __init__(self) -> None:
        self.given: dict[str, dict[str, tuple[int, int]]] = {path: {} for path in PATHS}
        self.queue: list[tuple[str, str]] = []

    def look(self, path: str, look: Documents | str) -> None:
        """Takes in one look at one file."""
        if look == "broken":
            return
        self.given[path] = {} if isinstance(look, str) else _given(self.given[path], look)
        self.queue = [(name, owner) for name, owner in self.queue if owner != path or name in self.given[path]]
        self.queue += [(name, path) for name in self.given[path] if (name, path) not in self.queue]

    def in_force(self) -> Mapping[ObjectKey, str]:
        """The value in force of each object."""
        first = dict(reversed(self.queue))
        return {_key(name): str(self.given[path][name][0]) for name, path in first.items()}


def _given(before: dict[str, tuple[int, int]], look: Documents) -> dict[str, tuple[int, int]]:
    now: dict[str, tuple[int, int]] = {}
    for number, (name, value) in enumerate(look, start=1):
        if value is not None:
            now.setdefault(name, (value, number))
    for number, (name, value) in enumerate(look, start=1):
        if value is None and name and name in before:
            now.setdefault(name, (before[name][0], number))
        elif value is None and not name:
            for kept, (kept_value, kept_number) in before.items():
                if kept_number == number:
                    now.setdefault(kept, (kept_value, kept_number))
    return now


def _verbs(objects: Mapping[ObjectKey, Object]) -> dict[ObjectKey, str]:
    return {key: role.rules[0].verbs[0] for key, role in objects.items() if isinstance(role, Role)}


def _apply(held: dict[ObjectKey, Object], changes: tuple[Change, ...]) -> None:
    """Plays changes to a listener, which finds each of them to be one."""
    for change in changes:
        match change:
            case Upsert(key, thing):
                assert held.get(key) != thing
                held[key] = thing
            case Delete(key):
                del held[key]


@given(batches)
def test_what_is_in_force_follows_the_law(seen: Batches) -> None:
    """Whatever happens to the files, in force is what the first claimant gave last in good order."""
    folder, model = Folder(), Model()
    for batch in seen:
        folder.observe({path: _observation(path, look) for path, look in batch.items()})
        for path in sorted(batch):
            model.look(path, batch[path])

        assert model.in_force() == _verbs(folder.in_force)


@given(batches)
def test_the_changes_alone_tell_what_is_in_force(seen: Batches) -> None:
    """Who plays the Changes back holds what is in force, never the same change twice, and each key once a batch."""
    folder, held = Folder(), dict[ObjectKey, Object]()
    for batch in seen:
        changes = folder.observe({path: _observation(path, look) for path, look in batch.items()})
        keys = [change.key for change in changes if isinstance(change, Upsert | Delete)]
        _apply(held, changes)

        assert sorted(set(keys)) == keys
        assert held == folder.in_force


@given(batches)
def test_a_batch_seen_twice_is_seen_once(seen: Batches) -> None:
    """Looking again at files that did not change changes nothing, neither objects nor Problems."""
    folder = Folder()
    for batch in seen:
        observed = {path: _observation(path, look) for path, look in batch.items()}
        folder.observe(observed)
        problems = folder.problems

        assert not folder.observe(observed)
        assert problems == folder.problems
