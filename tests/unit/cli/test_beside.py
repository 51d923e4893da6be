"""The settings of a sidecar: which of those who say something has its way."""

from __future__ import annotations

from pathlib import Path

from controlplane.cli.beside import Options, document, merged
from controlplane.cli.workspace import Workspace
from controlplane.settings.address import Address

WORKSPACE = Workspace(Path("/w"), Path("/s"))


def test_the_command_line_alone_is_enough() -> None:
    """Before a server: a front door, the server, and faces on sockets of its own."""
    options = Options(
        listen=Address(host="127.0.0.1", port=9443),
        upstream="127.0.0.1:8080",
        apis=("example.com/v1",),
        certificate_file=Path("/tls.crt"),
        private_key_file=Path("/tls.key"),
        client_ca_file=Path("/ca.crt"),
    )

    made = document(options, {}, {}, WORKSPACE)

    assert made["frontDoor"] == {
        "address": "127.0.0.1",
        "port": 9443,
        "clientCAFile": "/ca.crt",
        "certificateFile": "/tls.crt",
        "privateKeyFile": "/tls.key",
    }
    assert made["sidecar"] == {"server": {"upstream": "127.0.0.1:8080", "apis": ["example.com/v1"]}}
    assert made["manifests"] == "/w/manifests"
    assert made["xds"] == {"listen": "unix:/s/xds.sock"}


def test_for_a_client_the_certificate_is_its_own() -> None:
    """The same options mean the credential that API servers are shown."""
    options = Options(
        server="https://10.0.0.1:6443",
        ca_file=Path("/ca.crt"),
        certificate_file=Path("/me.crt"),
        private_key_file=Path("/me.key"),
        listen=Address(path="/run/kube.sock"),
    )

    made = document(options, {}, {}, WORKSPACE)

    assert made["core"] == {"server": "https://10.0.0.1:6443", "caFile": "/ca.crt"}
    client = {"listen": "unix:/run/kube.sock", "certificateFile": "/me.crt", "privateKeyFile": "/me.key"}
    assert made["sidecar"] == {"client": client}
    assert "frontDoor" not in made


def test_the_command_line_comes_before_the_file_and_the_file_before_the_cluster() -> None:
    """Value by value, not section by section."""
    file = {"frontDoor": {"port": 1, "clientCAFile": "file.crt"}, "authorizers": {"modes": ["RBAC", "Webhook"]}}
    cluster = {
        "frontDoor": {"clientCAFile": "cluster.crt"},
        "authorizers": {"modes": ["Webhook"], "webhook": {"kubeconfig": "k"}},
    }

    made = document(Options(listen=Address(host="127.0.0.1", port=2)), file, cluster, WORKSPACE)

    assert made["frontDoor"] == {"address": "127.0.0.1", "port": 2, "clientCAFile": "file.crt"}
    assert made["authorizers"] == {"modes": ["RBAC", "Webhook"], "webhook": {"kubeconfig": "k"}}


def test_a_configuration_of_authorizers_takes_the_place_of_the_clusters() -> None:
    """Both ways of listing authorizers together would be refused, and nobody could mend that."""
    file = {"authorizers": {"configurationFile": "authz.yaml"}}

    made = document(Options(), file, {"authorizers": {"modes": ["Webhook"]}}, WORKSPACE)

    assert made["authorizers"] == {"configurationFile": "authz.yaml"}


def test_lists_are_values() -> None:
    """They are replaced, not joined."""
    assert {"a": {"b": [2], "c": 3}} == merged({"a": {"b": [1], "c": 3}}, {"a": {"b": [2]}})
