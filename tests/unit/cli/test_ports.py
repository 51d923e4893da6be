"""Free and taken ports."""

import socket
from collections.abc import Iterator

import pytest

from controlplane.cli import ports
from controlplane.errors import StartError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_said_in_one_sentence(taken: int) -> None:
    """The sentence names the address, and the option that helps."""
    with pytest.raises(StartError) as caught:
        ports.require("127.0.0.1", taken)

    assert str(caught.value) == f"127.0.0.1:{taken} is taken; choose another with --port"


def test_a_port_shared_by_reuse_port_is_taken() -> None:
    """Envoy shares its ports with SO_REUSEPORT; a second front door must not creep in beside it."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as server:
        assert not ports.is_free("127.0.0.1", server.getsockname()[1])


def test_an_address_of_another_machine_is_said() -> None:
    """An address that cannot be listened on points at --address."""
    with pytest.raises(
        StartError, match=r"^192\.0\.2\.1:8443 cannot be listened on \(.*\); choose another with --address$"
    ):
        ports.require("192.0.2.1", 8443)


def test_a_free_port_can_be_required() -> None:
    """A port that was found free passes, and is not held."""
    port = ports.free("127.0.0.1")

    ports.require("127.0.0.1", port)

    assert ports.is_free("127.0.0.1", port)
