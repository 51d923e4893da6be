"""Random snapshots, subscriptions, acknowledgements, rejections, reconnects and delays against the xDS machine.

An Envoy is modelled that applies what it acknowledges, and of what it rejects either the good members or nothing. After
every step the invariants hold; at the end, once everything was answered, it holds what the snapshot says.
"""

from __future__ import annotations

import hashlib

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trials import trials
from unit.xds.client import Answer, Client, build

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, EnvoyResource, ResourceName
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.stream import Protocol

WAIT_LIMIT = 5.0
WILDCARDS = (CLUSTER, SCOPED_ROUTE, LISTENER)
CLUSTERS = ("c0", "c1", "c2", "c3")
ROUTES = ("r0", "r1", "r2")

# One in eight is rejected: more, and little would ever be held that a later step could break.
contents = st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "bad"])
worlds = st.fixed_dictionaries(
    {
        "clusters": st.dictionaries(st.sampled_from(CLUSTERS), contents),
        "endpoints": st.dictionaries(st.sampled_from(CLUSTERS), contents),
        "listeners": st.dictionaries(st.sampled_from(("l0", "l1")), contents),
        "routes": st.dictionaries(
            st.sampled_from(ROUTES), st.tuples(contents, st.sets(st.sampled_from(CLUSTERS), max_size=2))
        ),
    }
)


def resources_of(world: dict) -> list[EnvoyResource]:
    """The resources of a generated world; routes reference only clusters that exist, as translation makes them."""
    clusters = world["clusters"]
    return [
        *(build.cluster(name, body) for name, body in clusters.items()),
        *(build.endpoints(name, world["endpoints"].get(name, "1")) for name in clusters),
        *(build.of(LISTENER, name, body) for name, body in world["listeners"].items()),
        *(
            build.route(name, *sorted(wanted & clusters.keys()), body=body, type_url=SCOPED_ROUTE)
            for name, (body, wanted) in world["routes"].items()
        ),
    ]


def version(body: bytes) -> str:
    """The version that the control plane gives a body."""
    return hashlib.sha256(body).hexdigest()[:32]


def is_bad(body: bytes) -> bool:
    """Whether the modelled Envoy rejects a body."""
    return b"=bad" in body


class XdsStream(RuleBasedStateMachine):
    """One Envoy, its control plane, and time."""

    protocol = Protocol.DELTA
    shrink_limit: ShrinkLimit | None = None

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = Snapshot().updated([build.of(LISTENER, "l0")])
        self.quarantine = Quarantine()
        self.references: dict[bytes, set[str]] = {}
        # What the Envoy holds, and since when what it holds differs from what it shall hold.
        self.held: dict[str, dict[str, bytes]] = {type_url: {} for type_url in (*WILDCARDS, ENDPOINTS)}
        self.out_of_step: dict[tuple[str, str], float] = {}
        # What the server knows to be held: of a rejected response it cannot know.
        self.known: dict[str, set[str]] = {type_url: set() for type_url in self.held}
        # The most that was held and wanted of each guarded type since the stream began or everything was confirmed.
        self.sizes = dict.fromkeys(WILDCARDS, 0)
        self.confirmed = -1
        self.now = 100.0
        self.connect()

    def connect(self) -> None:
        """Opens a stream; nothing of an earlier one survives but what the Envoy holds."""
        options = {"wait_limit": WAIT_LIMIT, "shrink_limit": self.shrink_limit, "confirmed": self.confirmed}
        self.client = Client(self.snapshot, self.protocol, quarantine=self.quarantine, **options)
        self.client.now = self.now
        self.names: set[str] = set()
        self.asked: set[str] = set()
        self.inbox: dict[str, Answer] = {}
        self.nonces: dict[str, str] = {}
        self.last_nonce = 0

    # What happens.

    @initialize(world=worlds, in_step=st.sampled_from([True, True, True, False]))
    def begin(self, world: dict, in_step: bool) -> None:
        """The first snapshot that counts; mostly the Envoy asks for everything first, as Envoys do."""
        self.publish(world)
        if in_step:
            for type_url in WILDCARDS:
                self.subscribe(type_url)
            self.subscribe_endpoints(set(CLUSTERS))
            self.answer_everything()

    @rule(world=worlds)
    def publish(self, world: dict) -> None:
        """The control plane has a new wanted state."""
        resources = resources_of(world)
        for resource in resources:
            if resource.key.type_url == SCOPED_ROUTE:
                self.references[resource.body] = {reference.name for reference in resource.references}
        keys = {resource.key for resource in resources}
        gone = [
            ResourceName(type_url, name)
            for type_url, table in self.snapshot.tables.items()
            for name in table
            if ResourceName(type_url, name) not in keys
        ]
        for type_url in WILDCARDS:
            if type_url in self.asked:
                size = min(len(self.known[type_url]), len(self.snapshot.table(type_url)))
                self.sizes[type_url] = max(self.sizes[type_url], size)
        self.snapshot = self.snapshot.updated(resources, gone)
        self.client.offer(self.snapshot)
        self.compare()

    @rule(
        clusters=st.dictionaries(st.sampled_from(CLUSTERS), contents, min_size=1, max_size=2),
        route=st.sampled_from(ROUTES),
    )
    def repoint(self, clusters: dict[str, str], route: str) -> None:
        """A route moves to one or two other clusters, and all the others go, in one step."""
        self.publish({"clusters": clusters, "endpoints": {}, "listeners": {}, "routes": {route: ("1", set(clusters))}})

    def subscribe(self, type_url: str) -> None:
        """The Envoy asks for all of a type, once."""
        if type_url not in self.asked:
            self.asked.add(type_url)
            self.ask(type_url)

    def subscribe_endpoints(self, names: set[str]) -> None:
        """The Envoy asks for endpoints, perhaps again."""
        self.names |= names
        self.ask(ENDPOINTS, sorted(names))
        self.asked.add(ENDPOINTS)

    def unsubscribe_endpoints(self, names: set[str]) -> None:
        """The Envoy gives up endpoints, perhaps such as it never asked for."""
        if ENDPOINTS not in self.asked:
            return
        if self.protocol is Protocol.DELTA:
            self.client.ask(ENDPOINTS, unsubscribe=tuple(sorted(names)))
        self.names -= names
        for name in names:
            self.held[ENDPOINTS].pop(name, None)
            self.known[ENDPOINTS].discard(name)
        if self.protocol is Protocol.STATE_OF_THE_WORLD:
            self.ask(ENDPOINTS)

    @rule(count=st.integers(1, 4))
    def read(self, count: int) -> None:
        """The Envoy receives the next responses."""
        for _ in range(count):
            self.take()

    @rule()
    def catch_up(self) -> None:
        """The Envoy answers whatever it is sent, until nothing more comes."""
        self.answer_everything()

    @precondition(lambda self: self.inbox)
    @rule(data=st.data(), in_part=st.booleans())
    def answer(self, data: st.DataObject, in_part: bool) -> None:
        """The Envoy acknowledges or rejects one of the responses it has, in any order."""
        self.reply(self.inbox.pop(data.draw(st.sampled_from(sorted(self.inbox)))), in_part=in_part)

    def stale(self, type_url: str, names: set[str]) -> None:
        """A request crosses a newer response."""
        if type_url not in self.asked:
            return
        if self.protocol is Protocol.DELTA and type_url == ENDPOINTS:
            self.names |= names
            self.client.ask(type_url, sorted(names), nonce="0")
        else:
            self.client.ask(type_url, nonce="0", error="answers another response")

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.client.now = self.now

    def reconnect(self) -> None:
        """The stream breaks; the Envoy says what it holds where the protocol lets it."""
        names = self.names
        self.connect()
        if self.protocol is Protocol.STATE_OF_THE_WORLD:
            # Nobody told the server what is held, so it cannot guard it: the Envoy starts afresh.
            self.held = {type_url: {} for type_url in self.held}
            self.known = {type_url: set() for type_url in self.held}
            self.sizes = dict.fromkeys(WILDCARDS, 0)
            return
        self.known = {type_url: set(held) for type_url, held in self.held.items()}
        unconfirmed = self.snapshot.generation > self.confirmed
        self.sizes = {type_url: len(self.held[type_url]) if unconfirmed else 0 for type_url in WILDCARDS}
        for type_url in (*WILDCARDS, ENDPOINTS):
            self.asked.add(type_url)
            versions = {name: version(body) for name, body in self.held[type_url].items()}
            self.client.ask(type_url, sorted(names) if type_url == ENDPOINTS else (), initial_versions=versions)
        self.names = names

    @rule(
        kind=st.sampled_from(
            ["subscribe", "endpoints", "unsubscribe", "stale", "wait", "wait long", "reconnect", "confirm"]
        ),
        type_url=st.sampled_from((*WILDCARDS, ENDPOINTS)),
        names=st.sets(st.sampled_from(CLUSTERS), min_size=1),
    )
    def disturb(self, kind: str, type_url: str, names: set[str]) -> None:
        """Something rarer happens; one rule for all of it, so that changes and their answers stay the most frequent."""
        if kind == "subscribe" and type_url in WILDCARDS:
            self.subscribe(type_url)
        elif kind == "endpoints":
            self.subscribe_endpoints(names)
        elif kind == "unsubscribe":
            self.unsubscribe_endpoints(names)
        elif kind == "stale":
            self.stale(type_url, names)
        elif kind == "wait":
            self.wait(2.0)
        elif kind == "wait long":
            self.wait(WAIT_LIMIT + 1)
        elif kind == "reconnect":
            self.reconnect()
        elif kind == "confirm":
            self.confirm()

    def confirm(self) -> None:
        """Somebody confirms whatever the latest snapshot removes."""
        self.confirmed = self.snapshot.generation
        self.client.stream.confirm(self.confirmed)
        self.sizes = dict.fromkeys(WILDCARDS, 0)

    # What the Envoy does.

    def ask(self, type_url: str, names: list[str] | tuple[str, ...] = ()) -> None:
        """Sends a request that answers nothing."""
        if self.protocol is Protocol.DELTA:
            self.client.ask(type_url, names)
        else:
            self.client.ask(type_url, self.subscription(type_url), nonce=self.nonces.get(type_url, ""))

    def subscription(self, type_url: str) -> list[str]:
        """The names that a state-of-the-world request repeats."""
        return sorted(self.names) if type_url == ENDPOINTS and self.protocol is Protocol.STATE_OF_THE_WORLD else []

    def take(self) -> Answer | None:
        """Receives a response, and holds it against the rules for sending."""
        answer = self.client.next()
        if answer is None:
            deadline = self.client.stream.deadline()

            assert deadline is None or deadline > self.now

            return None
        self.check_sent(answer)
        self.inbox[answer.type_url] = answer
        return answer

    def reply(self, answer: Answer, *, in_part: bool) -> None:
        """Acknowledges or rejects a response, and applies of it what an Envoy applies."""
        self.nonces[answer.type_url] = answer.nonce
        held = self.held[answer.type_url]
        bad = {name for name, body in answer.resources.items() if is_bad(body)}
        if in_part or not bad:
            good = {name: body for name, body in answer.resources.items() if name not in bad}
            whole = self.protocol is Protocol.STATE_OF_THE_WORLD and answer.type_url in WILDCARDS
            for name in [*answer.removed, *(name for name in held if whole and name not in answer.resources)]:
                held.pop(name, None)
            if answer.type_url == ENDPOINTS:
                good = {name: body for name, body in good.items() if name in self.names}
            held.update(good)
        acknowledged = set() if bad else set(answer.resources)
        self.known[answer.type_url] = (self.known[answer.type_url] | acknowledged) & set(held)
        names = self.subscription(answer.type_url)
        if bad:
            self.client.nack(answer, names, reason=f"rejected: {min(bad)}")
        else:
            self.client.ack(answer, names)
        self.compare()

    def compare(self) -> None:
        """Notes since when a name is not as it shall be."""
        for type_url, held in self.held.items():
            table = self.snapshot.table(type_url)
            for name in {*held, *table, *CLUSTERS, *ROUTES}:
                wanted = table[name].body if name in table else None
                if held.get(name) == wanted:
                    self.out_of_step.pop((type_url, name), None)
                else:
                    self.out_of_step.setdefault((type_url, name), self.now)

    def answer_everything(self) -> None:
        """Receives and answers until there is nothing more to receive."""
        while self.inbox or self.take() is not None:
            for type_url in sorted(self.inbox):
                self.reply(self.inbox.pop(type_url), in_part=False)

    # What must hold.

    def check_sent(self, answer: Answer) -> None:
        """The rules for a response that leaves."""
        assert int(answer.nonce) > self.last_nonce
        assert answer.type_url not in self.inbox
        assert answer.type_url in self.asked
        assert not answer.resources.keys() & set(answer.removed)

        self.last_nonce = int(answer.nonce)
        rejected = {(rejection.key, rejection.version) for rejection in self.quarantine}
        held = self.held[answer.type_url]
        self.check_guard(answer)
        for name, body in answer.resources.items():
            assert (ResourceName(answer.type_url, name), version(body)) not in rejected

            if answer.type_url == SCOPED_ROUTE and held.get(name) != body and CLUSTER in self.asked:
                self.check_route(name, body)
        if answer.type_url == CLUSTER:
            removed = set(answer.removed)
            if self.protocol is Protocol.STATE_OF_THE_WORLD:
                removed |= held.keys() - answer.resources.keys()
            for name in removed:
                self.check_cluster_removal(name)

    def check_guard(self, answer: Answer) -> None:
        """Nothing that the server knows to be held leaves while too much of any type would, and nobody confirmed it."""
        removed = set(answer.removed)
        if self.protocol is Protocol.STATE_OF_THE_WORLD and answer.type_url in WILDCARDS:
            removed = self.known[answer.type_url] - answer.resources.keys()

        assert not removed & self.known[answer.type_url] or not self.shrinks_too_far()

    def shrinks_too_far(self) -> bool:
        """Whether the snapshot takes more of some type than the limit, without leave."""
        return (
            self.shrink_limit is not None
            and self.snapshot.generation > self.confirmed
            and any(
                self.shrink_limit.exceeded(size, len(self.snapshot.table(type_url)))
                and self.known[type_url] - self.snapshot.table(type_url).keys()
                for type_url, size in self.sizes.items()
            )
        )

    def check_route(self, name: str, body: bytes) -> None:
        """A route leaves only when the Envoy has acknowledged its clusters, or after the limit."""
        missing = self.references[body] - self.held[CLUSTER].keys()

        assert not missing or self.waited(SCOPED_ROUTE, name)

    def check_cluster_removal(self, name: str) -> None:
        """A cluster is removed only when no route that the Envoy holds needs it, or after the limit."""
        users = [route for route, body in self.held[SCOPED_ROUTE].items() if name in self.references.get(body, ())]

        assert not users or SCOPED_ROUTE not in self.asked or self.waited(CLUSTER, name)

    def waited(self, type_url: str, name: str) -> bool:
        """Whether the limit has passed since the name should have changed."""
        return self.now - self.out_of_step.get((type_url, name), self.now) >= WAIT_LIMIT

    @invariant()
    def status_can_be_told(self) -> None:
        """The status is available in every state and agrees with what was asked."""
        types = self.client.stream.status().types

        assert self.asked == {kind.type_url for kind in types}
        assert all(kind.withheld <= kind.behind for kind in types)
        assert all(len(list(kind.resources())) >= kind.behind for kind in types)

    def teardown(self) -> None:
        """Answered to the end, the Envoy holds the snapshot, except for what it rejects.

        Removals may have to be confirmed; for all the rest that makes no difference.
        """
        for type_url in WILDCARDS:
            self.subscribe(type_url)
        self.come_to_rest()
        for type_url in WILDCARDS:
            for name in self.snapshot.table(type_url):
                self.check_end(type_url, name)
        self.confirm()
        self.come_to_rest()
        for type_url in WILDCARDS:
            for name in {*self.snapshot.table(type_url), *self.held[type_url]}:
                self.check_end(type_url, name)
        for name in self.names & self.asked_endpoints():
            self.check_end(ENDPOINTS, name)

    def come_to_rest(self) -> None:
        """Whatever waits for an answer or for time has it."""
        for _ in range(6):
            self.answer_everything()
            self.wait(WAIT_LIMIT)

    def asked_endpoints(self) -> set[str]:
        """The endpoints that the snapshot has or the Envoy holds."""
        return {*self.snapshot.table(ENDPOINTS), *self.held[ENDPOINTS]}

    def check_end(self, type_url: str, name: str) -> None:
        """One name in the end."""
        wanted = self.snapshot.get(ResourceName(type_url, name))
        held = self.held[type_url].get(name)
        if wanted is None:
            users = {user for body in self.held[SCOPED_ROUTE].values() for user in self.references.get(body, ())}
            unsaid = type_url == ENDPOINTS and self.protocol is Protocol.STATE_OF_THE_WORLD

            assert held is None or unsaid or (type_url == CLUSTER and name in users)
        elif is_bad(wanted.body):
            assert held != wanted.body
        elif type_url != SCOPED_ROUTE or self.references[wanted.body] <= self.known[CLUSTER]:
            assert wanted.body == held


class StateOfTheWorldStream(XdsStream):
    """The same Envoy, speaking the other variant."""

    protocol = Protocol.STATE_OF_THE_WORLD


class GuardedStream(XdsStream):
    """The same under a guard, which adds up small steps for as long as there are any."""

    shrink_limit = ShrinkLimit(percent=50, at_least=2, seconds=1e6)


class GuardedStateOfTheWorldStream(GuardedStream):
    """The same in the other variant."""

    protocol = Protocol.STATE_OF_THE_WORLD


_SETTINGS = settings(
    max_examples=trials(300), stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

TestDelta = XdsStream.TestCase
TestDelta.settings = _SETTINGS
TestStateOfTheWorld = StateOfTheWorldStream.TestCase
TestStateOfTheWorld.settings = _SETTINGS
TestGuarded = GuardedStream.TestCase
TestGuarded.settings = _SETTINGS
TestGuardedStateOfTheWorld = GuardedStateOfTheWorldStream.TestCase
TestGuardedStateOfTheWorld.settings = _SETTINGS
