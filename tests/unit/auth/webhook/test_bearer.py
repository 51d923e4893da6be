from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from controlplane.auth.webhook.bearer import Bearer
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.model.credentials import Secret

FILE = Path("/token")
URL = "https://a/"


class World:
    """A clock and a file that the test changes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.content: bytes | None = b"one\n"
        self.reads = 0

    def clock(self) -> float:
        """The time."""
        return self.now

    def read(self, path: Path) -> bytes:
        """The file, if it is there."""
        assert path == FILE
        self.reads += 1
        if self.content is None:
            raise FileNotFoundError(2, "No such file or directory")
        return self.content


def bearer(world: World, authorization: Secret | None = None) -> Bearer:
    """The header of a connection with a token file."""
    return Bearer(Connection(URL, authorization=authorization, token_file=FILE), world.read, world.clock)


async def test_without_a_file_the_header_is_what_it_is() -> None:
    """A fixed header stays, and no header is None."""
    read: Callable[[Path], bytes] = World().read
    fixed = Bearer(Connection(URL, authorization=Secret(b"Basic x")), read, lambda: 0.0)
    none = Bearer(Connection(URL), read, lambda: 0.0)

    assert [Secret(b"Basic x"), None] == [await fixed.header(), await none.header()]


async def test_a_token_file_is_read_again_after_fifty_seconds() -> None:
    """Its token comes before a fixed one, and is followed as it is replaced."""
    world = World()
    shown = bearer(world, Secret(b"Bearer fixed"))
    first = await shown.header()
    world.content, world.now = b"two", 49.9
    second = await shown.header()
    world.now = 50.0
    third = await shown.header()

    assert [Secret(b"Bearer one"), Secret(b"Bearer one"), Secret(b"Bearer two")] == [first, second, third]
    assert 2 == world.reads


async def test_a_refused_token_is_read_anew() -> None:
    """The next question reads the file although its time is not over."""
    world = World()
    shown = bearer(world)
    await shown.header()
    world.content = b"two"
    shown.refused()

    assert Secret(b"Bearer two") == await shown.header()


async def test_a_file_that_is_gone_leaves_the_last_token() -> None:
    """What was read last stays in use, and the file is not looked for at every question."""
    world = World()
    shown = bearer(world)
    await shown.header()
    world.content, world.now = None, 50.0

    headers = [await shown.header(), await shown.header()]

    assert [Secret(b"Bearer one")] * 2 == headers
    assert 2 == world.reads


async def test_without_any_token_there_is_a_reason() -> None:
    """A file that cannot be read or holds no token is named, and looked for at the next question."""
    world = World()
    world.content = None
    shown = bearer(world)
    missing = await shown.header()
    world.content = b"a b"
    unfit = await shown.header()
    world.content = b"c"

    assert "the token file /token cannot be read (No such file or directory)" == missing
    assert "the token file /token holds no token" == unfit
    assert Secret(b"Bearer c") == await shown.header()
