"""Envoy's bootstrap."""

import re
from typing import Any

import pytest

from controlplane.settings.address import Address
from controlplane.translation.bootstrap import bootstrap


@pytest.fixture
def document() -> dict[str, Any]:
    """A bootstrap without an admin interface."""
    return bootstrap(Address.parse("unix:/run/xds.sock"), node_id="one", node_cluster="all", admin=None)


@pytest.mark.parametrize(
    ("statistic", "kept"),
    [
        ("cluster.backend/default/web/443/system.upstream_rq_2xx", True),
        ("cluster.backend/default/web/443/system.membership_healthy", True),
        ("cluster.backend/default/web/443/system.lb_healthy_panic", True),
        ("cluster.backend/default/web/443/system.ssl.fail_verify_san", True),
        ("cluster.backend/default/web/443/system.update_rejected", True),
        ("cluster_manager.cds.update_success", True),
        ("listener.0.0.0.0_443.ssl.ocsp_staple_failed", True),
        ("cluster.backend/default/web/443/system.circuit_breakers.high.rq_open", False),
        ("cluster.backend/default/web/443/system.lb_subsets_active", False),
        ("cluster.backend/default/web/443/system.lb_zone_no_capacity_left", False),
        ("cluster.backend/default/web/443/system.lb_local_cluster_not_ok", False),
        ("cluster.backend/default/web/443/system.lb_recalculate_zone_structures", False),
        ("cluster.backend/default/web/443/system.assignment_stale", False),
        ("cluster.backend/default/web/443/system.ssl.ocsp_staple_failed", False),
    ],
)
def test_statistics_that_never_move_are_not_made(document: dict[str, Any], statistic: str, *, kept: bool) -> None:
    """Envoy makes no statistics of a cluster for what no cluster does, and all the others."""
    [pattern] = document["statsConfig"]["statsMatcher"]["exclusionList"]["patterns"]

    assert kept == (re.fullmatch(pattern["safeRegex"]["regex"], statistic) is None)
