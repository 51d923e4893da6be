"""What differs between two policies, as messages; and the later policy made of them again.

In: two policies. Out: parts, of which the last completes the later policy. Law: the parts follow what changed, not what
there is; what did not change stays the identical object on both sides, and no policy is ever seen half.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from controlplane.auth.rbac import differing
from controlplane.model.auth_files import AuthFiles
from controlplane.model.credentials import ClientAuthorities, Secret
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Role, RoleBinding, RoleKey
from controlplane.model.revocations import Revocations
from controlplane.workers.frames import FrameError, Message, whole
from controlplane.workers.objects import (
    decoded_binding,
    decoded_key,
    decoded_role,
    encoded_binding,
    encoded_key,
    encoded_role,
)

POLICY: Final = "policy"
"""The kind of a part."""

# A part of so many objects takes either side a few milliseconds, between which requests are answered.
_PART: Final = 250

KeyT = TypeVar("KeyT", RoleKey, BindingKey)
ObjectT = TypeVar("ObjectT", Role, RoleBinding)


def parts(before: Policy, after: Policy) -> Iterator[Message]:
    """The messages that make `after` of `before`; made one at a time, for whoever sends them in between."""
    gone_roles, roles = _changed(before.roles, after.roles)
    gone_bindings, bindings = _changed(before.bindings, after.bindings)
    pieces = zip_longest(*(_pieces(each) for each in (gone_roles, roles, gone_bindings, bindings)), fillvalue=())
    for gone_r, new_r, gone_b, new_b in pieces:
        yield {
            "kind": POLICY,
            "goneRoles": [encoded_key(role.key) for role in gone_r],
            "roles": [encoded_role(role) for role in new_r],
            "goneBindings": [encoded_key(binding.key) for binding in gone_b],
            "bindings": [encoded_binding(binding) for binding in new_b],
        }
    last: dict[str, object] = {
        "kind": POLICY,
        "generation": after.generation,
        "revocations": [after.revocations.floor, after.revocations.grounds],
    }
    if after.authorities is not before.authorities:
        last["authorities"] = [_text(after.authorities.users), _text(after.authorities.front_proxies)]
    if after.files is not before.files:
        last["files"] = {str(path): _text(content.reveal()) for path, content in after.files.contents.items()}
    yield last


class Assembly:
    """The policy that parts come to, starting from the one that denies everything."""

    def __init__(self) -> None:
        self.policy = Policy()
        """The latest whole policy."""
        self._roles: dict[RoleKey, Role] | None = None
        self._bindings: dict[BindingKey, RoleBinding] | None = None

    def take(self, part: Message) -> Policy | None:
        """The policy that `part` completes, None when more parts belong to it.

        Raises:
            FrameError: when it is no part of a policy that follows the latest.
        """
        try:
            if "generation" in part:
                return self._complete(part)
            self._add(part)
        except (ValueError, TypeError, KeyError, AttributeError):
            # What was wrong may quote what came.
            raise FrameError("a part of a policy is not so made") from None
        return None

    def _add(self, part: Message) -> None:
        if part["goneRoles"] or part["roles"]:
            self._roles = self._roles if self._roles is not None else self.policy.roles.copy()
            for value in part["goneRoles"]:
                self._roles.pop(decoded_key(RoleKey, value))
            for role in map(decoded_role, part["roles"]):
                self._roles.pop(role.key, None)
                self._roles[role.key] = role
        if part["goneBindings"] or part["bindings"]:
            self._bindings = self._bindings if self._bindings is not None else self.policy.bindings.copy()
            for value in part["goneBindings"]:
                self._bindings.pop(decoded_key(BindingKey, value))
            for binding in map(decoded_binding, part["bindings"]):
                self._bindings.pop(binding.key, None)
                self._bindings[binding.key] = binding

    def _complete(self, part: Message) -> Policy:
        generation, (floor, grounds), before = whole(part["generation"]), part["revocations"], self.policy
        if generation <= before.generation:
            raise FrameError("the generation of a policy does not follow that of the one before")
        self.policy = Policy(
            generation=generation,
            roles=before.roles if self._roles is None else MappingProxyType(self._roles),
            bindings=before.bindings if self._bindings is None else MappingProxyType(self._bindings),
            revocations=Revocations(whole(floor), tuple((str(ground), whole(since)) for ground, since in grounds)),
            authorities=_authorities(part["authorities"]) if "authorities" in part else before.authorities,
            files=_files(part["files"]) if "files" in part else before.files,
        )
        self._roles = self._bindings = None
        return self.policy


def _changed(before: Mapping[KeyT, ObjectT], after: Mapping[KeyT, ObjectT]) -> tuple[list[ObjectT], list[ObjectT]]:
    """The objects whose keys are gone, and those that are new or others than before."""
    if before is after:
        return [], []
    gone, come = differing(list(before.values()), list(after.values()))
    replaced = {each.key for each in come}
    return [each for each in gone if each.key not in replaced], come


def _pieces(objects: list[ObjectT]) -> Iterator[list[ObjectT]]:
    for start in range(0, len(objects), _PART):
        yield objects[start : start + _PART]


def _authorities(value: Any) -> ClientAuthorities:  # noqa: ANN401 - JSON of unknown shape
    users, front_proxies = value
    return ClientAuthorities(_bytes(users), _bytes(front_proxies))


def _files(value: Any) -> AuthFiles:  # noqa: ANN401 - JSON of unknown shape
    return AuthFiles(MappingProxyType({Path(path): Secret(_bytes(content)) for path, content in value.items()}))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
