"""What is asked about one request, and the whole answer: who, whether, by which rule, for how long, where to.

Law: the fields of an `Explanation` are those of the ExplainResponse by name and kind; absent is "", 0, False, () or
None; no credential is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controlplane.model.credentials import Secret
from controlplane.model.identity import UserInfo


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and who makes it: a `user` by no credential, or a bearer token, or a certificate (PEM), or nobody.

    `headers` have lower-case names. `node_group` None: there are no node groups, or only one.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    user: UserInfo | None = None
    bearer_token: Secret | None = None
    client_certificate: str = ""
    node_group: str | None = None


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """Why there is no answer; `now` says that the same question may be answered later."""

    reason: str
    now: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """Deciding failed where it never should; `reason` holds nothing of the question."""

    reason: str


@dataclass(frozen=True, slots=True)
class Request:
    """The request as it is read; `given` is its target when Envoy makes another of it; `refused` says why."""

    method: str
    target: str
    given: str = ""
    refused: str = ""
    resource: bool = False
    verb: str = ""
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource_name: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, by what; `until` is in Unix seconds, None where the credential has no end."""

    recognised_by: str = ""
    user: UserInfo | None = None
    failure: str = ""
    until: float | None = None
    certificate: str = ""
    impersonated: UserInfo | None = None
    constraint: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that authorizers were asked so that the client may be somebody else."""

    question: str
    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a role."""

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    resource_names: tuple[str, ...]
    non_resource_urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """An object, and where it was read, "" when that is not known."""

    kind: str
    namespace: str
    name: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Considered:
    """A binding whose role does not allow what is asked, or is `missing`."""

    binding: Named
    role: Named
    subject: str
    rules: int
    missing: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What authorization says, by which rule; of a denial, which of how many bindings were looked at."""

    allowed: bool = False
    reason: str = ""
    rule: Rule | None = None
    role: Named | None = None
    aggregated_from: Named | None = None
    binding: Named | None = None
    subject: str = ""
    considered: tuple[Considered, ...] = ()
    bindings: int = 0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """What a kept verdict rests on."""

    digest: str
    words: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """What Envoy may keep of the verdict for how many seconds, or why it keeps nothing."""

    scope: str = ""
    words: str = ""
    seconds: float = 0.0
    grounds: tuple[Ground, ...] = ()
    not_kept: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """The APIService of the path."""

    object: Named
    service: str
    available: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Route:
    """The route: `kind` is "api", "core", "discovery" or "reply"; a reply has `status` and `message`."""

    kind: str
    scope: str
    name: str
    cluster: str = ""
    status: int = 0
    message: str = ""
    api_service: Registration | None = None
    timeout_seconds: float = 0.0
    retry_on: str = ""
    retries: int = 0
    upgrade: str = ""
    node_group: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where requests of a cluster go; with `dns` the endpoints are names that Envoy resolves.

    `server_name` is what the server is asked for, and what its certificate is verified for by `trust`: "caBundle",
    "system roots", "insecure" for not at all, or the name of another secret; "" without TLS. `client_certificate` says
    whether it is shown one.
    """

    endpoints: tuple[str, ...]
    dns: bool
    tls: bool = False
    server_name: str = ""
    trust: str = ""
    client_certificate: bool = False
    connect_timeout_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Holding:
    """Whether a proxy holds what is described."""

    node_id: str
    node_group: str
    state: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole answer; when not `served`, the front door itself answers with `status` and `message`."""

    served: bool
    status: int
    message: str
    request: Request
    identity: Identity = Identity()
    impersonation: tuple[Asked, ...] = ()
    verdict: Verdict = Verdict()
    keeping: Keeping = Keeping()
    route: Route | None = None
    destination: Destination | None = None
    proxies: tuple[Holding, ...] = ()
