from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from controlplane.auth.webhook.kubeconfig import Connection, in_cluster, read_kubeconfig
from controlplane.egress.proxying import Proxy
from controlplane.errors import SettingsError
from controlplane.model.credentials import KeyPair, Secret

HERE = Path("/etc/isthmus/webhook.kubeconfig")
FILES = {"/etc/isthmus/ca.crt": b"CA", "/etc/isthmus/a.crt": b"CRT", "/keys/a.key": b"KEY"}


def read(path: Path) -> bytes:
    """Reads one of the files that there are."""
    try:
        return FILES[str(path)]
    except KeyError:
        raise FileNotFoundError(2, "No such file or directory") from None


def kubeconfig(cluster: Mapping[str, object], user: Mapping[str, object] | None = None) -> str:
    """A kubeconfig whose current context is of this cluster and user, beside others."""
    context = {"cluster": "c"} | ({} if user is None else {"user": "u"})
    return yaml.safe_dump(
        {
            "clusters": [{"name": "other", "cluster": {}}, {"name": "c", "cluster": cluster}],
            "users": [{"name": "other", "user": {}}, {"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": context}],
            "current-context": "x",
        }
    )


SERVER = {"server": "https://a.example.org:1/review"}


@pytest.mark.parametrize(
    ("cluster", "user", "expected"),
    [
        ({}, None, {}),
        ({"certificate-authority": "ca.crt", "tls-server-name": "b"}, {}, {"roots": b"CA", "server_name": "b"}),
        ({"certificate-authority-data": base64.b64encode(b"D").decode()}, {}, {"roots": b"D"}),
        ({"insecure-skip-tls-verify": True}, {}, {"roots": None}),
        ({"proxy-url": "http://p:3128"}, {}, {"proxy": Proxy("http://p:3128")}),
        ({"proxy-url": "socks5://n:p@p"}, {}, {"proxy": Proxy("socks5://p", Secret(b"Basic bjpw"))}),
        ({"proxy-url": ""}, {}, {"proxy": None}),
        ({}, {"token": "t"}, {"authorization": Secret(b"Bearer t")}),
        ({}, {"username": "n", "password": "p"}, {"authorization": Secret(b"Basic bjpw")}),
        ({}, {"tokenFile": "t"}, {"token_file": Path("/etc/isthmus/t")}),
        ({}, {"client-certificate": "a.crt", "client-key": "/keys/a.key"}, {"client": KeyPair(b"CRT", Secret(b"KEY"))}),
        (
            {},
            {"client-certificate-data": "RA==", "client-key-data": "Sw=="},
            {"client": KeyPair(b"D", Secret(b"K"))},
        ),
    ],
)
def test_the_current_context_says_whom_to_ask(
    cluster: dict[str, object], user: dict[str, object] | None, expected: dict[str, object]
) -> None:
    """Cluster and user of the current context are read, files relative to the kubeconfig."""
    actual = read_kubeconfig(kubeconfig({**SERVER, **cluster}, user), HERE, read)

    wanted = Connection(**{"url": SERVER["server"], **expected})  # type: ignore[arg-type]  # fields of many types
    assert wanted == actual


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        ({"server": ""}, {}, "cluster.server is not set"),
        ({"server": "http://a/b"}, {}, "cluster.server is no URL of a server with TLS"),
        ({"server": "https://u:hidden@a/b"}, {}, "cluster.server is no URL of a server with TLS"),
        ({"server": "https://a:x/"}, {}, "cluster.server is no URL of a server with TLS"),
        (
            {"proxy-url": "ftp://u:hidden@p"},
            {},
            "cluster.proxy-url names a proxy that is none of http, https and socks5;",
        ),
        ({"proxy-url": "p:3128"}, {}, "cluster.proxy-url names a proxy that is none of http, https and socks5;"),
        ({"proxy-url": "socks5://hidden@p"}, {}, "cluster.proxy-url names a SOCKS proxy with credentials"),
        ({"proxy-url": 5}, {}, "cluster.proxy-url is not one line of text"),
        ({"certificate-authority": "no.crt"}, {}, "which cannot be read (No such file or directory)"),
        ({"certificate-authority": "ca.crt", "certificate-authority-data": "RA=="}, {}, "are both specified; keep one"),
        ({"certificate-authority-data": "*"}, {}, "cluster.certificate-authority-data is not base64"),
        ({"certificate-authority": "ca.crt", "insecure-skip-tls-verify": True}, {}, "are both set; keep one"),
        ({"insecure-skip-tls-verify": "yes"}, {}, "is neither true nor false"),
        ({}, {"exec": {"command": "aws"}}, "user.exec runs a program, which nothing here does"),
        ({}, {"auth-provider": {"name": "gcp"}}, "user.auth-provider is a plug-in"),
        ({}, {"as": "root"}, "user.as impersonates"),
        ({}, {"client-certificate": "a.crt"}, "user.client-key is not set and its other half is"),
        ({}, {"token": "hidden", "username": "n"}, "may be set, but not both"),
        ({}, {"token": "hidden\nhidden"}, "user.token is not one line of text"),
        ({}, {"token": 5}, "user.token is not one line of text"),
    ],
)
def test_what_cannot_be_done_is_refused(cluster: dict[str, object], user: dict[str, object], said: str) -> None:
    """A kubeconfig that is incomplete or wants more than there is names the file and the field, and no secret."""
    with pytest.raises(SettingsError) as caught:
        read_kubeconfig(kubeconfig({**SERVER, **cluster}, user), HERE, read)

    assert str(caught.value).startswith(f"{HERE}: ")
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token: [hidden", "is not YAML (line 1)"),
        ("- a", "is no kubeconfig"),
        ("{}", "current-context is not set"),
        ("current-context: x", "contexts has no entry 'x'"),
        ("{current-context: x, contexts: [{name: x}]}", "clusters has no entry None"),
        (
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: {}}",
            "clusters has no entry 'c'",
        ),
    ],
)
def test_what_is_no_kubeconfig_is_refused(text: str, said: str) -> None:
    """The sentence says what is missing, and shows nothing of a file that does not parse."""
    with pytest.raises(SettingsError) as caught:
        read_kubeconfig(text, HERE, read)

    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_pod_asks_its_own_kube_apiserver() -> None:
    """Host and port come from the environment, trust and token from the service account's folder."""
    folder = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}

    actual = in_cluster(environment, lambda path: str(path).encode())

    assert Connection("https://[fd00::1]:443", bytes(folder / "ca.crt"), token_file=folder / "token") == actual


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "unable to load in-cluster configuration"),
        ({"KUBERNETES_SERVICE_HOST": "a", "KUBERNETES_SERVICE_PORT": "1"}, "ca.crt cannot be read"),
    ],
)
def test_outside_of_a_pod_there_is_no_such_server(environment: dict[str, str], said: str) -> None:
    """What is missing is said."""
    with pytest.raises(SettingsError, match=said):
        in_cluster(environment, read)
