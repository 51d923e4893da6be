"""Registrations for discovery's tests."""

from collections.abc import Callable

import pytest

from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, GroupVersion, ServiceReference
from controlplane.model.topology import Api, BackendKey


@pytest.fixture
def an_api() -> Callable[..., Api]:
    """Builds an Api from an APIService's name; `service` "" makes a Local one."""

    def build(
        name: str,
        group_priority: int = 1000,
        version_priority: int = 15,
        service: str = "web",
        *,
        available: bool = True,
    ) -> Api:
        version, _, group = name.partition(".")
        reference = ServiceReference("default", service) if service else None
        return Api(
            ApiService(GroupVersion(group, version), group_priority, version_priority, reference),
            Condition(ConditionStatus.TRUE if available else ConditionStatus.FALSE),
            BackendKey(reference, "system") if reference else None,
        )

    return build
