"""Whom a cluster believes: what is written, what follows it, and what is said when it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controlplane.cli.delegated import Cluster
from controlplane.errors import StartError

SAID = {
    "client-ca-file": "users",
    "requestheader-client-ca-file": "front proxies",
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-uid-headers": "[]",
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
}


class _Over(Exception):  # noqa: N818 -- no error: the test has seen enough
    """The cluster has no more to say."""


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., Cluster]:
    """A cluster that says these things one after the other: data of the ConfigMap, or why there is none."""

    def make(*answers: dict[str, str] | str) -> Cluster:
        left = list(answers)

        async def ask(path: str) -> dict[str, object] | str:
            assert path == "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
            if not left:
                raise _Over
            answer = left.pop(0)
            return answer if isinstance(answer, str) else {"data": answer}

        async def pause(_seconds: float) -> None:
            """Waits for nothing."""

        return Cluster(Path("/kubeconfig"), tmp_path, ask=ask, pause=pause)

    return make


def files_of(folder: Path) -> dict[str, str]:
    """The files by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


async def test_what_it_says_becomes_settings(cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    """Authorities are files, names and headers are settings, and the cluster is asked about tokens and rights."""
    asked = cluster("not yet", SAID)

    await asked.begin()

    webhook = {"kubeconfig": "/kubeconfig", "kubernetesAPI": True}
    asserting = {
        "clientCAFile": f"{tmp_path}/cluster-requestheader-client-ca.crt",
        "allowedNames": ["front-proxy-client"],
        "usernameHeaders": ["X-Remote-User"],
        "extraHeadersPrefix": ["X-Remote-Extra-"],
    }
    assert asked.settings() == {
        "authentication": {"webhook": webhook, "requestHeader": asserting},
        "authorizers": {"modes": ["Webhook"], "webhook": webhook},
        "frontDoor": {"clientCAFile": f"{tmp_path}/cluster-client-ca.crt"},
    }
    assert files_of(tmp_path) == {
        "cluster-client-ca.crt": "users",
        "cluster-requestheader-client-ca.crt": "front proxies",
    }


async def test_without_front_proxies_nobody_speaks_for_others(cluster: Callable[..., Cluster]) -> None:
    """A cluster may believe client certificates alone."""
    asked = cluster({"client-ca-file": "users"})

    await asked.begin()

    assert "requestHeader" not in asked.settings()["authentication"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("HTTP 403: forbidden", "HTTP 403: forbidden"),
        ({}, "the ConfigMap extension-apiserver-authentication names no authority"),
        ({**SAID, "requestheader-allowed-names": "["}, "requestheader-allowed-names in the ConfigMap "),
        ({**SAID, "requestheader-allowed-names": '"a"'}, "requestheader-allowed-names in the ConfigMap "),
    ],
)
async def test_a_cluster_that_does_not_say_stops_the_start(
    answer: dict[str, str] | str, reason: str, cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    """After some attempts; the sentence names the right that it takes."""
    with pytest.raises(StartError) as refused:
        await cluster(*[answer] * 10).begin()

    assert str(refused.value).startswith(f"/kubeconfig: the cluster does not say whom it believes: {reason}")
    assert "extension-apiserver-authentication-reader" in str(refused.value)
    assert files_of(tmp_path) == {}


async def test_other_authorities_are_followed(cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    """The files are written anew; a cluster that is silent for a while changes nothing."""
    asked = cluster(SAID, "HTTP 500: no", {**SAID, "requestheader-client-ca-file": "others"})
    await asked.begin()

    with pytest.raises(_Over):
        await asked.follow()

    assert files_of(tmp_path)["cluster-requestheader-client-ca.crt"] == "others"
    assert files_of(tmp_path)["cluster-client-ca.crt"] == "users"


@pytest.mark.parametrize(
    "change", [{"requestheader-allowed-names": '["b"]'}, {"client-ca-file": ""}, {"requestheader-client-ca-file": ""}]
)
async def test_other_names_end_it(change: dict[str, Any], cluster: Callable[..., Cluster]) -> None:
    """What only a start takes over ends the sidecar, so that it is started again."""
    asked = cluster(SAID, {**SAID, **change})
    await asked.begin()

    with pytest.raises(StartError, match="start again"):
        await asked.follow()
