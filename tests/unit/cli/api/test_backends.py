"""What serves an object."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.backends import Backing, Backings, endpoints, registered
from controlplane.configapi.client import ApiError

Make = Callable[..., config_pb2.Object]
SERVICE = {"spec": {"ports": [{"name": "web", "port": 443}, {"port": 80}]}}


def a_slice(*addresses: str, name: str | None = "web", port: int | None = 8443, **conditions: bool) -> dict[str, Any]:
    """An EndpointSlice with an endpoint for each address."""
    there = [{"addresses": [address], "conditions": conditions} for address in addresses]
    return {"ports": [{"name": name, "port": port}], "endpoints": there}


def an_api(**service: object) -> dict[str, Any]:
    """An APIService whose Service is default/backend."""
    return {"spec": {"service": {"namespace": "default", "name": "backend", **service}}}


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ((), "<none>"),
        ((a_slice("10.0.0.2", "10.0.0.1"), a_slice("10.0.0.2")), "10.0.0.1:8443,10.0.0.2:8443"),
        ((a_slice("fd00::1"),), "[fd00::1]:8443"),
        ((a_slice("a.example.com"),), "a.example.com:8443"),
        ((a_slice("10.0.0.1", ready=False), a_slice("10.0.0.2", ready=True)), "10.0.0.2:8443"),
        ((a_slice("10.0.0.1", name="dns"), a_slice("10.0.0.2", port=None)), "<none>"),
        (({"ports": None, "endpoints": None}, {"ports": [{"name": "web", "port": 1}], "endpoints": None}), "<none>"),
        (({"ports": [{"name": "web", "port": 1}], "endpoints": [{"addresses": None}]},), "<none>"),
        (
            (a_slice(*(f"10.0.0.{last}" for last in range(100, 112))),),
            ",".join(f"10.0.0.{last}:8443" for last in range(100, 110)) + " and 2 more",
        ),
    ],
)
def test_endpoints_are_those_that_are_ready(slices: tuple[dict[str, Any], ...], expected: str) -> None:
    """On the port of the name, sorted, each once, ten at most."""
    assert expected == Backing(SERVICE, slices).of_port("web")


@pytest.mark.parametrize(
    ("api", "backing", "expected"),
    [
        (an_api(), Backing(SERVICE, (a_slice("10.0.0.1"),)), "10.0.0.1:8443"),
        (an_api(port=80), Backing(SERVICE, (a_slice("10.0.0.1", name=None, port=80),)), "10.0.0.1:80"),
        (an_api(port=8080), Backing(SERVICE, (a_slice("10.0.0.1"),)), "<none> (the Service has no port 8080)"),
        (an_api(), Backing(SERVICE), "<none>"),
        (an_api(), Backing({"spec": {"externalName": "a.example.com"}}), "a.example.com:443"),
        (an_api(), Backing(), "<by its DNS name, or a manifest's: no such Service is kept here>"),
        (an_api(), Backing(refused="services is forbidden"), "<not shown: services is forbidden>"),
    ],
)
def test_an_apiservice_is_served_by_its_service(api: dict[str, Any], backing: Backing, expected: str) -> None:
    """By the port that it names, and otherwise 443; why nothing is shown is said."""
    assert expected == endpoints(api, backing)


def test_the_service_of_an_apiservice_is_told_with_its_port() -> None:
    """Or that there is none."""
    assert "default/backend:443" == registered(an_api())
    assert "default/backend:8443" == registered(an_api(port=8443))
    assert "Local, that is the core API server" == registered({"spec": {}})


class Server:
    """Has the Service default/backend with one slice, and counts what it is asked."""

    def __init__(self, error: ApiError | None = None) -> None:
        self.asked: list[str] = []
        self._error = error

    def get(self, reference: config_pb2.Reference) -> config_pb2.Object:
        """The Service."""
        self.asked.append(f"{reference.namespace}/{reference.name}")
        if self._error is not None:
            raise self._error
        return config_pb2.Object(json=json.dumps(SERVICE))

    def pages(self, request: config_pb2.ListRequest) -> list[config_pb2.ListResponse]:
        """A page for each slice."""
        self.asked.append(f"{request.namespace} {request.label_selector}")
        item = config_pb2.Object(json=json.dumps(a_slice("10.0.0.1")))
        return [config_pb2.ListResponse(objects=[item]), config_pb2.ListResponse()]


def test_a_service_is_asked_for_once(made: Make) -> None:
    """However many APIServices it serves."""
    server = Server()
    backings = Backings(server)
    expected = Backing(SERVICE, (a_slice("10.0.0.1"),))

    assert [expected] * 3 == [backings.of(made(kind)) for kind in ("APIService", "APIService", "Service")]
    assert ["default/backend", "default kubernetes.io/service-name=backend"] == server.asked


def test_what_nothing_serves_is_not_asked_for(made: Make) -> None:
    """Other kinds, and APIServices that are Local."""
    server = Server()
    local = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}

    assert Backing() == Backings(server).of(made("Role")) == Backings(server).of(made("APIService", spec=local))
    assert [] == server.asked


def test_what_may_not_be_seen_is_said(made: Make) -> None:
    """What is not there is not; what keeps everything away is an error."""
    missing = ApiError("NOT_FOUND", "NotFound", "not found")
    forbidden = ApiError("PERMISSION_DENIED", "Forbidden", "services is forbidden")
    down = ApiError("UNAVAILABLE", "", "nobody answers")

    assert Backing() == Backings(Server(missing)).of(made("APIService"))
    assert Backing(refused="services is forbidden") == Backings(Server(forbidden)).of(made("APIService"))
    with pytest.raises(ApiError, match="nobody answers"):
        Backings(Server(down)).of(made("Service"))
