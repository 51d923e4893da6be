import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("method", "target", "headers", "user", "bearer_token", "client_certificate", "node_group")
    class Header(_message.Message):
        __slots__ = ("name", "value")
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        name: str
        value: str
        def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    BEARER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    NODE_GROUP_FIELD_NUMBER: _ClassVar[int]
    method: str
    target: str
    headers: _containers.RepeatedCompositeFieldContainer[ExplainRequest.Header]
    user: User
    bearer_token: str
    client_certificate: str
    node_group: str
    def __init__(self, method: _Optional[str] = ..., target: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[ExplainRequest.Header, _Mapping]]] = ..., user: _Optional[_Union[User, _Mapping]] = ..., bearer_token: _Optional[str] = ..., client_certificate: _Optional[str] = ..., node_group: _Optional[str] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("name", "uid", "groups", "extra")
    class Extra(_message.Message):
        __slots__ = ("key", "values")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUES_FIELD_NUMBER: _ClassVar[int]
        key: str
        values: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, key: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    name: str
    uid: str
    groups: _containers.RepeatedScalarFieldContainer[str]
    extra: _containers.RepeatedCompositeFieldContainer[User.Extra]
    def __init__(self, name: _Optional[str] = ..., uid: _Optional[str] = ..., groups: _Optional[_Iterable[str]] = ..., extra: _Optional[_Iterable[_Union[User.Extra, _Mapping]]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("served", "status", "message", "request", "identity", "impersonation", "verdict", "keeping", "route", "destination", "proxies")
    class Request(_message.Message):
        __slots__ = ("method", "target", "given", "refused", "resource", "verb", "api_group", "api_version", "namespace", "resource_name", "subresource", "name", "field_selector", "label_selector")
        METHOD_FIELD_NUMBER: _ClassVar[int]
        TARGET_FIELD_NUMBER: _ClassVar[int]
        GIVEN_FIELD_NUMBER: _ClassVar[int]
        REFUSED_FIELD_NUMBER: _ClassVar[int]
        RESOURCE_FIELD_NUMBER: _ClassVar[int]
        VERB_FIELD_NUMBER: _ClassVar[int]
        API_GROUP_FIELD_NUMBER: _ClassVar[int]
        API_VERSION_FIELD_NUMBER: _ClassVar[int]
        NAMESPACE_FIELD_NUMBER: _ClassVar[int]
        RESOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
        SUBRESOURCE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
        LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
        method: str
        target: str
        given: str
        refused: str
        resource: bool
        verb: str
        api_group: str
        api_version: str
        namespace: str
        resource_name: str
        subresource: str
        name: str
        field_selector: str
        label_selector: str
        def __init__(self, method: _Optional[str] = ..., target: _Optional[str] = ..., given: _Optional[str] = ..., refused: _Optional[str] = ..., resource: _Optional[bool] = ..., verb: _Optional[str] = ..., api_group: _Optional[str] = ..., api_version: _Optional[str] = ..., namespace: _Optional[str] = ..., resource_name: _Optional[str] = ..., subresource: _Optional[str] = ..., name: _Optional[str] = ..., field_selector: _Optional[str] = ..., label_selector: _Optional[str] = ...) -> None: ...
    class Identity(_message.Message):
        __slots__ = ("recognised_by", "user", "failure", "until", "certificate", "impersonated", "constraint")
        RECOGNISED_BY_FIELD_NUMBER: _ClassVar[int]
        USER_FIELD_NUMBER: _ClassVar[int]
        FAILURE_FIELD_NUMBER: _ClassVar[int]
        UNTIL_FIELD_NUMBER: _ClassVar[int]
        CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
        IMPERSONATED_FIELD_NUMBER: _ClassVar[int]
        CONSTRAINT_FIELD_NUMBER: _ClassVar[int]
        recognised_by: str
        user: User
        failure: str
        until: _timestamp_pb2.Timestamp
        certificate: str
        impersonated: User
        constraint: str
        def __init__(self, recognised_by: _Optional[str] = ..., user: _Optional[_Union[User, _Mapping]] = ..., failure: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., certificate: _Optional[str] = ..., impersonated: _Optional[_Union[User, _Mapping]] = ..., constraint: _Optional[str] = ...) -> None: ...
    class Question(_message.Message):
        __slots__ = ("question", "allowed", "reason")
        QUESTION_FIELD_NUMBER: _ClassVar[int]
        ALLOWED_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        question: str
        allowed: bool
        reason: str
        def __init__(self, question: _Optional[str] = ..., allowed: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...
    class Verdict(_message.Message):
        __slots__ = ("allowed", "reason", "rule", "role", "aggregated_from", "binding", "subject", "considered", "bindings", "generation")
        ALLOWED_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        RULE_FIELD_NUMBER: _ClassVar[int]
        ROLE_FIELD_NUMBER: _ClassVar[int]
        AGGREGATED_FROM_FIELD_NUMBER: _ClassVar[int]
        BINDING_FIELD_NUMBER: _ClassVar[int]
        SUBJECT_FIELD_NUMBER: _ClassVar[int]
        CONSIDERED_FIELD_NUMBER: _ClassVar[int]
        BINDINGS_FIELD_NUMBER: _ClassVar[int]
        GENERATION_FIELD_NUMBER: _ClassVar[int]
        allowed: bool
        reason: str
        rule: ExplainResponse.Rule
        role: ExplainResponse.Object
        aggregated_from: ExplainResponse.Object
        binding: ExplainResponse.Object
        subject: str
        considered: _containers.RepeatedCompositeFieldContainer[ExplainResponse.Considered]
        bindings: int
        generation: int
        def __init__(self, allowed: _Optional[bool] = ..., reason: _Optional[str] = ..., rule: _Optional[_Union[ExplainResponse.Rule, _Mapping]] = ..., role: _Optional[_Union[ExplainResponse.Object, _Mapping]] = ..., aggregated_from: _Optional[_Union[ExplainResponse.Object, _Mapping]] = ..., binding: _Optional[_Union[ExplainResponse.Object, _Mapping]] = ..., subject: _Optional[str] = ..., considered: _Optional[_Iterable[_Union[ExplainResponse.Considered, _Mapping]]] = ..., bindings: _Optional[int] = ..., generation: _Optional[int] = ...) -> None: ...
    class Rule(_message.Message):
        __slots__ = ("verbs", "api_groups", "resources", "resource_names", "non_resource_urls")
        VERBS_FIELD_NUMBER: _ClassVar[int]
        API_GROUPS_FIELD_NUMBER: _ClassVar[int]
        RESOURCES_FIELD_NUMBER: _ClassVar[int]
        RESOURCE_NAMES_FIELD_NUMBER: _ClassVar[int]
        NON_RESOURCE_URLS_FIELD_NUMBER: _ClassVar[int]
        verbs: _containers.RepeatedScalarFieldContainer[str]
        api_groups: _containers.RepeatedScalarFieldContainer[str]
        resources: _containers.RepeatedScalarFieldContainer[str]
        resource_names: _containers.RepeatedScalarFieldContainer[str]
        non_resource_urls: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, verbs: _Optional[_Iterable[str]] = ..., api_groups: _Optional[_Iterable[str]] = ..., resources: _Optional[_Iterable[str]] = ..., resource_names: _Optional[_Iterable[str]] = ..., non_resource_urls: _Optional[_Iterable[str]] = ...) -> None: ...
    class Object(_message.Message):
        __slots__ = ("kind", "namespace", "name", "origin")
        KIND_FIELD_NUMBER: _ClassVar[int]
        NAMESPACE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        ORIGIN_FIELD_NUMBER: _ClassVar[int]
        kind: str
        namespace: str
        name: str
        origin: str
        def __init__(self, kind: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., origin: _Optional[str] = ...) -> None: ...
    class Considered(_message.Message):
        __slots__ = ("binding", "role", "subject", "rules", "missing")
        BINDING_FIELD_NUMBER: _ClassVar[int]
        ROLE_FIELD_NUMBER: _ClassVar[int]
        SUBJECT_FIELD_NUMBER: _ClassVar[int]
        RULES_FIELD_NUMBER: _ClassVar[int]
        MISSING_FIELD_NUMBER: _ClassVar[int]
        binding: ExplainResponse.Object
        role: ExplainResponse.Object
        subject: str
        rules: int
        missing: bool
        def __init__(self, binding: _Optional[_Union[ExplainResponse.Object, _Mapping]] = ..., role: _Optional[_Union[ExplainResponse.Object, _Mapping]] = ..., subject: _Optional[str] = ..., rules: _Optional[int] = ..., missing: _Optional[bool] = ...) -> None: ...
    class Keeping(_message.Message):
        __slots__ = ("scope", "words", "seconds", "grounds", "not_kept")
        SCOPE_FIELD_NUMBER: _ClassVar[int]
        WORDS_FIELD_NUMBER: _ClassVar[int]
        SECONDS_FIELD_NUMBER: _ClassVar[int]
        GROUNDS_FIELD_NUMBER: _ClassVar[int]
        NOT_KEPT_FIELD_NUMBER: _ClassVar[int]
        scope: str
        words: str
        seconds: float
        grounds: _containers.RepeatedCompositeFieldContainer[ExplainResponse.Ground]
        not_kept: str
        def __init__(self, scope: _Optional[str] = ..., words: _Optional[str] = ..., seconds: _Optional[float] = ..., grounds: _Optional[_Iterable[_Union[ExplainResponse.Ground, _Mapping]]] = ..., not_kept: _Optional[str] = ...) -> None: ...
    class Ground(_message.Message):
        __slots__ = ("digest", "words")
        DIGEST_FIELD_NUMBER: _ClassVar[int]
        WORDS_FIELD_NUMBER: _ClassVar[int]
        digest: str
        words: str
        def __init__(self, digest: _Optional[str] = ..., words: _Optional[str] = ...) -> None: ...
    class Route(_message.Message):
        __slots__ = ("kind", "scope", "name", "cluster", "status", "message", "api_service", "timeout_seconds", "retry_on", "retries", "upgrade", "node_group")
        KIND_FIELD_NUMBER: _ClassVar[int]
        SCOPE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        CLUSTER_FIELD_NUMBER: _ClassVar[int]
        STATUS_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        API_SERVICE_FIELD_NUMBER: _ClassVar[int]
        TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
        RETRY_ON_FIELD_NUMBER: _ClassVar[int]
        RETRIES_FIELD_NUMBER: _ClassVar[int]
        UPGRADE_FIELD_NUMBER: _ClassVar[int]
        NODE_GROUP_FIELD_NUMBER: _ClassVar[int]
        kind: str
        scope: str
        name: str
        cluster: str
        status: int
        message: str
        api_service: ExplainResponse.Registration
        timeout_seconds: float
        retry_on: str
        retries: int
        upgrade: str
        node_group: str
        def __init__(self, kind: _Optional[str] = ..., scope: _Optional[str] = ..., name: _Optional[str] = ..., cluster: _Optional[str] = ..., status: _Optional[int] = ..., message: _Optional[str] = ..., api_service: _Optional[_Union[ExplainResponse.Registration, _Mapping]] = ..., timeout_seconds: _Optional[float] = ..., retry_on: _Optional[str] = ..., retries: _Optional[int] = ..., upgrade: _Optional[str] = ..., node_group: _Optional[str] = ...) -> None: ...
    class Registration(_message.Message):
        __slots__ = ("object", "service", "available", "reason", "message")
        OBJECT_FIELD_NUMBER: _ClassVar[int]
        SERVICE_FIELD_NUMBER: _ClassVar[int]
        AVAILABLE_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        object: ExplainResponse.Object
        service: str
        available: str
        reason: str
        message: str
        def __init__(self, object: _Optional[_Union[ExplainResponse.Object, _Mapping]] = ..., service: _Optional[str] = ..., available: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
    class Destination(_message.Message):
        __slots__ = ("endpoints", "dns", "tls", "server_name", "trust", "client_certificate", "connect_timeout_seconds")
        ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
        DNS_FIELD_NUMBER: _ClassVar[int]
        TLS_FIELD_NUMBER: _ClassVar[int]
        SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
        TRUST_FIELD_NUMBER: _ClassVar[int]
        CLIENT_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
        CONNECT_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
        endpoints: _containers.RepeatedScalarFieldContainer[str]
        dns: bool
        tls: bool
        server_name: str
        trust: str
        client_certificate: bool
        connect_timeout_seconds: float
        def __init__(self, endpoints: _Optional[_Iterable[str]] = ..., dns: _Optional[bool] = ..., tls: _Optional[bool] = ..., server_name: _Optional[str] = ..., trust: _Optional[str] = ..., client_certificate: _Optional[bool] = ..., connect_timeout_seconds: _Optional[float] = ...) -> None: ...
    class Holding(_message.Message):
        __slots__ = ("node_id", "node_group", "state", "reasons")
        NODE_ID_FIELD_NUMBER: _ClassVar[int]
        NODE_GROUP_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        REASONS_FIELD_NUMBER: _ClassVar[int]
        node_id: str
        node_group: str
        state: str
        reasons: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, node_id: _Optional[str] = ..., node_group: _Optional[str] = ..., state: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...
    SERVED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    IMPERSONATION_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    KEEPING_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    served: bool
    status: int
    message: str
    request: ExplainResponse.Request
    identity: ExplainResponse.Identity
    impersonation: _containers.RepeatedCompositeFieldContainer[ExplainResponse.Question]
    verdict: ExplainResponse.Verdict
    keeping: ExplainResponse.Keeping
    route: ExplainResponse.Route
    destination: ExplainResponse.Destination
    proxies: _containers.RepeatedCompositeFieldContainer[ExplainResponse.Holding]
    def __init__(self, served: _Optional[bool] = ..., status: _Optional[int] = ..., message: _Optional[str] = ..., request: _Optional[_Union[ExplainResponse.Request, _Mapping]] = ..., identity: _Optional[_Union[ExplainResponse.Identity, _Mapping]] = ..., impersonation: _Optional[_Iterable[_Union[ExplainResponse.Question, _Mapping]]] = ..., verdict: _Optional[_Union[ExplainResponse.Verdict, _Mapping]] = ..., keeping: _Optional[_Union[ExplainResponse.Keeping, _Mapping]] = ..., route: _Optional[_Union[ExplainResponse.Route, _Mapping]] = ..., destination: _Optional[_Union[ExplainResponse.Destination, _Mapping]] = ..., proxies: _Optional[_Iterable[_Union[ExplainResponse.Holding, _Mapping]]] = ...) -> None: ...
