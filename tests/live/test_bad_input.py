"""Bad registrations beside good ones: each is told in a sentence of its own, and the good ones go on serving."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from backend import Backend
from stack import Stack, registration, until

GOOD = "/apis/good.example.com/v1/things"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door with one good registration."""
    with Stack() as running:
        yield running


@pytest.fixture(scope="module")
def good(stack: Stack) -> Iterator[Backend]:
    """The backend of the good registration."""
    with Backend(*stack.backend_files("good"), stack.root / "proxies-ca.crt") as backend:
        ca = stack.servers.certificate
        stack.drop("good.yaml", *registration("good.example.com", "v1", backend.port, ca, service="good"))
        client = stack.http("admin", "system:masters")
        until(lambda: stack.status(GOOD, client) == 200, "the good API is served")
        yield backend


def an_apiservice(group: str, **spec: object) -> dict[str, object]:
    """An APIService on a Service that nobody describes."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group,
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "default", "name": "none"},
            **spec,
        },
    }


def written(text: str) -> Callable[[Path], object]:
    """Writes that text."""
    return lambda path: path.write_text(text)


def objects(*manifests: dict[str, object]) -> Callable[[Path], object]:
    """Writes those objects."""
    return written(yaml.safe_dump_all(manifests))


def alias_bomb() -> str:
    """Nine levels of nine aliases each: 387 million values when followed."""
    lines = ["a: &a [" + ",".join("x" * 9) + "]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(8)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        (
            "rule",
            objects(an_apiservice("rule.example.com", groupPriorityMinimum=30000)),
            "spec.groupPriorityMinimum: Invalid value: 30000: must be positive and less than 20000; write a number",
        ),
        (
            "twice",
            objects(an_apiservice("good.example.com")),
            "document 1: APIService v1.good.example.com: is defined in",
        ),
        (
            "ca",
            objects(an_apiservice("ca.example.com", insecureSkipTLSVerify=False, caBundle="aGVsbG8=")),
            "document 1: APIService v1.ca.example.com: spec.caBundle: Invalid value",
        ),
        (
            "ports",
            objects(
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "p"}, "spec": {"clusterIP": "10.0.0.1"}}
            ),
            "document 1: Service default/p: spec.ports: Required value",
        ),
        ("huge", lambda path: os.truncate(path, 50 << 20), "has 52428800 bytes, more than the 3145728 that are read"),
        ("bomb", written(alias_bomb()), "when its aliases are followed; write it without aliases"),
        ("syntax", written("a: [1,\n"), "is not YAML"),
        ("unknown", written("kind: Pod\napiVersion: v1\nmetadata: {name: x}\n"), "is not a kind that is read here"),
    ],
)
def test_a_bad_file_is_told_and_harms_no_other(
    name: str, write: Callable[[Path], object], sentence: str, stack: Stack, good: Backend
) -> None:
    """The log names the file and what is wrong; the good API answers before, meanwhile and after."""
    client = stack.http("admin", "system:masters")
    temporary = stack.root / f"{name}.tmp"
    temporary.touch()
    write(temporary)
    target = stack.manifests / f"bad-{name}.yaml"

    temporary.rename(target)

    log = stack.root / "control-plane.log"
    until(lambda: any(str(target) in line and sentence in line for line in log.read_text().splitlines()), sentence)
    assert stack.status(GOOD, client) == 200
    target.unlink()
    until(lambda: str(target) in log.read_text().rpartition("problem solved")[2], "the log says it is solved")
    assert stack.status(GOOD, client) == 200
    assert "Traceback" not in log.read_text()


def test_what_was_good_stays_in_force_while_its_file_is_broken(stack: Stack, good: Backend) -> None:
    """A broken edit of a served API changes nothing, and the mended file is taken over."""
    client = stack.http("admin", "system:masters")
    path = stack.manifests / "good.yaml"
    whole = path.read_text()
    log = stack.root / "control-plane.log"

    temporary = stack.root / "broken.tmp"
    temporary.write_text(whole.replace("groupPriorityMinimum: 1000", "groupPriorityMinimum: never"))
    temporary.rename(path)

    until(lambda: "spec.groupPriorityMinimum" in log.read_text().rpartition(str(path))[2], "the mistake is told")
    assert stack.status(GOOD, client) == 200
    temporary.write_text(whole)
    temporary.rename(path)
    until(lambda: str(path) in log.read_text().rpartition("problem solved")[2], "the file is mended")
    assert stack.status(GOOD, client) == 200


def test_a_file_that_comes_and_goes_at_once_is_no_problem(stack: Stack, good: Backend) -> None:
    """Files removed while they are read are simply gone; afterwards a new one is served as ever."""
    client = stack.http("admin", "system:masters")
    for number in range(50):
        stack.drop(f"flash-{number}.yaml", an_apiservice(f"flash{number}.example.com"))
        stack.remove(f"flash-{number}.yaml")
    ca = stack.servers.certificate
    stack.drop("late.yaml", registration("late.example.com", "v1", good.port, ca, service="good")[0])

    until(lambda: stack.status("/apis/late.example.com/v1/x", client) == 200, "the late API is served")
    assert "Traceback" not in (stack.root / "control-plane.log").read_text()
    assert stack.status("/apis/flash1.example.com/v1/x", client) == 404
