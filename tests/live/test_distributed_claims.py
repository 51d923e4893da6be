"""Groups that an issuer keeps somewhere else, as a real kube-apiserver resolves them and as it is done here."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import urllib3
import yaml
from aiohttp import web
from distant_groups import World, believing
from kube import KubeApiServer
from process import until

from controlplane.auth.evidence import Recognised

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

Case = tuple[dict[str, object], Callable[[World], str], int]
"""Claims of the token besides the usual ones, what is kept at the place, and the status with which it is shown."""


def kept(name: str = "own", /, by: str = "", **claims: Any) -> Callable[[World], str]:  # noqa: ANN401 - any JSON
    """A JWT with the groups."""
    return lambda world: world.groups(name, by, **claims)


def case(
    claims: dict[str, object] | None = None, says: Callable[[World], str] | None = None, status: int = 200
) -> Case:
    """What differs from the usual."""
    return claims or {}, says or kept(), status


SOURCE = {"endpoint": "https://127.0.0.1:1/never"}
CASES: dict[str, Case] = {
    "as it shall be": case(),
    "with a line's end": case(says=lambda world: world.groups("own") + "\n"),
    "created": case(status=201),
    "the second audience": case(says=kept(aud=["x", "second"])),
    "one group": case(says=kept(groups="dev")),
    "no groups": case(says=kept(groups=[])),
    "groups of another type": case(says=kept(groups=[1])),
    "groups in the token": case({"groups": ["here"]}),
    "another claim": case({"_claim_names": {"address": "one"}}),
    "no names": case({"_claim_names": {}}),
    "no names and no sources": case({"_claim_names": {}, "_claim_sources": None}),
    "no sources": case({"_claim_sources": None}),
    "another source": case({"_claim_sources": {"two": SOURCE}}),
    "a source for another claim that is not there": case({"_claim_names": {"groups": "one", "address": "two"}}),
    "the same beside groups": case({"groups": ["here"], "_claim_names": {"address": "two"}}),
    "an empty source": case({"_claim_names": {"groups": ""}}),
    "names that are a list": case({"_claim_names": ["groups"]}),
    "a name that is a number": case({"_claim_names": {"groups": 1}}),
    "sources that are a text": case({"_claim_sources": "one"}),
    "an endpoint that is a number": case({"_claim_sources": {"one": {"endpoint": 1}}}),
    "an aggregated claim": case({"_claim_sources": {"one": {"JWT": "x.y.z"}}}),
    "nobody there": case({"_claim_sources": {"one": SOURCE}}),
    "no JWT": case(says=lambda _: "nonsense"),
    "nothing": case(says=lambda _: ""),
    "not the groups": case(says=lambda world: world.signed("own", roles=["dev"])),
    "another audience": case(says=kept(aud="other")),
    "expired": case(says=kept(exp=1)),
    "without an end": case(says=kept(exp=None)),
    "not yet good": case(says=kept(nbf=time.time() + 600)),
    "good in half a minute": case(says=kept(nbf=time.time() + 30)),
    "another's signature": case(says=kept(by="other")),
    "sources that are none": case(says=kept(_claim_names={"groups": "two"})),
    "an error": case(status=500),
    "nothing found": case(status=404),
    "an expired token": case({"exp": 1}),
    "a token for others": case({"aud": "other"}),
}


class Believing(KubeApiServer):
    """A kube-apiserver that believes `/own`."""

    def __init__(self, world: World) -> None:
        super().__init__()
        issuer = {
            "url": world.url("own"),
            "audiences": ["isthmus", "second"],
            "audienceMatchPolicy": "MatchAny",
            "certificateAuthority": world.authority.certificate.decode(),
        }
        mappings = {"username": {"claim": "sub", "prefix": ""}, "groups": {"claim": "groups", "prefix": "oidc:"}}
        version = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
        document = {**version, "jwt": [{"issuer": issuer, "claimMappings": mappings}]}
        (self.root / "authentication.yaml").write_text(yaml.safe_dump(document))

    def _kube_apiserver(self) -> list[str]:
        return [*super()._kube_apiserver(), f"--authentication-config={self.root / 'authentication.yaml'}"]

    def groups(self, token: str) -> tuple[str, ...] | None:
        """The groups of a token's holder; None when the token is refused."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        with urllib3.PoolManager(ssl_context=context, retries=False, timeout=urllib3.Timeout(10)) as client:
            answer = client.request("POST", self.url + WHO, body=body, headers=headers)
        if answer.status == 401:
            return None
        return tuple(json.loads(answer.data)["status"]["userInfo"].get("groups", ()))


async def test_kube_apiserver_and_we_resolve_the_same(tmp_path: Path) -> None:
    """Case by case: the same groups, or none, or the token is refused by both; each token is asked about once."""
    world, identifiers = World(tmp_path), count()
    here: dict[str, tuple[str, ...] | None] = {}
    there: dict[str, tuple[str, ...] | None] = {}
    async with world.serving(), asyncio.timeout(120):
        kube = Believing(world)
        await asyncio.to_thread(kube.__enter__)
        try:
            async with believing(world.configuration(), 120) as judge:
                # Until its keys are there, kube-apiserver refuses whatever an issuer signs, and the same for groups.
                await asyncio.to_thread(
                    until,
                    lambda: kube.groups(world.token(jti=f"{next(identifiers)}")) is not None,
                    "kube-apiserver has the keys",
                )
                for name, (claims, says, status) in CASES.items():
                    text = says(world)
                    world.answer = lambda _, text=text, status=status: web.Response(text=text, status=status)
                    token = world.token(**{"jti": f"{next(identifiers)}", **claims})
                    outcome = await judge.authenticate(token)
                    groups = outcome.user.groups if isinstance(outcome, Recognised) else None
                    here[name] = None if groups is None else (*groups, "system:authenticated")
                    there[name] = await asyncio.to_thread(kube.groups, token)
        finally:
            await asyncio.to_thread(kube.stop)

    assert there == here
    assert here["as it shall be"] == ("oidc:dev", "oidc:qa", "system:authenticated")
    assert {name for name, groups in here.items() if groups is not None} >= {"created", "an aggregated claim"}
