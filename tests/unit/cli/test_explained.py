"""An explanation as text."""

from __future__ import annotations

from controlplane.api.v1 import explain_pb2
from controlplane.cli.explained import text

Response = explain_pb2.ExplainResponse


def test_the_outcome_comes_first() -> None:
    """Where it is sent, what is answered, or that Envoy has no cluster for it."""
    sent = Response(served=True, destination=Response.Destination(endpoints=["10.0.0.7:8443"]))
    refused = Response(status=404, message="not found")

    assert text(sent).startswith("Outcome:                 allowed, and sent to 10.0.0.7:8443\n")
    assert text(refused).startswith("Outcome:                 answered with 404 by the front door: not found\n")
    assert "Envoy is given no cluster for it" in text(Response())


def test_values_cannot_move_the_cursor() -> None:
    """Whatever a client calls itself, a line stays a line."""
    response = Response(identity=Response.Identity(user=explain_pb2.User(name="eve\x1b[2J\nVerdict: allowed")))

    assert "User:                    eve [2J Verdict: allowed\n" in text(response)


def test_a_path_that_is_refused_has_no_verdict() -> None:
    """Only why it is refused."""
    said = text(
        Response(status=400, request=Response.Request(method="GET", target="/a", refused="it has two readings"))
    )

    assert "  Refused:               it has two readings" in said
    assert "Verdict" not in said


def test_a_rule_names_the_empty_group() -> None:
    """The core group is "" and would not be seen otherwise."""
    rule = Response.Rule(verbs=["get"], api_groups=[""], resources=["pods"])

    assert 'verbs=[get] apiGroups=[""] resources=[pods]' in text(Response(verdict=Response.Verdict(rule=rule)))


def test_a_long_list_of_bindings_says_that_it_is_cut() -> None:
    """How many there are, and how many are shown."""
    considered = [
        Response.Considered(
            binding=Response.Object(kind="RoleBinding", namespace="n", name="b"),
            role=Response.Object(kind="ClusterRole", name="r"),
            subject="User bob",
            missing=True,
        )
    ]
    verdict = Response.Verdict(considered=considered, bindings=7)
    said = text(Response(verdict=verdict, identity=Response.Identity(user=explain_pb2.User(name="bob"))))

    assert "  Bindings Looked At:    7, the first 1 of them\n" in said
    assert "    User bob:            RoleBinding n/b to ClusterRole r, which does not exist\n" in said


def test_proxies_are_listed_with_what_they_lack() -> None:
    """State and reasons, or that there is none."""
    route = Response.Route(kind="core")
    holding = Response.Holding(node_id="envoy-1", state="STALE", reasons=["Cluster a is STALE"])

    assert text(Response(route=route, proxies=[holding])).endswith("Proxies:\n  envoy-1   STALE   Cluster a is STALE")
    assert "Proxies:                 none that it could come to is connected" in text(Response(route=route))
