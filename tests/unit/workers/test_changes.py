"""What differs between two policies, and the later one made of it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.auth_files import AuthFiles
from controlplane.model.credentials import ClientAuthorities, Secret
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.revocations import Revocations
from controlplane.model.selector import Requirement
from controlplane.workers.changes import Assembly, parts
from controlplane.workers.frames import FrameError, framed, parsed

NAMES = st.sampled_from(["", "a", "b", "c", "odd é\udcff name"])
TEXTS = st.lists(NAMES, max_size=2).map(tuple)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=2).map(tuple)
REQUIREMENTS = st.builds(Requirement, NAMES, st.sampled_from(["In", "Exists"]), TEXTS)
RULES = st.builds(PolicyRule, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
ROLES = st.builds(
    Role,
    st.builds(RoleKey, NAMES, NAMES),
    st.lists(RULES, max_size=2).map(tuple),
    PAIRS,
    st.lists(st.lists(REQUIREMENTS, max_size=2).map(tuple), max_size=2).map(tuple),
)
BINDINGS = st.builds(
    RoleBinding,
    st.builds(BindingKey, NAMES, NAMES),
    st.builds(RoleKey, NAMES, NAMES),
    st.lists(st.builds(Subject, NAMES, NAMES, NAMES), max_size=2).map(tuple),
)
CONTENTS = st.binary(max_size=5)
POLICIES = st.builds(
    lambda roles, bindings, floor, grounds, authorities, files: Policy(
        1,
        MappingProxyType({role.key: role for role in roles}),
        MappingProxyType({binding.key: binding for binding in bindings}),
        Revocations(floor, tuple(grounds)),
        authorities,
        AuthFiles(MappingProxyType({Path("/f", name): Secret(content) for name, content in files.items()})),
    ),
    st.lists(ROLES, max_size=4),
    st.lists(BINDINGS, max_size=4),
    st.integers(0, 9),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=2),
    st.builds(ClientAuthorities, CONTENTS, CONTENTS),
    st.dictionaries(st.sampled_from("xy"), CONTENTS, max_size=2),
)

ROLE = Role(RoleKey("", "reader"), (PolicyRule(("get",), ("a.io",), ("things",)),))


def policy_of(count: int) -> Policy:
    """A policy of generation 1 with so many bindings."""
    keys = [BindingKey("n", f"b{number}") for number in range(count)]
    bindings = {key: RoleBinding(key, ROLE.key, (Subject("User", key.name),)) for key in keys}
    return Policy(1, MappingProxyType({ROLE.key: ROLE}), MappingProxyType(bindings))


def pushed(assembly: Assembly, before: Policy, after: Policy) -> tuple[Policy, int]:
    """The policy that arrives over a wire, and how many bytes that took."""
    frames = [framed(part) for part in parts(before, after)]
    whole = [assembly.take(parsed(frame[4:])) for frame in frames]
    assert whole[:-1] == [None] * (len(frames) - 1), "a policy was seen half"
    assert whole[-1] is not None
    return whole[-1], sum(map(len, frames))


@given(st.lists(POLICIES, min_size=1, max_size=4))
def test_the_policy_arrives_whatever_came_before(history: list[Policy]) -> None:
    """After every push of a history the worker's policy equals the control plane's, in every field."""
    assembly, before = Assembly(), Policy()
    for generation, policy in enumerate(history, 1):
        after = replace(policy, generation=generation)

        assert after == pushed(assembly, before, after)[0]
        before = after


def test_there_is_no_field_that_is_not_pushed() -> None:
    """A field that a Policy is given one day must be pushed, too."""
    assert {field.name for field in fields(Policy)} == {
        "generation",
        "roles",
        "bindings",
        "revocations",
        "authorities",
        "files",
    }


def test_one_change_among_many_is_one_short_message() -> None:
    """Of 2,000 bindings one that changes is sent, and the others stay the identical objects."""
    assembly, first = Assembly(), policy_of(2000)
    held, whole = pushed(assembly, Policy(), first)
    key = BindingKey("n", "b7")
    bindings = first.bindings.copy()
    bindings[key] = replace(bindings[key], subjects=(Subject("Group", "others"),))

    after, change = pushed(assembly, first, Policy(2, first.roles, MappingProxyType(bindings)))

    assert (whole > 50_000, change < 300) == (True, True)
    assert after.bindings[key].subjects == (Subject("Group", "others"),)
    assert all(after.bindings[other] is held.bindings[other] for other in held.bindings if other != key)
    assert after.roles is held.roles
    assert after.authorities is held.authorities
    assert after.files is held.files


def test_the_whole_policy_comes_in_pieces() -> None:
    """2,000 bindings are several messages, between which both sides do other work; only the last completes it."""
    messages = list(parts(Policy(), policy_of(2000)))

    assert len(messages) == 9
    assert ["generation" in message for message in messages] == [False] * 8 + [True]


def test_files_stay_secret() -> None:
    """What is pushed of files is whole, and no repr on either side shows it."""
    files = AuthFiles(MappingProxyType({Path("/tokens.csv"): Secret(b"secret-of-bob,bob,1")}))

    after, _ = pushed(Assembly(), Policy(), replace(policy_of(1), files=files))

    assert after.files.bytes_of(Path("/tokens.csv")) == b"secret-of-bob,bob,1"
    assert "secret-of-bob" not in repr(after)


BINDING = [["n", "b"], ["", "r"], [["User", "u", ""]]]
EMPTY: dict[str, object] = {"goneRoles": [], "roles": [], "goneBindings": [], "bindings": []}
LAST = {"generation": 1, "revocations": [0, []]}


@pytest.mark.parametrize(
    "part",
    [
        {},
        {**EMPTY, "roles": [[]]},
        {**EMPTY, "roles": [[["", "r"], [[["get"], "text", [], [], []]], [], []]]},
        {**EMPTY, "bindings": [[["n", 1], ["", "r"], []]]},
        {**EMPTY, "bindings": [[*BINDING, []]]},
        {**EMPTY, "goneBindings": [["n", "unknown"]]},
        {**EMPTY, "goneBindings": 3},
        {**LAST, "generation": 0},
        {**LAST, "generation": "1"},
        {**LAST, "generation": True},
        {**LAST, "generation": 1.0},
        {**LAST, "revocations": [1e999, []]},
        {**LAST, "revocations": [0, [["ground", float("nan")]]]},
        {**LAST, "revocations": []},
        {**LAST, "authorities": ["AA=="]},
        {**LAST, "authorities": ["no base 64", ""]},
        {**LAST, "files": ["secret"]},
    ],
)
def test_a_part_that_is_not_so_made_is_an_error(part: dict[str, object]) -> None:
    """Nothing is taken from it, and the reason quotes nothing of it."""
    assembly = Assembly()

    with pytest.raises(
        FrameError, match=r"^(a part of a policy is not so made|the generation of a policy|a message holds what)"
    ):
        assembly.take(json.loads(json.dumps({"kind": "policy", **part})))

    assert assembly.policy == Policy()
