"""Keys of an issuer kept fresh, with an issuer, a clock and pauses made of plain objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from controlplane.auth.jwt.compact import Unverified, unverified
from controlplane.auth.jwt.fetch import FetchFailed
from controlplane.auth.jwt.remote import LEAST_INTERVAL, REFRESH_INTERVAL, KeySource, RemoteKeys

ISSUER = "https://issuer.example.org/"
DISCOVERY = "https://issuer.example.org/.well-known/openid-configuration"
JWKS = "https://keys.example.org/jwks"


class World:
    """An issuer whose documents can be changed, a clock that is set, and pauses that end when the test says so."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes | FetchFailed | AssertionError] = {
            DISCOVERY: json.dumps({"issuer": ISSUER, "jwks_uri": JWKS}).encode()
        }
        self.asked: list[str] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self.now = 0.0
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self._woken = asyncio.Event()

    def publish(self, **keys: ec.EllipticCurvePrivateKey) -> None:
        """Makes these the issuer's keys, by key ID."""
        entries = [
            {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid}
            for kid, key in keys.items()
        ]
        self.documents[JWKS] = json.dumps({"keys": entries}).encode()

    async def fetch(self, url: str) -> bytes | FetchFailed:
        """The document at `url`, once the issuer answers; an error in its place is raised."""
        self.asked.append(url)
        await self.answering.wait()
        document = self.documents.get(url, FetchFailed(f"{url}: HTTP status 404"))
        if isinstance(document, AssertionError):
            raise document
        return document

    async def pause(self, seconds: float) -> None:
        """Lasts until `wake`."""
        self.pauses.put_nowait(seconds)
        self._woken.clear()
        await self._woken.wait()

    def wake(self) -> None:
        """Ends the pause."""
        self._woken.set()


@asynccontextmanager
async def running(world: World, source: KeySource | None = None) -> AsyncIterator[RemoteKeys]:
    """Keys that are kept fresh."""
    keys = RemoteKeys(source or KeySource.by_discovery(ISSUER, ""), world.fetch, lambda: world.now, world.pause)
    task = asyncio.create_task(keys.run())
    try:
        yield keys
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def parts(token: str) -> Unverified:
    """The parts of a token that has them."""
    found = unverified(token)
    assert found is not None
    return found


@pytest.fixture
def one(ec_key: ec.EllipticCurvePrivateKey) -> ec.EllipticCurvePrivateKey:
    """The key "one"."""
    return ec_key


@pytest.fixture
def two() -> ec.EllipticCurvePrivateKey:
    """Another key, "two"."""
    return ec.generate_private_key(ec.SECP256R1())


async def test_keys_are_found_by_discovery(one: ec.EllipticCurvePrivateKey, signed: Callable[..., str]) -> None:
    """The discovery document says where the keys are; then signatures are verified without another fetch."""
    world = World()
    world.publish(one=one)
    async with running(world) as keys:
        await keys.ready.wait()

        assert await keys.verifies(parts(signed({"iss": ISSUER})))
        assert world.asked == [DISCOVERY, JWKS]


async def test_nothing_is_known_before_the_first_answer(signed: Callable[..., str]) -> None:
    """A token that comes before there are keys waits for nothing."""
    world = World()
    world.answering.clear()
    async with running(world) as keys:
        assert await keys.verifies(parts(signed({"iss": ISSUER}))) is None
        assert not keys.ready.is_set()


async def test_an_unknown_key_is_fetched_once_in_a_while(
    one: ec.EllipticCurvePrivateKey, two: ec.EllipticCurvePrivateKey, signed: Callable[..., str]
) -> None:
    """A rotated key is found by the first token that it signed; tokens of nobody's key cause few fetches."""
    world = World()
    world.publish(one=one)
    async with running(world) as keys:
        await keys.ready.wait()
        world.publish(one=one, two=two)
        rotated = parts(signed({"iss": ISSUER}, key=two, kid="two"))
        forged = parts(signed({"iss": ISSUER}, key=two, kid="three"))

        assert await keys.verifies(rotated) is False
        world.now += LEAST_INTERVAL
        assert await keys.verifies(rotated) is True
        for _ in range(10):
            assert await keys.verifies(forged) is False
        assert world.asked.count(JWKS) == 2


async def test_many_lookups_share_one_fetch(
    one: ec.EllipticCurvePrivateKey, two: ec.EllipticCurvePrivateKey, signed: Callable[..., str]
) -> None:
    """A hundred tokens of a new key wait for one fetch, and one of them giving up stops it for nobody."""
    world = World()
    world.publish(one=one)
    async with running(world) as keys:
        await keys.ready.wait()
        world.publish(two=two)
        world.now += LEAST_INTERVAL
        world.answering.clear()
        token = parts(signed({"iss": ISSUER}, key=two, kid="two"))
        waiting = [asyncio.create_task(keys.verifies(token)) for _ in range(100)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        world.answering.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)

        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [True] * 99
        assert world.asked == [DISCOVERY, JWKS, JWKS]


async def test_keys_stay_while_the_issuer_is_down(one: ec.EllipticCurvePrivateKey, signed: Callable[..., str]) -> None:
    """Known keys verify on; failures are retried ever more slowly, told once, and so is the recovery."""
    world = World()
    world.publish(one=one)
    with capture_logs() as logs:
        async with running(world) as keys:
            assert await world.pauses.get() == REFRESH_INTERVAL
            good, world.documents[JWKS] = world.documents[JWKS], FetchFailed(f"{JWKS}: refused")
            pauses = []
            for _ in range(6):
                world.wake()
                pauses.append(await world.pauses.get())

            assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
            assert await keys.verifies(parts(signed({"iss": ISSUER})))
            world.documents[JWKS] = good
            world.wake()
            assert await world.pauses.get() == REFRESH_INTERVAL

    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("keys of the issuer fetched", "info"),
        ("keys of the issuer cannot be fetched, its new tokens are refused", "warning"),
        ("keys of the issuer fetched", "info"),
    ]
    assert logs[1]["issuer"] == ISSUER
    assert logs[1]["reason"] == f"{JWKS}: refused"


async def test_a_withdrawn_key_is_dropped(one: ec.EllipticCurvePrivateKey, signed: Callable[..., str]) -> None:
    """The regular fetch forgets a key that the issuer no longer publishes."""
    world = World()
    world.publish(one=one)
    async with running(world) as keys:
        await world.pauses.get()
        world.publish()
        world.wake()
        await world.pauses.get()

        assert await keys.verifies(parts(signed({"iss": ISSUER}))) is False


async def test_an_issuer_may_move_its_keys(one: ec.EllipticCurvePrivateKey, signed: Callable[..., str]) -> None:
    """The regular fetch reads the discovery document anew."""
    world = World()
    world.publish()
    async with running(world) as keys:
        await world.pauses.get()
        moved = "https://elsewhere.example.org/jwks"
        world.documents[DISCOVERY] = json.dumps({"issuer": ISSUER, "jwks_uri": moved}).encode()
        world.publish(one=one)
        world.documents[moved] = world.documents.pop(JWKS)
        world.wake()
        await world.pauses.get()

        assert await keys.verifies(parts(signed({"iss": ISSUER})))


@pytest.mark.parametrize(
    ("discovery", "reason"),
    [
        (b"<html>", "it is no JSON object"),
        (b"[]", "it is no JSON object"),
        ({"jwks_uri": JWKS}, "it is of another issuer"),
        ({"issuer": ISSUER.rstrip("/"), "jwks_uri": JWKS}, "it is of another issuer"),
        ({"issuer": ISSUER}, "it names no jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": 1}, "it names no jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": "https://nowhere.example.org"}, "HTTP status 404"),
    ],
)
async def test_bad_discovery_documents_give_no_keys(discovery: Any, reason: str) -> None:  # noqa: ANN401 - JSON
    """A document of another issuer, or without a usable address, is a failure that the log tells."""
    world = World()
    world.publish()
    world.documents[DISCOVERY] = discovery if isinstance(discovery, bytes) else json.dumps(discovery).encode()
    with capture_logs() as logs:
        async with running(world) as keys:
            assert await world.pauses.get() == 1.0
            assert not keys.ready.is_set()

    assert reason in logs[0]["reason"]


async def test_a_key_set_without_discovery(one: ec.EllipticCurvePrivateKey, signed: Callable[..., str]) -> None:
    """With the address of the key set nothing else is asked for; a document that is none is a failure."""
    world = World()
    world.documents[JWKS] = b"<html>"
    async with running(world, KeySource("sa", jwks_url=JWKS)) as keys:
        assert await world.pauses.get() == 1.0
        world.publish(one=one)
        world.wake()
        await keys.ready.wait()

        assert await keys.verifies(parts(signed({"iss": "x"})))
        assert world.asked == [JWKS, JWKS]


async def test_who_waits_at_the_end_is_refused(
    one: ec.EllipticCurvePrivateKey, two: ec.EllipticCurvePrivateKey, signed: Callable[..., str]
) -> None:
    """Keys that are no longer kept fresh end the fetch, and whoever waits for it gets a no."""
    world = World()
    world.publish(one=one)
    async with running(world) as keys:
        await world.pauses.get()
        world.now += LEAST_INTERVAL
        world.answering.clear()
        waiting = asyncio.create_task(keys.verifies(parts(signed({"iss": ISSUER}, key=two, kid="two"))))
        await asyncio.sleep(0)

    assert await waiting is False


@pytest.mark.parametrize("at", [DISCOVERY, JWKS])
async def test_a_defect_ends_no_refreshing(
    at: str, one: ec.EllipticCurvePrivateKey, two: ec.EllipticCurvePrivateKey, signed: Callable[..., str]
) -> None:
    """What nobody foresaw, while keys are fetched or while a token waits for them, counts as one fetch that failed."""
    world = World()
    world.publish(one=one)
    with capture_logs() as logs:
        async with asyncio.timeout(10), running(world) as keys:
            await world.pauses.get()
            good, world.documents[at] = world.documents[at], AssertionError("a defect")
            world.wake()
            assert await world.pauses.get() == 1.0
            world.now += LEAST_INTERVAL
            assert await keys.verifies(parts(signed({"iss": ISSUER}, key=two, kid="two"))) is False
            assert await keys.verifies(parts(signed({"iss": ISSUER})))
            world.documents[at] = good
            world.wake()
            assert await world.pauses.get() == REFRESH_INTERVAL

    assert [log["reason"] for log in logs if "reason" in log] == [
        "defect in the control plane: AssertionError('a defect')"
    ]


async def test_whoever_observes_is_told_of_key_sets(one: ec.EllipticCurvePrivateKey) -> None:
    """The document itself, None for one that cannot be had or used, and nothing of a discovery document that fails."""
    world, told = World(), list[bytes | None]()
    world.publish(one=one)
    good = world.documents[JWKS]
    keys = RemoteKeys(KeySource("i", jwks_url=JWKS), world.fetch, lambda: world.now, world.pause, None, told.append)
    task = asyncio.create_task(keys.run())
    for document in (b"nonsense", FetchFailed("gone"), good):
        await world.pauses.get()
        world.documents[JWKS] = document
        world.wake()
    await world.pauses.get()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [good, None, None, good] == told
