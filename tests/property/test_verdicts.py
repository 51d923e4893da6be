"""The verdict cache against the reference: whatever Lua knows, Python would allow, now and as the same user."""

from __future__ import annotations

from random import Random
from types import MappingProxyType

from envoy.config.core.v3 import extension_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lua import Verdicts
from now import now
from trials import trials

from controlplane.auth.authorize import PrivilegedGroups, union
from controlplane.auth.decide import decide
from controlplane.auth.evidence import Evidence, Recognised
from controlplane.auth.rbac import Rbac
from controlplane.auth.requestinfo import Unreadable, request_info
from controlplane.model.change import Delete, ObjectKey, Upsert
from controlplane.model.identity import Decision, RequestInfo, UserInfo
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.selector import Requirement
from controlplane.registry.store import Registry
from controlplane.translation.verdicts import VerdictTerms, verdicts_filter

ALICE = UserInfo("alice", groups=("dev",))
ROOT = UserInfo("root", groups=("system:masters",))
EVIDENCE = Evidence(headers=(("authorization", "Bearer t"),))
TERMS = VerdictTerms("e1", entries=100_000, milliseconds=10_000)

GROUPS = st.sampled_from(["", "a.io", "b.io", "*"])
VERBS = st.sampled_from(["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*"])
RESOURCES = st.sampled_from(["things", "namespaces", "things/status", "*/status", "namespaces/finalize", "*"])
URLS = st.sampled_from(["/version", "/apis", "/apis/*", "/healthz", "*"])


def some(of: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    """One to three of them."""
    return st.lists(of, min_size=1, max_size=3).map(tuple)


RULES = st.one_of(
    st.builds(
        PolicyRule,
        verbs=some(VERBS),
        api_groups=some(GROUPS),
        resources=some(RESOURCES),
        resource_names=st.one_of(st.just(()), some(st.sampled_from(["x", "y", "n"]))),
    ),
    st.builds(PolicyRule, verbs=some(VERBS), non_resource_urls=some(URLS)),
)
SUBJECTS = st.sampled_from(
    [Subject("User", "alice"), Subject("Group", "dev"), Subject("User", "bob"), Subject("Group", "qa")]
)
NAMESPACES = st.sampled_from(["", "n", "m"])
ROLES = st.builds(
    Role,
    st.builds(RoleKey, NAMESPACES, st.sampled_from(["r", "s"])),
    st.lists(RULES, max_size=2).map(tuple),
    st.sampled_from([(), (("part", "yes"),)]),
    st.sampled_from([(), ((Requirement("part", "In", ("yes",)),),)]),
)
BINDINGS = st.builds(
    RoleBinding,
    st.builds(BindingKey, NAMESPACES, st.sampled_from(["a", "b"])),
    st.builds(RoleKey, NAMESPACES, st.sampled_from(["r", "s"])),
    st.lists(SUBJECTS, max_size=2).map(tuple),
)

# What makes requests that lie in each other's neighbourhood, and requests that only look as if they did.
METHODS = st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "list", "create"])
ROOTS = st.sampled_from(["/api/v1", "/apis/a.io/v1", "/apis/a.io/v2", "/apis/b.io/v1", "/apis", "/v1", ""])
PIECES = st.sampled_from(
    [
        *("things", "namespaces", "n", "m", "x", "y", "status", "finalize", "watch", "proxy", "version", "a.io", "v1"),
        *("healthz", "*", ".", "..", "", "%78", "th%69ngs", "x%20y", "x%2fy", "things;x", "x:y", "~", "things?watch=1"),
    ]
)
QUERIES = st.sampled_from(
    [
        *("", "", "", "?", "?limit=5", "?watch=true", "?watch=1", "?watch=false", "?watch=0", "?watch", "?watch="),
        *("?Watch=true", "?watch=true&watch=false", "?w%61tch=true", "?watch=%74rue", "?a=b;watch=true", "?x=%zz"),
        *("?fieldSelector=metadata.name%3Dx", "?fieldSelector=metadata.name=x&limit=x", "?watch=true#x", "?=watch"),
        *("?labelSelector=a%3Db&watch=true", "?labelSelector=!!&watch=FALSE", "?limit=5&continue=a+b&watch=1"),
        *("?&&watch=true", "?+watch=true"),
    ]
)
TARGETS = st.builds(
    lambda root, pieces, end, query: root + "".join(f"/{piece}" for piece in pieces) + end + query,
    ROOTS,
    st.lists(PIECES, max_size=6),
    st.sampled_from(["", "", "", "/"]),
    QUERIES,
)
ORDINARY = st.builds(
    lambda root, namespace, rest: root + namespace + rest,
    st.sampled_from(["/api/v1", "/apis/a.io/v1"]),
    st.sampled_from(["", "/namespaces/n", "/namespaces/m"]),
    st.sampled_from(
        ["/things", "/things/x", "/things/y", "/things/x/status", "/things?watch=1", "/things?limit=1", ""]
    ),
)
REQUESTS = st.lists(st.tuples(METHODS, st.one_of(ORDINARY, ORDINARY, TARGETS)), min_size=2, max_size=16)


def policy_text(policy: Policy) -> str:
    """What Envoy is told of the policy."""
    extension = extension_pb2.TypedExtensionConfig.FromString(verdicts_filter(TERMS, policy.revocations).body)
    config = header_mutation_pb2.HeaderMutation()
    extension.typed_config.Unpack(config)
    return str(config.mutations.request_mutations[0].append.header.value)


def decided(policy: Policy, user: UserInfo, method: str, target: str) -> Decision:
    """The reference's decision."""
    authorizer = union(PrivilegedGroups(), Rbac(policy))

    async def recognised(_: Evidence) -> Recognised:
        return Recognised(user)

    return now(decide(method, target, EVIDENCE, recognised, authorizer))


def keep(cache: Verdicts, credential: str, request: tuple[str, str], decision: Decision, generation: int) -> None:
    """Gives the cache the answer to a request as the control plane gives it."""
    number = cache.ask(credential, *request)
    if number is not None and decision.validity is not None:
        validity = decision.validity
        told = {"scope": validity.scope, "seconds": 10, "epoch": "e1", "generation": generation}
        cache.answer(number, ["x-remote-user", credential], {**told, "grounds": list(validity.grounds)})


@given(METHODS, TARGETS)
@example("GET", "/api/v1/namespaces/n/watch/x")
@example("GET", "/api/v1/namespaces/n/status")
@example("DELETE", "/apis/a.io/v1/namespaces/n/things")
def test_both_languages_read_a_request_alike(method: str, target: str) -> None:
    """The scope of the single request that Lua writes is the RequestInfo that Python finds."""
    scopes = Verdicts().scopes(method, target)
    if scopes is None:
        return
    info = request_info(method, target)
    assert not isinstance(info, Unreadable)
    assert written(info) == scopes[-1]


def written(info: RequestInfo) -> str:
    """The narrowest scope of a request, by Python's reading."""
    if not info.is_resource_request:
        return f"path {info.verb} {info.path}"
    where = f"{info.verb} {info.api_group}/{info.api_version} {info.namespace}"
    return f"{where} {info.resource}/{info.subresource} {info.name}"


@settings(max_examples=trials(400), deadline=None)
@given(st.lists(ROLES, max_size=4), st.lists(BINDINGS, max_size=4), REQUESTS, st.sampled_from([ALICE, ROOT]))
@example(
    [Role(RoleKey("", "r"), (PolicyRule(("get",), ("",), ("*",)),))],
    [RoleBinding(BindingKey("", "a"), RoleKey("", "r"), (Subject("User", "alice"),))],
    [("GET", "/api/v1/things/x"), ("get", "/v1")],
    ALICE,
)
def test_whatever_is_known_would_be_allowed(
    roles: list[Role], bindings: list[RoleBinding], requests: list[tuple[str, str]], user: UserInfo
) -> None:
    """After any one decision was kept, each of the other requests that it answers is one that Python allows."""
    policy = Policy(
        1,
        MappingProxyType({role.key: role for role in roles}),
        MappingProxyType({binding.key: binding for binding in bindings}),
    )
    decisions = [decided(policy, user, *request) for request in requests]
    cache = Verdicts(policy_text(policy))
    # Each under a credential of its own, so that a hit comes from that very decision.
    for index, (request, decision) in enumerate(zip(requests, decisions, strict=True)):
        keep(cache, f"c{index}", request, decision, 1)
    for index in range(len(requests)):
        for request, decision in zip(requests, decisions, strict=True):
            if cache.find(f"c{index}", *request) is not None:
                assert decision.user == user


CHANGES = st.lists(
    st.one_of(ROLES, BINDINGS, st.tuples(st.booleans(), NAMESPACES, st.sampled_from("rsab"))), max_size=5
)


def change_of(thing: Role | RoleBinding | tuple[bool, str, str]) -> Upsert | Delete:
    """A role or a binding as it is now, or the deletion of one."""
    if isinstance(thing, Role | RoleBinding):
        kind = "Role" if isinstance(thing, Role) else "RoleBinding"
        return Upsert(ObjectKey(kind, thing.key.namespace, thing.key.name), thing)
    is_role, namespace, name = thing
    return Delete(ObjectKey("Role" if is_role else "RoleBinding", namespace, name))


@settings(max_examples=trials(400), deadline=None)
@given(st.lists(st.one_of(ROLES, BINDINGS), min_size=1, max_size=8), st.lists(CHANGES, max_size=4), REQUESTS)
def test_whatever_is_known_would_be_allowed_by_the_policy_that_envoy_was_told_of(
    start: list[Role | RoleBinding],
    steps: list[list[Role | RoleBinding | tuple[bool, str, str]]],
    requests: list[tuple[str, str]],
) -> None:
    """Decisions of every policy so far are kept at once; after the last change none answers what is not allowed now."""
    registry = Registry(dns_template="{name}.{namespace}.svc", core=None)
    policies = [registry.apply([change_of(thing) for thing in start]).policy]
    policies += [registry.apply([change_of(thing) for thing in step]).policy for step in steps]
    latest = policies[-1]
    cache = Verdicts(policy_text(latest))
    for age, policy in enumerate(policies):
        for index, request in enumerate(requests):
            keep(cache, f"c{age}-{index}", request, decided(policy, ALICE, *request), policy.generation)
    allowed = [decided(latest, ALICE, *request).allowed for request in requests]
    for age in range(len(policies)):
        for index in range(len(requests)):
            known = [cache.find(f"c{age}-{index}", *request) is not None for request in requests]
            assert not any(hit and not may for hit, may in zip(known, allowed, strict=True))


def test_a_hundred_thousand_pairs_of_grant_and_request_have_no_wrong_allow() -> None:
    """Of 320 random policies with 18 decisions kept and 18 requests made each, no hit is one that Python refuses."""
    dice = Random(5)  # noqa: S311 - the same pairs every time
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    pairs, hits, wrong = 0, 0, 0
    cache = Verdicts(policy_text(Policy(1)))
    for number in range(320):
        rules = tuple(
            PolicyRule(
                verbs=("*",) if dice.random() < 0.5 else tuple(dice.sample(verbs, 4)),
                api_groups=(dice.choice(["", "a.io", "*", "*"]),),
                resources=tuple(dice.sample(["things", "things/status", "namespaces", "*/status", "*"], 3)),
                resource_names=dice.choice([(), (), (), (), ("x",)]),
                non_resource_urls=dice.choice([(), ("/version",), ("*",)]),
            )
            for _ in range(2)
        )
        role = Role(RoleKey("", "r"), rules)
        binding = RoleBinding(BindingKey(dice.choice(["", "", "n"]), "b"), role.key, (Subject("Group", "dev"),))
        policy = Policy(1, MappingProxyType({role.key: role}), MappingProxyType({binding.key: binding}))
        requests = [random_request(dice) for _ in range(18)]
        user = ROOT if number % 16 == 0 else ALICE
        decisions = [decided(policy, user, *request) for request in requests]
        for index, (request, decision) in enumerate(zip(requests, decisions, strict=True)):
            credential = f"{number}-{index}"
            keep(cache, credential, request, decision, 1)
            for other, allowed in zip(requests, decisions, strict=True):
                known = cache.find(credential, *other) is not None
                pairs, hits, wrong = pairs + 1, hits + known, wrong + (known and not allowed.allowed)

    assert wrong == 0
    assert pairs >= 100_000
    assert hits >= 4_000


def random_request(dice: Random) -> tuple[str, str]:
    """A request, most of them ordinary, some in disguise."""
    method = dice.choice([*4 * ["GET"], "POST", "PUT", "DELETE"])
    root = dice.choice(["/api/v1", *3 * ["/apis/a.io/v1"], "/apis/a.io/v2"])
    middle = dice.choice(["", *3 * ["/namespaces/n"], "/namespaces/m"])
    end = dice.choice(["/things", "/things/x", "/things/y", "/things/x/status", "/status", "/%78", "/watch/things", ""])
    query = dice.choice(
        ["", "", "?limit=5", "?watch=true", "?watch=0", "?fieldSelector=metadata.name%3Dx", "?w%61tch=1"]
    )
    return (
        (method, dice.choice(["/version", "/healthz"]))
        if dice.random() < 0.1
        else (method, root + middle + end + query)
    )
