"""`isthmus explain` against what really happens to the same requests, through the real Envoy."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backend import Backend
from click.testing import CliRunner, Result
from pki import CertificateAuthority
from rbac import grant
from stack import Stack, registration, until

from controlplane.cli import main

ONE, TWO, LOST = "one.example.com", "two.example.com", "lost.example.com"
THINGS = f"/apis/{ONE}/v1/namespaces/default/things"
TOKENS = "secret-of-bob,bob,42,developers\nsecret-of-zed,zed,43,\n"
READ = {"apiGroups": [ONE], "resources": ["things"], "verbs": ["get", "list", "watch"]}
ALL_OF_TWO = {"apiGroups": [TWO], "resources": ["*"], "verbs": ["*"]}
NAMED = {"apiGroups": [ONE], "resources": ["gems"], "resourceNames": ["ruby"], "verbs": ["get", "list"]}
LOST_TOO = {"apiGroups": [LOST], "resources": ["*"], "verbs": ["get", "list"]}
ACT = {"apiGroups": [""], "resources": ["users"], "resourceNames": ["alice"], "verbs": ["impersonate"]}
PATHS = {"nonResourceURLs": ["/nothing/here", f"/apis/{ONE}/v1/things", "/openapi/v3/apis/*"], "verbs": ["get"]}
LONG = {"verdictCache": {"ttl": "5m", "debugHeader": True}}


@dataclass(frozen=True)
class Front:
    """A front door before two backends, and an APIService that none serves."""

    stack: Stack
    backends: dict[int, Backend]

    def explain(self, *arguments: str) -> Result:
        """What `isthmus explain` says."""
        return CliRunner().invoke(main, ["explain", *arguments, "--config", str(self.stack.settings)])


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """Alice and bob may do some things, zed nothing; root everything."""
    stack = Stack(authentication={"tokenFile": "tokens.csv"}, settings=LONG)
    (stack.root / "tokens.csv").write_text(TOKENS)
    (stack.root / "bob").write_text("secret-of-bob\n")
    (stack.root / "zed").write_text("secret-of-zed")
    (stack.root / "wrong").write_text("of-nobody")
    authority, key = stack.root / "proxies-ca.crt", stack.servers.certificate
    with (
        stack,
        Backend(*stack.backend_files("one"), authority, name="one") as one,
        Backend(*stack.backend_files("two"), authority, name="two") as two,
    ):
        stack.drop("one.yaml", *registration(ONE, "v1", one.port, key, service="one"))
        stack.drop("two.yaml", *registration(TWO, "v1", two.port, key, service="two"))
        lost = registration(LOST, "v1", 1, key, service="lost")
        stack.drop("lost.yaml", *lost[:2])
        stack.drop(
            "rights.yaml",
            *grant("readers", READ, ALL_OF_TWO, LOST_TOO, PATHS, groups=["developers"]),
            *grant("gems", NAMED, users=["alice"]),
            *grant("actors", ACT, users=["bob"]),
        )
        started = stack.http("starter", "developers", "starters")
        for path in (THINGS, f"/apis/{TWO}/v1/things"):
            until(lambda path=path: stack.status(path, started) == 200, f"{path} is served")
        until(lambda: stack.status(f"/apis/{LOST}/v1/things", started) == 503, "the lost one is known")
        other = CertificateAuthority("strangers").issue("alice", organizations=("developers",), server=False)
        (stack.root / "stranger.crt").write_bytes(other[0])
        (stack.root / "stranger.key").write_bytes(other[1])
        yield Front(stack, {one.port: one, two.port: two})


ALICE, ROOT, BOB, ZED = "alice", "root", "bob", "zed"
GROUPS = {ALICE: ("developers",), ROOT: ("system:masters",)}

REQUESTS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("list of a collection", f"GET {THINGS}", ALICE, {}),
    ("a page of it", f"GET {THINGS}?limit=5", ALICE, {}),
    ("one object", f"GET {THINGS}/t", BOB, {}),
    ("all namespaces", f"GET /apis/{ONE}/v1/things", ALICE, {}),
    ("not allowed to delete", f"DELETE {THINGS}/t", ALICE, {}),
    ("nor to create", f"POST {THINGS}", BOB, {}),
    ("subresource", f"GET {THINGS}/t/status", ALICE, {}),
    ("everything of a group", f"PATCH /apis/{TWO}/v1/namespaces/x/widgets/w/scale", ALICE, {}),
    ("whatever root wants", f"DELETE {THINGS}/t", ROOT, {}),
    ("one named object", f"GET /apis/{ONE}/v1/namespaces/default/gems/ruby", ALICE, {}),
    ("another object", f"GET /apis/{ONE}/v1/namespaces/default/gems/opal", ALICE, {}),
    ("a name in a selector", f"GET {THINGS}?fieldSelector=metadata.name%3Dt", ALICE, {}),
    ("nobody", f"GET {THINGS}", "", {}),
    ("nobody on a public path", "GET /readyz", "", {}),
    ("a token of nobody", f"GET {THINGS}", "wrong", {}),
    ("a user without rights", f"GET {THINGS}", ZED, {}),
    ("a certificate of strangers", f"GET {THINGS}", "stranger", {}),
    ("discovery", "GET /apis", ALICE, {}),
    ("discovery of a group", f"GET /apis/{ONE}", ALICE, {}),
    ("discovery of a version", f"GET /apis/{TWO}/v1", ALICE, {}),
    ("a document", f"GET /openapi/v3/apis/{ONE}/v1", ALICE, {}),
    ("unavailable", f"GET /apis/{LOST}/v1/things", ALICE, {}),
    ("unavailable and denied", f"DELETE /apis/{LOST}/v1/things/t", ALICE, {}),
    ("not registered", "GET /apis/none.example.com/v1/things", ROOT, {}),
    ("not there", "GET /nothing/here", ALICE, {}),
    ("two readings", f"GET /apis%2F{ONE}/v1/things", ALICE, {}),
    ("an escape where the API is chosen", f"GET /apis/{ONE[:-1]}%3A/v1/things", ALICE, {}),
    ("normalised", f"GET /apis//x/../{ONE}/v1/namespaces/%64efault/things", ALICE, {}),
    ("as alice", f"GET {THINGS}", BOB, {"Impersonate-User": ALICE, "Impersonate-Group": "developers"}),
    ("as only alice", f"GET {THINGS}", BOB, {"Impersonate-User": ALICE}),
    ("as root", f"GET {THINGS}", ROOT, {"Impersonate-User": "zed", "Impersonate-Group": "developers"}),
    ("an upgrade nobody does", f"GET {THINGS}", ALICE, {"Connection": "Upgrade", "Upgrade": "morse"}),
)
OPTIONS = {"Impersonate-User": "--impersonate", "Impersonate-Group": "--impersonate-group", "Upgrade": "--upgrade"}


@pytest.mark.parametrize(
    ("request_line", "who", "headers"), [each[1:] for each in REQUESTS], ids=[e[0] for e in REQUESTS]
)
def test_what_is_explained_is_what_happens(request_line: str, who: str, headers: dict[str, str], front: Front) -> None:
    """Verdict, answer, cluster, endpoint and cacheability are those of the request itself."""
    method, path = request_line.split(" ", 1)
    stack = front.stack
    evidence, sent, client = _evidence(stack, who)
    options = [text for name, value in headers.items() if name in OPTIONS for text in (OPTIONS[name], value)]

    result = front.explain(method, path, *evidence, *options, "-o", "json")
    told = json.loads(result.stdout)
    before = {port: len(backend.seen) for port, backend in front.backends.items()}
    sent_before = _sent(stack)
    response = client.urlopen(method, stack.url + path, headers={**headers, **sent}, retries=False)
    sent_after = _sent(stack)
    reached = [f"127.0.0.1:{port}" for port, backend in front.backends.items() if len(backend.seen) > before[port]]

    assert result.exit_code == (0 if told["served"] else 1)
    cluster = told.get("route", {}).get("cluster", "")
    if told["served"]:
        assert response.status == 200
        assert {cluster} == {name for name, count in sent_after.items() if count > sent_before.get(name, 0)}
        assert reached == (told["destination"]["endpoints"] if told["route"]["kind"] == "api" else [])
    else:
        assert (told["status"], reached) == (response.status, [])
        assert "Upgrade" in headers or told["message"] == json.loads(response.data)["message"]
    second = client.urlopen(method, stack.url + path, headers={**headers, **sent}, retries=False)
    known = second.headers.get("X-Isthmus-Verdict")
    assert (known == "hit") == bool(told["keeping"]["scope"])


def test_a_person_reads_it_from_top_to_bottom(front: Front) -> None:
    """The text names rule, role, binding and their file, the verdict's reach, cluster, endpoint and proxy."""
    said = front.explain("get", THINGS, "--as", "carol", "--as-group", "developers").stdout

    port = next(iter(front.backends))
    rights = front.stack.manifests / "rights.yaml"
    for part in (
        f"Outcome:                 allowed, and sent to 127.0.0.1:{port}\n",
        f"ClusterRole readers ({rights}, document 1)\n",
        f"ClusterRoleBinding readers ({rights}, document 2)\n",
        "list of every object among things of one.example.com/v1 in the namespace default\n",
        f"list {ONE}/v1 default things/\n",
        "test   SYNCED",
    ):
        assert part in said


def test_a_token_is_nowhere(front: Front) -> None:
    """Not in what is told, and not in the control plane's log, whether it holds or not."""
    root = front.stack.root
    for name in ("bob", "wrong"):
        said = front.explain("GET", THINGS, "--token-file", str(root / name), "-o", "json").stdout
        assert (root / name).read_text().strip() not in said

    log = (root / "control-plane.log").read_text()
    assert "secret-of-bob" not in log
    assert "of-nobody" not in log


def test_with_workers_it_is_explained_all_the_same() -> None:
    """The control plane answers no Check then, and decides by the same policy when it is asked why."""
    with tempfile.TemporaryDirectory(prefix="isthmus-") as root, Stack(settings=_workers(root)) as stack:
        stack.drop("rights.yaml", *grant("paths", PATHS, groups=["developers"]))
        client = stack.http("alice", "developers")
        until(lambda: stack.status("/nothing/here", client) == 404, "the worker decides by the rights")
        asked = ["explain", "GET", "/nothing/here", "--config", str(stack.settings)]
        until(
            lambda: (
                CliRunner()
                .invoke(main, [*asked, "--as", "a", "--as-group", "developers"])
                .stdout.startswith("Outcome:                 answered with 404")
            ),
            "the control plane explains by the rights",
        )
        denied = CliRunner().invoke(main, [*asked, "--as", "a"])

    assert (denied.exit_code, "answered with 403" in denied.stdout) == (1, True)


def _workers(root: str) -> dict[str, dict[str, object]]:
    return {"authorization": {"listen": f"unix:{root}/authorization.sock", "workers": 1}}


def _evidence(stack: Stack, who: str) -> tuple[list[str], dict[str, str], Any]:
    """Options for `isthmus explain`, header lines, and a client, all of them showing the same."""
    if not who:
        return [], {}, stack.http()
    if who in GROUPS or who == "stranger":
        pair = (stack.root / "stranger.crt", stack.root / "stranger.key") if who == "stranger" else None
        certificate: Path = (pair or stack.user(who, *GROUPS[who]))[0]
        return ["--cert", str(certificate)], {}, stack.http(pair=pair) if pair else stack.http(who, *GROUPS[who])
    token = stack.root / who
    return ["--token-file", str(token)], {"Authorization": f"Bearer {token.read_text().strip()}"}, stack.http()


def _sent(stack: Stack) -> dict[str, int]:
    """How many requests each cluster but those that the control plane is asked by has got."""
    counted = stack.stats(r"^cluster\..*\.upstream_rq_total$")
    clusters = {
        name.removeprefix("cluster.").removesuffix(".upstream_rq_total"): value for name, value in counted.items()
    }
    return {name: value for name, value in clusters.items() if name not in {"isthmus/xds", "isthmus/authorization"}}
