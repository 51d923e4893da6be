"""Objects as the config API shows them, for the tests of what prints them.

In: a kind, and an object. Out: the message. Law: the object went through the server's own rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from resource_cases import BASES

from controlplane.api.v1 import config_pb2
from controlplane.configapi.objects import message
from controlplane.resources import operations
from controlplane.resources.finish import Written
from controlplane.resources.kinds import KINDS
from controlplane.resources.operations import Call, Target

MADE = "2030-01-01T00:00:00Z"


@pytest.fixture
def made() -> Callable[..., config_pb2.Object]:
    """Makes an object of a kind, of the plain one there is for each; keywords replace its top-level fields."""

    def make(name: str, version: str = "7", **fields: object) -> config_pb2.Object:
        kind = KINDS[name]
        body: dict[str, Any] = {**copy.deepcopy(BASES[name]), **fields}
        namespace = body["metadata"].get("namespace", "default") if kind.namespaced else ""
        result = operations.create(Target(kind, namespace, body["metadata"]["name"]), body, Call(MADE, f"u{version}"))
        assert isinstance(result, Written), result
        obj = result.object | {"metadata": {**result.object["metadata"], "resourceVersion": version}}
        if "status" in fields:
            obj["status"] = fields["status"]
        return message(kind, obj)

    return make
