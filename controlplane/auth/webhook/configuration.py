"""AuthorizationConfiguration (apiserver.config.k8s.io/v1, v1beta1): which authorizers there are, in which order.

In: the text of the file and what reads the files it names. Out: a `Chain`, or a SettingsError with one line a defect.
Law: as strict as kube-apiserver, in its words; a type of authorizer that is not here is refused, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controlplane.auth.webhook.conditions import MatchConditions
from controlplane.auth.webhook.described import AccessReviews, Chain, Local, at_api
from controlplane.auth.webhook.kubeconfig import Connection, Reader, in_cluster, read_kubeconfig
from controlplane.auth.webhook.reviews import ACCESS_REVIEWS, Version
from controlplane.auth.webhook.strict import Defects, Fields, NotYamlError, document, is_subdomain
from controlplane.errors import SettingsError
from controlplane.model.identity import Verdict

_KIND: Final = "AuthorizationConfiguration"
_VERSIONS: Final = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
_WEBHOOK: Final = "Webhook"
_ABSENT: Final = {
    "Node": "knows pods and nodes, which only kube-apiserver has; ask it with a Webhook instead",
    "ABAC": "is not here; write its policy as RBAC roles and bindings",
}
_TYPES: Final = ("ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", _WEBHOOK)
_AUTHORIZER_FIELDS: Final = ("type", "name", "webhook")
_WEBHOOK_FIELDS: Final = (
    *("authorizedTTL", "cacheAuthorizedRequests", "unauthorizedTTL", "cacheUnauthorizedRequests", "timeout"),
    *("subjectAccessReviewVersion", "matchConditionSubjectAccessReviewVersion", "failurePolicy", "connectionInfo"),
    "matchConditions",
)
_POLICIES: Final = {"NoOpinion": Verdict.NO_OPINION, "Deny": Verdict.DENY}
_KUBECONFIG_FILE: Final = "KubeConfigFile"
_IN_CLUSTER: Final = "InClusterConfig"
_MOST_CONDITIONS: Final = 64
_LONGEST_TIMEOUT: Final = 30.0
_AUTHORIZED_SECONDS: Final = 300.0
_UNAUTHORIZED_SECONDS: Final = 30.0
# Wherever a defect leaves no connection; the file is refused then.
_NOWHERE: Final = Connection("")


def read_authorization_configuration(text: str, path: Path, read: Reader, environment: Mapping[str, str]) -> Chain:
    """The authorizers that the AuthorizationConfiguration `text` (from `path`) lists.

    `read` reads kubeconfig files and what they name; `environment` says where the pod's kube-apiserver is.

    Raises:
        SettingsError: one line a defect: the file, the field, kube-apiserver's sentence, and what to do.
    """
    defects = Defects()
    try:
        chain = _Configuration(read, environment, defects).chain(document(text))
    except NotYamlError as error:
        defects.add("", f"is not YAML ({error})", "mend the file")
        chain = ()
    if defects.lines:
        raise SettingsError("\n".join(f"{path}: {line}" for line in defects.lines))
    return chain


@dataclass(frozen=True, slots=True)
class _Configuration:
    read: Reader
    environment: Mapping[str, str]
    defects: Defects
    types: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def chain(self, content: object) -> Chain:
        if not isinstance(content, Mapping):
            self.defects.add("", f"is no {_KIND}", f"write apiVersion: {_VERSIONS[0]}, kind: {_KIND} and authorizers")
            return ()
        fields = Fields(content, "", ("apiVersion", "kind", "authorizers"), self.defects)
        for name, allowed in (("apiVersion", _VERSIONS), ("kind", (_KIND,))):
            value = fields.text(name)
            if not value:
                self.defects.required(name, f"write {allowed[0]}")
            elif value not in allowed:
                self.defects.unsupported(name, value, allowed)
        listed = fields.mappings("authorizers", _AUTHORIZER_FIELDS)
        if not listed:
            detail = "at least one authorization mode must be defined"
            self.defects.required("authorizers", "list one, such as type: RBAC, name: rbac", detail)
        links = [self._authorizer(each) for each in listed]
        return tuple(link for link in links if link is not None)

    def _authorizer(self, fields: Fields) -> Local | AccessReviews | None:
        kind, place = fields.text("type"), fields.at("type")
        if not kind:
            self.defects.required(place, "write RBAC, Webhook, AlwaysAllow or AlwaysDeny")
        elif kind not in _TYPES:
            self.defects.unsupported(place, kind, _TYPES)
        elif kind in _ABSENT:
            self.defects.add(place, f'authorizer type "{kind}" cannot be used', _ABSENT[kind])
        elif kind in self.types and kind != _WEBHOOK:
            self.defects.duplicate(place, kind, "keep one of them")
        else:
            self.types.add(kind)
            name = self._name(fields, kind)
            if kind == _WEBHOOK:
                return self._webhook(fields, name)
            if fields.present("webhook"):
                detail = "may only be specified when type=Webhook"
                self.defects.invalid(fields.at("webhook"), "non-null", detail, "remove it")
            return Local(kind)
        return None

    def _name(self, fields: Fields, kind: str) -> str:
        name, place = fields.text("name"), fields.at("name")
        if not name:
            self.defects.required(place, f"write {kind.lower()}" if kind != _WEBHOOK else "write a name for metrics")
        elif name in self.names:
            self.defects.duplicate(place, name, "give each its own")
        elif not is_subdomain(name):
            detail = (
                "authorizer name is invalid: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                "characters, '-' or '.', and must start and end with an alphanumeric character"
            )
            self.defects.invalid(place, name, detail, "write such a name")
        elif kind != _WEBHOOK and name != kind.lower():
            sentence = f"expected name {kind.lower()} for authorizer {kind} instead of {name}"
            self.defects.add(place, sentence, f"write {kind.lower()}")
        self.names.add(name)
        return name

    def _webhook(self, fields: Fields, name: str) -> AccessReviews | None:
        webhook = fields.mapping("webhook", _WEBHOOK_FIELDS)
        if webhook is None:
            self.defects.required(fields.at("webhook"), "describe it there", "required when type=Webhook")
            return None
        authorized = self._ttl(webhook, "authorizedTTL", _AUTHORIZED_SECONDS)
        unauthorized = self._ttl(webhook, "unauthorizedTTL", _UNAUTHORIZED_SECONDS)
        version = self._version(webhook)
        conditions = self._conditions(webhook)
        return AccessReviews(
            name=name,
            connection=self._connection(webhook, version),
            authorized_ttl=authorized if webhook.flag("cacheAuthorizedRequests", default=True) else 0.0,
            unauthorized_ttl=unauthorized if webhook.flag("cacheUnauthorizedRequests", default=True) else 0.0,
            timeout=self._timeout(webhook),
            version=version,
            failure_policy=self._policy(webhook),
            match_conditions=conditions,
        )

    def _ttl(self, webhook: Fields, name: str, default: float) -> float:
        seconds = webhook.seconds(name, default)
        if seconds < 0:
            self.defects.invalid(webhook.at(name), webhook.text(name), "must be > 0s", "write a time such as 30s")
        return seconds

    def _timeout(self, webhook: Fields) -> float:
        seconds, place = webhook.seconds("timeout", 0.0), webhook.at("timeout")
        if not webhook.text("timeout"):
            self.defects.required(place, "write a time such as 3s")
        elif not 0 < seconds <= _LONGEST_TIMEOUT:
            self.defects.invalid(place, webhook.text("timeout"), "must be > 0s and <= 30s", "write a time such as 3s")
        return seconds

    def _version(self, webhook: Fields) -> Version:
        name = "subjectAccessReviewVersion"
        value = webhook.text(name)
        if not value:
            self.defects.required(webhook.at(name), "write v1")
        elif value not in {"v1", "v1beta1"}:
            self.defects.unsupported(webhook.at(name), value, ("v1", "v1beta1"))
        return "v1beta1" if value == "v1beta1" else "v1"

    def _policy(self, webhook: Fields) -> Verdict:
        value = webhook.text("failurePolicy")
        if not value:
            self.defects.required(webhook.at("failurePolicy"), "write NoOpinion or Deny")
        elif value not in _POLICIES:
            self.defects.unsupported(webhook.at("failurePolicy"), value, _POLICIES)
        return _POLICIES.get(value, Verdict.DENY)

    def _connection(self, webhook: Fields, version: Version) -> Connection:
        info = webhook.mapping("connectionInfo", ("type", "kubeConfigFile"))
        kind = info.text("type") if info is not None else ""
        if info is None or not kind:
            self.defects.required(f"{webhook.at('connectionInfo')}.type", f"write {_KUBECONFIG_FILE} or {_IN_CLUSTER}")
            return _NOWHERE
        file, place = info.text("kubeConfigFile"), info.at("kubeConfigFile")
        try:
            if kind == _IN_CLUSTER:
                if file:
                    self.defects.invalid(place, file, "can only be set when type=KubeConfigFile", "remove it")
                return at_api(in_cluster(self.environment, self.read), ACCESS_REVIEWS, version)
            if kind == _KUBECONFIG_FILE:
                return self._kubeconfig(file, place)
        except SettingsError as error:
            self.defects.lines.append(f"{place if file else info.at('type')}: {error}")
            return _NOWHERE
        self.defects.unsupported(info.at("type"), kind, (_IN_CLUSTER, _KUBECONFIG_FILE))
        return _NOWHERE

    def _kubeconfig(self, file: str, place: str) -> Connection:
        if not file:
            self.defects.required(place, "write the absolute path of a kubeconfig")
        elif not Path(file).is_absolute():
            self.defects.invalid(place, file, "must be an absolute path", "write the whole path")
        else:
            try:
                return read_kubeconfig(self.read(Path(file)).decode(), Path(file), self.read)
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
                self.defects.invalid(place, file, f"error loading file: {reason}", "write the path of a kubeconfig")
        return _NOWHERE

    def _conditions(self, webhook: Fields) -> tuple[str, ...]:
        listed, place = webhook.mappings("matchConditions", ("expression",)), webhook.at("matchConditions")
        if len(listed) > _MOST_CONDITIONS:
            sentence = f"Too many: {len(listed)}: must have at most {_MOST_CONDITIONS} items"
            self.defects.add(place, sentence, "join some with &&")
            return ()
        version_field = "matchConditionSubjectAccessReviewVersion"
        version = webhook.text(version_field)
        if version and version != "v1":
            self.defects.unsupported(webhook.at(version_field), version, ("v1",))
        elif listed and not version:
            detail = "required if match conditions are specified"
            self.defects.required(webhook.at(version_field), "write v1", detail)
        texts: list[str] = []
        for each in listed:
            text = each.text("expression")
            if not text.strip():
                self.defects.required(each.at("expression"), "write a CEL expression, or remove the condition")
            elif text in texts:
                self.defects.duplicate(each.at("expression"), text, "keep one of them")
            texts.append(text)
        defects = MatchConditions(texts).defects if texts else {}
        for number, reason in defects.items():
            if texts[number].strip():
                self.defects.invalid(listed[number].at("expression"), texts[number], reason, "mend the expression")
        return tuple(texts)
