"""The whole answer about one request, from a ruling and resources."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from explainers import CLIENTS, FRONT_PROXIES, NOW, THINGS, TOKEN, explainer, policy
from pki import CertificateAuthority

from controlplane.auth.front_proxy import RequestHeaderTrust
from controlplane.auth.rbac import Rbac
from controlplane.explaining.explainer import Explainer
from controlplane.model.credentials import Secret
from controlplane.model.explanation import Explanation, Named, Question, Unanswerable
from controlplane.model.identity import UserInfo
from controlplane.model.proxy import Proxy, ProxyResource, ProxyState, ProxyType, ResourceState
from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE

DEVELOPER = UserInfo("dora", groups=("developers",))
GET = Question("GET", THINGS, user=DEVELOPER)


async def explained(question: Question, by: Explainer | None = None) -> Explanation:
    """The answer to a question that has one."""
    found = await (by or explainer()).explain(question)
    assert isinstance(found, Explanation), found
    return found


async def test_an_allowed_request_is_told_from_rule_to_endpoint() -> None:
    """The rule's role and its file, the binding, the subject, how long it is kept, and where it goes."""
    told = await explained(GET)

    assert (told.served, told.status, told.verdict.subject) == (True, 0, "Group developers")
    assert told.verdict.role == Named("ClusterRole", "", "reader", "roles.yaml, document 3")
    assert told.verdict.binding == Named("ClusterRoleBinding", "", "readers")
    assert (told.keeping.scope, told.keeping.seconds) == ("list a.io/v1 n things/", 60.0)
    assert [each.words for each in told.keeping.grounds] == [
        "what Group developers is bound to",
        "the rules of ClusterRole reader",
    ]
    assert told.destination is not None
    assert told.destination.endpoints == ("10.0.0.7:8443",)
    assert told.identity.user == replace(DEVELOPER, groups=("developers", "system:authenticated"))


async def test_a_rule_of_an_aggregated_role_is_traced_to_its_own() -> None:
    """Both roles are named, and that the right is one of one namespace."""
    told = await explained(replace(GET, user=UserInfo("alice")))

    assert told.verdict.role == Named("ClusterRole", "", "all", "roles.yaml, document 3")
    assert told.verdict.aggregated_from == Named("ClusterRole", "", "reader", "roles.yaml, document 3")
    assert told.verdict.binding == Named("RoleBinding", "n", "in-n")


async def test_a_denial_says_what_was_looked_at() -> None:
    """The message of the 403, each binding of the user, and the role that is missing."""
    told = await explained(replace(GET, user=UserInfo("bob")))

    assert (told.served, told.status, told.verdict.bindings) == (False, 403, 2)
    assert told.message.endswith("not found")
    assert [(each.binding.name, each.rules, each.missing) for each in told.verdict.considered] == [
        ("actors", 1, False),
        ("lost", 0, True),
    ]
    assert told.keeping.not_kept == "only what is allowed is kept"


async def test_what_is_looked_at_is_told_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many bindings the first hundred, and how many there are."""
    one = next(iter(Rbac(policy()).bindings(UserInfo("bob"), "")))
    monkeypatch.setattr(Rbac, "bindings", lambda *_: iter([one] * 101))
    told = await explained(replace(GET, method="DELETE", user=UserInfo("x")))

    assert (100, 101) == (len(told.verdict.considered), told.verdict.bindings)


async def test_every_question_of_an_impersonation_is_told() -> None:
    """What was asked in which order, who the client becomes, and that nothing of it is kept."""
    wanted = (("impersonate-user", "alice"),)
    told = await explained(replace(GET, user=UserInfo("bob"), headers=wanted))

    assert [(each.question.split(" ")[2], each.allowed) for each in told.impersonation] == [
        ("impersonate-on:user-info:list", False),
        ("impersonate", True),
    ]
    assert told.identity.impersonated == UserInfo("alice", groups=("system:authenticated",))
    assert (told.identity.constraint, told.served) == ("impersonate", True)
    assert told.keeping.not_kept == "what is done as somebody else is asked about every time"


async def test_a_refused_impersonation_is_no_verdict_on_the_request() -> None:
    """The questions are those of the impersonation alone, and nobody becomes anybody."""
    told = await explained(replace(GET, headers=(("impersonate-user", "alice"),)))

    assert (told.status, told.identity.impersonated) == (403, None)
    assert [each.allowed for each in told.impersonation] == [False, False]
    assert 'cannot impersonate-on:user-info:list resource "things"' in told.message


@pytest.mark.parametrize(
    ("until", "seconds", "not_kept"), [(NOW + 5, 5.0, ""), (NOW, 0.0, "the credential ends now"), (NOW + 90, 60.0, "")]
)
async def test_a_token_limits_what_is_kept(until: float, seconds: float, not_kept: str) -> None:
    """Never past the credential's end, which is told."""
    question = replace(GET, user=None, bearer_token=Secret(TOKEN.encode()))
    told = await explained(question, explainer(until=until))

    assert (told.keeping.seconds, told.keeping.not_kept) == (seconds, not_kept)
    assert (told.identity.recognised_by, told.identity.until) == ("tests", until)


async def test_a_switched_off_cache_keeps_nothing() -> None:
    """And says which setting it is."""
    told = await explained(GET, explainer(keeping=None))

    assert told.keeping.not_kept == "the verdict cache is switched off (verdictCache.enabled)"


async def test_a_token_that_does_not_hold_is_a_401() -> None:
    """With the reason that only the log has otherwise."""
    told = await explained(replace(GET, user=None, bearer_token=Secret(b"x")))

    assert (told.status, told.message, told.identity.failure) == (401, "Unauthorized", "invalid bearer token; unknown")


async def test_a_certificate_is_verified_by_the_client_ca() -> None:
    """One that the client CA issued is believed, with its name and groups; another's is answered 401."""
    own = CLIENTS.issue("carl", organizations=("developers",), server=False)[0].decode()
    other = CertificateAuthority("others").issue("carl", organizations=("developers",), server=False)[0].decode()
    now = time.time()
    good = await explained(replace(GET, user=None, client_certificate=own), explainer(clock=now))
    bad = await explained(replace(GET, user=None, client_certificate=other), explainer(clock=now))

    assert good.identity.user is not None
    assert (good.identity.user.name, good.served) == ("carl", True)
    assert good.identity.certificate.startswith("issued by the client CA")
    assert (bad.status, bad.identity.user) == (401, None)
    assert bad.identity.certificate.endswith("; so it counts as not verified")


async def test_whoever_shows_nothing_is_anonymous() -> None:
    """Where that is allowed, and then has the rights of the unauthenticated."""
    told = await explained(replace(GET, user=None))

    assert told.identity.user == UserInfo("system:anonymous", groups=("system:unauthenticated",))
    assert told.status == 403


async def test_a_path_that_is_refused_is_asked_about_by_nobody() -> None:
    """400 with the reason, by Envoy for an escaped slash, by authorization for what has two readings besides."""
    by_envoy = await explained(replace(GET, target="/a%2Fb"))
    by_us = await explained(replace(GET, target="/apis/a.io%3A/v1/x"))

    assert (by_envoy.status, by_envoy.identity.user, by_envoy.route) == (400, None, None)
    assert (by_us.status, by_us.identity.failure) == (400, "nobody was asked who it is")
    assert by_us.request.refused == "the path holds an escape in a segment that chooses the API"


async def test_a_path_is_told_as_it_is_normalised() -> None:
    """Both are there when they differ."""
    told = await explained(replace(GET, target=f"/x/..{THINGS}"))

    assert (told.request.target, told.request.given) == (THINGS, f"/x/..{THINGS}")
    assert told.served


async def test_an_upgrade_that_envoy_does_not_do_is_refused() -> None:
    """The protocols that it does are in the message."""
    headers = (("connection", "upgrade"), ("upgrade", "morse"))
    told = await explained(replace(GET, headers=headers))
    done = await explained(replace(GET, headers=(headers[0], ("upgrade", "WebSocket"))))

    assert (told.status, told.message) == (403, "Envoy changes to no other protocol than websocket and SPDY/3.1")
    assert done.served
    assert "upgrades" in done.keeping.not_kept


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((("connection", "keep-alive, Upgrade"), ("upgrade", "")), 403),
        ((("connection", "Upgrade"), ("upgrade", "H2C")), 0),
        ((("upgrade", "morse"),), 0),
        ((("connection", "close"), ("upgrade", "morse")), 0),
    ],
)
async def test_an_upgrade_is_what_envoy_takes_for_one(headers: tuple[tuple[str, str], ...], status: int) -> None:
    """The empty protocol is one that it does not do; one to h2c, or that Connection does not name, it takes away."""
    told = await explained(replace(GET, headers=headers))

    assert (status, status == 0) == (told.status, told.served)
    assert ("upgrades" in told.keeping.not_kept) == bool(status)


@pytest.mark.parametrize(
    "target", [f"{THINGS}?watch=no", f"{THINGS}?limit=5&x", "/apis/a.io/v1/watch/namespaces/n/things"]
)
async def test_what_envoy_looks_up_no_verdict_for_is_not_kept(target: str) -> None:
    """Though the decision would hold for more than this request."""
    told = await explained(replace(GET, target=target, user=UserInfo("root", groups=("system:masters",))))

    assert told.verdict.allowed
    assert ("", "Envoy asks about every") == (told.keeping.scope, told.keeping.not_kept[:22])


@pytest.mark.parametrize("name", ["impersonate-user", "sec-websocket-protocol"])
async def test_headers_that_say_nothing_keep_envoy_from_its_memory_all_the_same(name: str) -> None:
    """An empty name is nobody to become, and the script looks no further than at the header's name."""
    told = await explained(replace(GET, headers=((name, ""),)))

    assert told.served
    assert ("", f"Envoy asks about every request with the header {name}") == (
        told.keeping.scope,
        told.keeping.not_kept,
    )


def _proxy(state: ResourceState, group: str = "", kinds: tuple[str, ...] = (SCOPED_ROUTE, CLUSTER, ENDPOINTS)) -> Proxy:
    behind = ProxyResource("a.io/v1", "1", "2", state, "too odd" if state is ResourceState.REJECTED else "")
    types = tuple(
        ProxyType(
            kind,
            ProxyState.SYNCED,
            True,
            0,
            int(kind == SCOPED_ROUTE),
            "",
            None,
            "",
            None,
            "",
            (),
            resources=lambda: iter((behind,)),
        )
        for kind in kinds
    )
    return Proxy("envoy", "edge", "1", "ipv4", "delta", 0.0, 1, 1, ProxyState.SYNCED, types, group)


@pytest.mark.parametrize(
    ("proxy", "state", "reason"),
    [
        (_proxy(ResourceState.STALE), "STALE", "ScopedRouteConfiguration a.io/v1 is STALE"),
        (_proxy(ResourceState.REJECTED), "REJECTED", "ScopedRouteConfiguration a.io/v1 is REJECTED: too odd"),
        (_proxy(ResourceState.STALE, kinds=(SCOPED_ROUTE,)), "NOT_SENT", "Cluster backend/ns/svc/443/system is not"),
    ],
)
async def test_a_proxy_that_lacks_some_of_it_says_what(proxy: Proxy, state: str, reason: str) -> None:
    """The worst of scope, cluster and endpoints, each with its reason."""
    (holding,) = (await explained(GET, explainer(proxies=(proxy,)))).proxies

    assert holding.state == state
    assert any(each.startswith(reason) for each in holding.reasons)


async def test_what_is_behind_and_not_needed_makes_no_difference() -> None:
    """A scope of another API is none of the request's business."""
    target = "/apis/other.io/v1/things"
    (holding,) = (
        await explained(replace(GET, target=target), explainer(proxies=(_proxy(ResourceState.STALE),)))
    ).proxies

    assert (holding.state, holding.reasons) == ("SYNCED", ())


async def test_node_groups_are_told_apart() -> None:
    """Only proxies of the group are told of, and where there are several one must be named."""
    proxies = (_proxy(ResourceState.STALE, "edge"), _proxy(ResourceState.STALE, "inner"))
    by = explainer(proxies=proxies, groups=("edge", "inner"))
    told = await explained(replace(GET, node_group="inner"), by)

    assert [each.node_group for each in told.proxies] == ["inner"]
    assert await by.explain(GET) == Unanswerable("node groups are served different APIs; name one of edge, inner")


@pytest.mark.parametrize(
    ("question", "part"),
    [
        (replace(GET, method="LIST"), "'LIST' is no HTTP method"),
        (replace(GET, target="apis"), "does not begin with a slash"),
        (replace(GET, target="/a b"), "a space or a control character"),
        (replace(GET, headers=(("authorization", "Bearer x"),)), "give its token as bearer token"),
        (replace(GET, bearer_token=Secret(b"a b")), "the bearer token holds a space"),
        (replace(GET, user=UserInfo("")), "the user has no name"),
        (replace(GET, node_group="x"), "there are no node groups here"),
    ],
)
async def test_what_no_client_could_ask_has_no_answer(question: Question, part: str) -> None:
    """But one sentence, without the token."""
    found = await explainer().explain(question)

    assert isinstance(found, Unanswerable)
    assert (part in found.reason, found.now) == (True, False)


async def test_before_the_first_policy_nothing_is_explained() -> None:
    """The same question may be answered later."""
    found = await explainer(started=False).explain(GET)

    assert isinstance(found, Unanswerable)
    assert found.now


SAID = (("x-remote-user", "dora"), ("x-remote-group", "developers"), ("x-remote-extra-team", "a"))


async def of_front_proxy(
    by: CertificateAuthority, headers: tuple[tuple[str, str], ...], trust: RequestHeaderTrust | None
) -> Explanation:
    """The answer about what the holder of a certificate says."""
    shown = by.issue("proxy-1")[0].decode()
    question = replace(GET, user=None, client_certificate=shown, headers=headers)
    return await explained(question, explainer(trust=trust, clock=time.time()))


async def test_a_front_proxy_says_who_asks() -> None:
    """The user is whom it names, and the answer tells by which headers; those that do not count are told too."""
    told = await of_front_proxy(FRONT_PROXIES, (*SAID, ("x-remote-uid", "7")), RequestHeaderTrust())

    assert (told.served, told.verdict.subject) == (True, "Group developers")
    assert told.identity.user == UserInfo(
        "dora", groups=("developers", "system:authenticated"), extra=(("team", ("a",)),)
    )
    assert told.identity.recognised_by == (
        "the front proxy proxy-1, which says so in x-remote-user, x-remote-group, x-remote-extra-team; "
        "not used: x-remote-uid"
    )
    assert "issued by the CA of front proxies" in told.identity.certificate


async def test_headers_have_the_names_that_the_settings_give_them() -> None:
    """Others are told to be left out."""
    trust = RequestHeaderTrust(username_headers=("x-user", "x-name"), group_headers=("x-group",))
    told = await of_front_proxy(FRONT_PROXIES, (("x-name", "dora"), ("x-group", "developers"), *SAID), trust)

    assert told.identity.recognised_by.startswith(
        "the front proxy proxy-1, which says so in x-name, x-group, x-remote-ext"
    )
    assert told.identity.recognised_by.endswith("; not used: x-remote-group, x-remote-user")


async def test_nobody_else_says_who_asks() -> None:
    """A client's own certificate, an authority nobody knows, and settings without front proxies use none of it."""
    trust = RequestHeaderTrust(allowed_names=frozenset({"proxy-1"}))
    unused = "; not used: x-remote-extra-team, x-remote-group, x-remote-user"
    clients = await of_front_proxy(CLIENTS, SAID, trust)
    strangers = await of_front_proxy(CertificateAuthority("strangers"), SAID, trust)
    nobody = await of_front_proxy(CLIENTS, SAID, None)
    other = await of_front_proxy(FRONT_PROXIES, SAID, RequestHeaderTrust(allowed_names=frozenset({"proxy-2"})))
    anonymous = await explained(replace(GET, user=None, headers=SAID), explainer(trust=trust))

    assert all(each.identity.recognised_by == f"the client certificate{unused}" for each in (clients, nobody))
    assert all(each.identity.failure.endswith(unused) for each in (strangers, other))
    assert anonymous.identity.recognised_by.endswith(unused)
