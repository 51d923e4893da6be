"""`isthmus describe`: an object in all detail, and what serves it."""

from __future__ import annotations

import base64
from typing import Any

from click.testing import Result
from config_api import Api, rights, role, secret
from isthmus_command import isthmus
from pki import CertificateAuthority


async def describe(api: Api, *arguments: str) -> Result:
    """Runs `isthmus describe`."""
    return await isthmus(api.socket, "describe", *arguments)


def said(result: Result) -> dict[str, str]:
    """The values by their labels."""
    pairs = (line.partition(":") for line in result.stdout.splitlines())
    return {label.strip(): value.strip() for label, _, value in pairs}


def api_service(name: str, **spec: object) -> dict[str, Any]:
    """An APIService of a group whose Service is default/roses."""
    version, _, group = name.partition(".")
    given = {
        "group": group,
        "version": version,
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
        "service": {"namespace": "default", "name": "roses"},
        **spec,
    }
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": given,
    }


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "roses", "namespace": "default"},
    "spec": {"clusterIP": "None", "ports": [{"name": "https", "port": 443}]},
}
SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "roses-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "roses"}},
    "addressType": "IPv4",
    "ports": [{"name": "https", "port": 8443}],
    "endpoints": [{"addresses": ["10.1.2.3"]}, {"addresses": ["10.1.2.4"], "conditions": {"ready": False}}],
}


async def test_an_apiservice_is_described_with_what_serves_it(api: Api) -> None:
    """The addresses behind its Service, and whose certificate those must have."""
    bundle = base64.b64encode(CertificateAuthority("garden-ca").certificate).decode()
    for body in (SERVICE, SLICE, api_service("v1.garden.io", caBundle=bundle)):
        await api.apply(body)
    result = await describe(api, "apiservice", "v1.garden.io")
    told = said(result)

    assert (0, "") == (result.exit_code, result.stderr)
    assert "v1.garden.io" == told["Name"]
    assert "default/roses:443" == told["Service"]
    assert "10.1.2.3:8443" == told["Endpoints"]
    assert told["CA Bundle"].startswith("CN=garden-ca (expires at ")


async def test_the_beginning_of_a_name_is_enough(api: Api) -> None:
    """All objects whose names begin so are described, two empty lines between them."""
    for name in ("v1.garden.io", "v1.garden.org", "v2.garden.io"):
        await api.apply(api_service(name))
    found = await describe(api, "apiservices", "v1.gar")
    missing = await describe(api, "apiservices", "v3")

    assert ["v1.garden.io", "v1.garden.org"] == [
        text.split()[1] for text in found.stdout.split("\n\n\n") if text.startswith("Name:")
    ]
    assert (0, "") == (found.exit_code, found.stderr)
    assert (1, "", 'Error from server (NotFound): apiservices.apiregistration.k8s.io "v3" not found\n') == (
        missing.exit_code,
        missing.stdout,
        missing.stderr,
    )


async def test_what_may_not_be_seen_is_said_at_its_place(api: Api) -> None:
    """Whoever may see an APIService and not its Service is shown the APIService."""
    rule = {"verbs": ["get"], "apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"]}
    for body in (*rights("reader", "alice", rule), SERVICE, api_service("v1.garden.io")):
        done = await api.apply(body)
    await api.in_force(done.revision)
    token = api.folder.parent / "token"
    token.write_text("t-alice")
    result = await describe(api, "apiservice/v1.garden.io", "--token-file", str(token))

    assert 0 == result.exit_code
    assert said(result)["Endpoints"].startswith('<not shown: services "roses" is forbidden: User "alice" cannot get')


async def test_every_kind_is_described(api: Api) -> None:
    """As the server keeps it; what a Secret holds is not told."""
    bodies = [
        *rights("r", "alice", role("x")["rules"][0]),
        role("n", kind="Role"),
        SERVICE,
        SLICE,
        secret("s", k="hunter2"),
    ]
    for body in bodies:
        await api.apply(body)
    result = await describe(api, "clusterroles,clusterrolebindings,roles,svc,endpointslices,secrets")
    names = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("Name:")]

    assert (0, "") == (result.exit_code, result.stderr)
    assert ["r", "r", "n", "roses", "roses-1", "s"] == names
    assert "  roses.garden.io   []                  []               [get]" in result.stdout.splitlines()
    assert "  k:  7 bytes" in result.stdout.splitlines()
    assert "hunter2" not in result.stdout


async def test_nothing_is_said_in_words(api: Api) -> None:
    """And it is no failure."""
    result = await describe(api, "svc", "-l", "x=y")

    assert (0, "", "No resources found in default namespace.\n") == (result.exit_code, result.stdout, result.stderr)
