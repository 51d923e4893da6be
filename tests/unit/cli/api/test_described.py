"""Objects in the words of `isthmus describe`."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.backends import Backing
from controlplane.cli.api.described import text

Make = Callable[..., config_pb2.Object]
NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
SLICES = ({"ports": [{"name": "web", "port": 8443}], "endpoints": [{"addresses": ["10.1.2.3"]}]},)
NOTHING = Backing()


def lines(item: config_pb2.Object, backing: Backing = NOTHING) -> list[str]:
    """The text, without what every object has."""
    return [line for line in text(item, backing, NOW).split("\n") if not line.startswith(("Name", "Annot", "Created"))]


def test_every_object_begins_with_what_all_have(made: Make) -> None:
    """Name, namespace, labels and annotations sorted, and since when it is there; nothing that kubectl keeps there."""
    metadata = {
        "name": "reader",
        "namespace": "prod",
        "labels": {"b": "2", "a": "1"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "short": "x",
            "lines": "one\ntwo\n",
            "long": "y" * 200,
        },
        "finalizers": ["example.com/a", "example.com/b"],
    }
    item = made("Role", metadata=metadata)

    assert [
        "Name:         reader",
        "Namespace:    prod",
        "Labels:       a=1",
        "              b=2",
        "Annotations:  lines:",
        "                one",
        "                two",
        "              long:",
        f"                {'y' * 140}...",
        "              short: x",
        "Created:      2030-01-01T00:00:00Z",
    ] == text(item, NOTHING, NOW).split("\n")[:11]


def test_an_object_that_is_being_deleted_says_who_holds_it(made: Make) -> None:
    """Since when, and by which finalizers."""
    item = made("Role")
    item.json = item.json.replace('"metadata":{', '"metadata":{"deletionTimestamp":"T","finalizers":["a","b"],')

    assert any(line.startswith("Being Deleted:") and line.endswith("since T, held by a, b") for line in lines(item))


def test_an_apiservice_says_who_serves_it_and_whether(made: Make) -> None:
    """The Service, where that leads, whom it trusts, and the conditions as the server gives them."""
    conditions = [
        {
            "type": "Available",
            "status": "False",
            "lastTransitionTime": "2030-01-01T00:00:00Z",
            "reason": "MissingEndpoints",
            "message": "no addresses\nat all",
        },
        {"type": "Programmed", "status": "Unknown"},
    ]
    item = made("APIService", status={"conditions": conditions})

    assert [
        "Labels:                    <none>",
        "Group:                     example.com",
        "Version:                   v1",
        "Group Priority Minimum:    1000",
        "Version Priority:          15",
        "Service:                   default/backend:443",
        "Endpoints:                 10.1.2.3:8443",
        "Insecure Skip TLS Verify:  true",
        "CA Bundle:                 <none>",
        "Conditions:",
        "  Type         Status    Last Transition Time   Reason             Message",
        "  ----         ------    --------------------   ------             -------",
        "  Available    False     2030-01-01T00:00:00Z   MissingEndpoints   no addresses at all",
        "  Programmed   Unknown",
    ] == lines(item, Backing({"spec": {"ports": [{"name": "web", "port": 443}]}}, SLICES))


def test_conditions_without_times_have_no_column_for_them(made: Make) -> None:
    """Those that the server makes at the moment of the answer have none."""
    conditions = [{"type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed"}]

    assert [
        "Conditions:",
        "  Type        Status   Reason   Message",
        "  ----        ------   ------   -------",
        "  Available   True     Passed   all checks passed",
    ] == lines(made("APIService", status={"conditions": conditions}))[-4:]


def test_a_local_apiservice_has_no_endpoints(made: Make) -> None:
    """Nor anybody to trust."""
    spec = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 2}

    assert [
        "Labels:                  <none>",
        "Group:                   example.com",
        "Version:                 v1",
        "Group Priority Minimum:  1",
        "Version Priority:        2",
        "Service:                 Local, that is the core API server",
        "Conditions:              <none>",
    ] == lines(made("APIService", spec=spec, status={}))


def test_a_ca_bundle_that_cannot_be_read_stops_nothing(made: Make) -> None:
    """It is said at its place."""
    item = made("APIService")
    item.json = item.json.replace('"insecureSkipTLSVerify":true', '"caBundle":"YQ=="')

    [line] = [line for line in lines(item) if line.startswith("CA Bundle:")]
    assert "<cannot be read: " in line


def test_a_service_says_where_each_port_leads(made: Make) -> None:
    """With the endpoints of that port."""
    assert [
        "Labels:            app=backend",
        "Selector:          app=backend",
        "Type:              ClusterIP",
        "IPs:               None",
        "Port:              web  80/TCP",
        "  Target Port:     80/TCP",
        "  Endpoints:       10.1.2.3:8443",
        "Port:              dns  53/UDP",
        "  Target Port:     dns/UDP",
        "  Endpoints:       <none>",
        "Session Affinity:  None",
    ] == lines(made("Service"), Backing({}, SLICES))


def test_a_service_of_another_name_says_it(made: Make) -> None:
    """It has no ports and no address."""
    spec = {"type": "ExternalName", "externalName": "a.example.com", "externalIPs": ["192.0.2.1"]}

    assert {"External Name:     a.example.com", "Ports:             <none>", "IPs:               <none>"} <= set(
        lines(made("Service", spec=spec))
    )


def test_an_endpointslice_lists_its_endpoints(made: Make) -> None:
    """A row for each, with its conditions."""
    many = [
        {"addresses": ["10.1.2.3"], "conditions": {"ready": True, "serving": False}, "nodeName": "n", "zone": "z"},
        {"addresses": ["10.1.2.4"], "hostname": "h"},
    ]

    assert [
        "Labels:       kubernetes.io/service-name=backend",
        "AddressType:  IPv4",
        "Ports:",
        "  Name   Port   Protocol",
        "  ----   ----   --------",
        "  web    8443   TCP",
        "Endpoints:",
        "  Addresses   Ready     Serving   Terminating   Hostname   Node      Zone",
        "  ---------   -----     -------   -----------   --------   ----      ----",
        "  10.1.2.3    true      false     <unset>       <unset>    n         z",
        "  10.1.2.4    <unset>   <unset>   <unset>       h          <unset>   <unset>",
    ] == lines(made("EndpointSlice", endpoints=many))
    nothing = lines(made("EndpointSlice", ports=None, endpoints=None))
    assert ["Ports:        <none>", "Endpoints:    <none>"] == nothing[2:]


def test_a_role_is_a_table_of_its_rules(made: Make) -> None:
    """A row a resource of a group; rules about the same are one."""
    rules: list[dict[str, Any]] = [
        {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "pods/log"]},
        {"verbs": ["watch", "get"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["a", "b"]},
        {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/metrics"]},
    ]

    assert [
        "Labels:       <none>",
        "Rules:",
        "  Resources       Non-Resource URLs     Resource Names   Verbs",
        "  ---------       -----------------     --------------   -----",
        "  pods            []                    []               [get list watch]",
        "  pods/log        []                    []               [get list]",
        "  pods.apps       []                    []               [get list]",
        "  pods.apps/log   []                    []               [get list]",
        "  *.*             []                    [a b]            [*]",
        "                  [/healthz /metrics]   []               [get]",
    ] == lines(made("ClusterRole", rules=rules))
    assert lines(made("ClusterRole", rules=rules[:3]))[1:] == lines(made("Role", rules=rules[:3]))[1:]


def test_an_aggregated_role_says_of_what(made: Make) -> None:
    """By the labels of the roles whose rules it has."""
    selectors = [
        {"matchLabels": {"b": "2", "a": "1"}},
        {
            "matchExpressions": [
                {"key": "k", "operator": "In", "values": ["x", "y"]},
                {"key": "l", "operator": "Exists"},
            ]
        },
        {},
    ]

    assert [
        "Labels:               <none>",
        "Rules Of Roles With:  a=1,b=2",
        "                      k In (x,y),l Exists",
        "                      any labels",
        "Rules:                <none>",
    ] == lines(made("ClusterRole", rules=None, aggregationRule={"clusterRoleSelectors": selectors}))


def test_a_binding_says_whom_it_gives_what(made: Make) -> None:
    """The role, and a row a subject."""
    assert [
        "Labels:       <none>",
        "Role:         ClusterRole/view",
        "Subjects:",
        "  Kind             Name   Namespace",
        "  ----             ----   ---------",
        "  User             ann",
        "  ServiceAccount   bot    default",
    ] == lines(made("ClusterRoleBinding"))
    assert "Subjects:     <none>" == lines(made("RoleBinding", subjects=None))[-1]


def test_a_secret_says_how_much_and_not_what(made: Make) -> None:
    """The size of each entry."""
    item = made("Secret")
    found = text(item, NOTHING, NOW)

    assert ["Type:         Opaque", "Data:", "  a:  1 bytes", "  b:  4 bytes"] == lines(item)[-4:]
    assert "YQ" not in found
    assert "text" not in found
    assert "Data:         <none>" == lines(made("Secret", data=None, stringData=None))[-1]
