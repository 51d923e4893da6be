"""Manifests in, Envoy configuration out, compared with reviewed files and accepted by the real Envoy.

Cases are found by name: in/NAME.yaml makes out/NAME.yaml. A case whose name begins with "core-" has a core API server.
`make golden` rewrites the outputs and deletes those that no input makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import scoped_route_pb2
from envoy.extensions.common.matching.v3 import extension_matcher_pb2  # noqa: F401
from envoy.extensions.filters.common.matcher.action.v3 import skip_action_pb2  # noqa: F401
from envoy.extensions.filters.common.set_filter_state.v3 import value_pb2  # noqa: F401 -- registers a type
from envoy.extensions.filters.http.composite.v3 import composite_pb2  # noqa: F401
from envoy.extensions.filters.http.custom_response.v3 import custom_response_pb2  # noqa: F401
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2  # noqa: F401
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2  # noqa: F401
from envoy.extensions.filters.http.lua.v3 import lua_pb2  # noqa: F401
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.http.set_filter_state.v3 import set_filter_state_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: F401
from envoy.extensions.http.custom_response.local_response_policy.v3 import local_response_policy_pb2  # noqa: F401
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import (  # noqa: F401
    header_mutation_pb2 as early_header_mutation_pb2,
)
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2  # noqa: F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: F401
from envoy.type.matcher.v3 import http_inputs_pb2, status_code_input_pb2  # noqa: F401
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from pki import CertificateAuthority

from controlplane.model.apiservice import ServiceReference
from controlplane.model.change import CredentialsChanged, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import (
    CLUSTER,
    ENDPOINTS,
    EXTENSION_CONFIG,
    LISTENER,
    SCOPED_ROUTE,
    SECRET,
    EnvoyResource,
)
from controlplane.model.topology import Backend, BackendKey, Endpoint
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.sources.manifest import decoded
from controlplane.translation.bootstrap import bootstrap
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.request_headers import RequestHeaders
from controlplane.translation.translate import Translator, everything
from controlplane.translation.verdicts import VerdictTerms

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "in").glob("*.yaml"))
CORE = Backend(
    BackendKey(ServiceReference("", "core", 6443), "system"), "kubernetes", (Endpoint("127.0.0.1", 6443),), dns=False
)
CREDENTIALS = Credentials(
    KeyPair(b"serving chain", Secret(b"serving key")),
    client_ca=b"client CA",
    front_proxy=KeyPair(b"front-proxy chain", Secret(b"front-proxy key")),
    system_roots=b"system roots",
)
SCRIPTS = Scripts("-- verdicts.lua", "-- scope.lua", "-- arrival.lua", "-- identity.lua")
TERMS = VerdictTerms("epoch", entries=1000, milliseconds=10_000)
KINDS: dict[str, tuple[str, type[Message]]] = {
    LISTENER: ("listeners", listener_pb2.Listener),
    EXTENSION_CONFIG: ("extensionConfigs", extension_pb2.TypedExtensionConfig),
    SCOPED_ROUTE: ("scopedRoutes", scoped_route_pb2.ScopedRouteConfiguration),
    CLUSTER: ("clusters", cluster_pb2.Cluster),
    ENDPOINTS: ("endpoints", endpoint_pb2.ClusterLoadAssignment),
    SECRET: ("secrets", secret_pb2.Secret),
}

Configuration = dict[str, dict[str, dict[str, object]]]


def configuration_of(
    case: str,
    scripts: Scripts = SCRIPTS,
    credentials: Credentials = CREDENTIALS,
    reader: str = "-- request_headers.lua",
) -> Configuration:
    """All resources of a case, by kind and name, in Envoy's JSON form; `front-proxied-` ones have front proxies."""
    headers = None
    if case.startswith("front-proxied-"):
        headers = RequestHeaders(reader, ("x-remote-user",), ("x-remote-uid", "x_group"), ("x-remote-extra-",))
        credentials = replace(credentials, request_header_ca=credentials.client_ca)
    objects, problems = decoded((HERE / "in" / f"{case}.yaml").read_bytes(), f"{case}.yaml")
    assert problems == ()
    registry = Registry(dns_template="{name}.{namespace}.svc", core=CORE if case.startswith("core-") else None)
    topology = registry.apply([CredentialsChanged(credentials), *(Upsert(key, thing) for key, thing in objects)])
    translator = Translator(
        door=FrontDoor(
            "127.0.0.1", 8443, scripts, asks_for_client_certificates=True, verdicts=TERMS, request_headers=headers
        ),
        authorization=Address.parse("unix:/run/isthmus/authorization.sock"),
        discovery=Address.parse("isthmus:18002"),
    )
    resources = (
        *translator.fixed(topology).upserts,
        *translator.translate(topology, everything(topology)).upserts,
    )
    configuration: Configuration = {}
    for resource in resources:
        kind, _ = KINDS[resource.key.type_url]
        configuration.setdefault(kind, {})[resource.key.name] = as_json(resource)
    return configuration


def as_json(resource: EnvoyResource) -> dict[str, object]:
    """One resource in Envoy's JSON form."""
    message = KINDS[resource.key.type_url][1].FromString(resource.body)
    # Through JSON, which knows no OrderedDict.
    document: dict[str, object] = json.loads(json.dumps(MessageToDict(message)))
    return document


@pytest.mark.parametrize("case", CASES)
def test_manifests_become_exactly_this_configuration(case: str, update_golden: bool) -> None:
    """The configuration of each case is the reviewed one, to the last field."""
    text = yaml.safe_dump(configuration_of(case), sort_keys=True, width=120)
    golden = HERE / "out" / f"{case}.yaml"
    if update_golden:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)

    assert golden.read_text() == text


def test_every_golden_file_has_its_input(update_golden: bool) -> None:
    """No output outlives the case it belonged to."""
    strays = [path for path in (HERE / "out").glob("*.yaml") if path.stem not in CASES]
    if update_golden:
        for path in strays:
            path.unlink()
        strays = []

    assert strays == []


@pytest.fixture(scope="module")
def real_credentials() -> Credentials:
    """Certificates that Envoy can read."""
    authority = CertificateAuthority("ca")
    serving, proxy = authority.issue("serving"), authority.issue("front-proxy")
    return Credentials(
        KeyPair(serving[0], Secret(serving[1])),
        client_ca=authority.certificate,
        front_proxy=KeyPair(proxy[0], Secret(proxy[1])),
        system_roots=authority.certificate,
    )


@pytest.mark.live
@pytest.mark.parametrize("case", CASES)
def test_the_real_envoy_accepts_the_configuration(case: str, real_credentials: Credentials, tmp_path: Path) -> None:
    """`envoy --mode validate` finds nothing wrong with it, Lua included."""
    lua = HERE.parents[2] / "envoy" / "lua"
    sources = {name: (lua / f"{name}.lua").read_text() for name in ("verdicts", "scope", "arrival", "identity")}
    scripts = Scripts(**sources)
    path = tmp_path / "envoy.json"
    reader = (lua / "request_headers.lua").read_text()
    path.write_text(json.dumps(as_static(configuration_of(case, scripts, real_credentials, reader))))

    envoy = Path(sys.executable).with_name("envoy")
    run = subprocess.run(
        [str(envoy), "--mode", "validate", "-c", str(path)], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip().endswith("OK")


def as_static(configuration: Configuration) -> dict[str, object]:
    """The configuration as a bootstrap, since Envoy validates nothing that comes over xDS.

    Scopes and the authorization filter move to where they are used, load assignments into their clusters, and secrets
    are found by name among the static ones.
    """
    document = bootstrap(Address.parse("unix:/run/xds.sock"), node_id="golden", node_cluster="golden", admin=None)
    (listener,) = configuration["listeners"].values()
    chains = listener["filterChains"]
    assert isinstance(chains, list)
    manager = chains[0]["filters"][0]["typedConfig"]
    routes = manager["scopedRoutes"]
    del routes["scopedRds"]
    routes["scopedRouteConfigurationsList"] = {
        "scopedRouteConfigurations": list(configuration["scopedRoutes"].values()),
    }
    for http_filter in manager["httpFilters"]:
        if http_filter.pop("configDiscovery", None):
            http_filter["typedConfig"] = configuration["extensionConfigs"][http_filter["name"]]["typedConfig"]
    clusters = configuration["clusters"]
    for name, assignment in configuration.get("endpoints", {}).items():
        cluster = {key: value for key, value in clusters[name].items() if key != "edsClusterConfig"}
        clusters[name] = {**cluster, "type": "STATIC", "loadAssignment": assignment}
    own = document["staticResources"]
    assert isinstance(own, dict)
    own["clusters"] = [*own["clusters"], *clusters.values()]
    own["listeners"] = [listener]
    own["secrets"] = list(configuration["secrets"].values())
    _without_sds(document)
    return document


def _without_sds(value: object) -> None:
    if isinstance(value, dict):
        value.pop("sdsConfig", None)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _without_sds(inner)
