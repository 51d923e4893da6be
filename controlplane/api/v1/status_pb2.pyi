import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("generation", "api_services", "problems")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    API_SERVICES_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    generation: int
    api_services: _containers.RepeatedCompositeFieldContainer[ApiServiceStatus]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, generation: _Optional[int] = ..., api_services: _Optional[_Iterable[_Union[ApiServiceStatus, _Mapping]]] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ...) -> None: ...

class ApiServiceStatus(_message.Message):
    __slots__ = ("name", "service", "available", "reason", "message", "endpoints", "programmed", "programmed_reason", "programmed_message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    PROGRAMMED_FIELD_NUMBER: _ClassVar[int]
    PROGRAMMED_REASON_FIELD_NUMBER: _ClassVar[int]
    PROGRAMMED_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    service: str
    available: str
    reason: str
    message: str
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    programmed: str
    programmed_reason: str
    programmed_message: str
    def __init__(self, name: _Optional[str] = ..., service: _Optional[str] = ..., available: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., endpoints: _Optional[_Iterable[str]] = ..., programmed: _Optional[str] = ..., programmed_reason: _Optional[str] = ..., programmed_message: _Optional[str] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("path", "document", "subject", "field", "message", "remedy")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    path: str
    document: int
    subject: str
    field: str
    message: str
    remedy: str
    def __init__(self, path: _Optional[str] = ..., document: _Optional[int] = ..., subject: _Optional[str] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class ListProxiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProxiesResponse(_message.Message):
    __slots__ = ("proxies",)
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    proxies: _containers.RepeatedCompositeFieldContainer[ProxyStatus]
    def __init__(self, proxies: _Optional[_Iterable[_Union[ProxyStatus, _Mapping]]] = ...) -> None: ...

class ProxyStatus(_message.Message):
    __slots__ = ("node_id", "node_cluster", "version", "peer", "protocol", "connected_at", "offered_generation", "acked_generation", "state", "types", "group")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_AT_FIELD_NUMBER: _ClassVar[int]
    OFFERED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    ACKED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    node_cluster: str
    version: str
    peer: str
    protocol: str
    connected_at: _timestamp_pb2.Timestamp
    offered_generation: int
    acked_generation: int
    state: str
    types: _containers.RepeatedCompositeFieldContainer[ProxyTypeStatus]
    group: str
    def __init__(self, node_id: _Optional[str] = ..., node_cluster: _Optional[str] = ..., version: _Optional[str] = ..., peer: _Optional[str] = ..., protocol: _Optional[str] = ..., connected_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., offered_generation: _Optional[int] = ..., acked_generation: _Optional[int] = ..., state: _Optional[str] = ..., types: _Optional[_Iterable[_Union[ProxyTypeStatus, _Mapping]]] = ..., group: _Optional[str] = ...) -> None: ...

class ProxyTypeStatus(_message.Message):
    __slots__ = ("type_url", "state", "wildcard", "names", "behind", "sent_nonce", "sent_at", "acked_nonce", "acked_at", "error", "rejected", "withheld")
    TYPE_URL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WILDCARD_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    SENT_NONCE_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    ACKED_NONCE_FIELD_NUMBER: _ClassVar[int]
    ACKED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    type_url: str
    state: str
    wildcard: bool
    names: int
    behind: int
    sent_nonce: str
    sent_at: _timestamp_pb2.Timestamp
    acked_nonce: str
    acked_at: _timestamp_pb2.Timestamp
    error: str
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedResource]
    withheld: int
    def __init__(self, type_url: _Optional[str] = ..., state: _Optional[str] = ..., wildcard: _Optional[bool] = ..., names: _Optional[int] = ..., behind: _Optional[int] = ..., sent_nonce: _Optional[str] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acked_nonce: _Optional[str] = ..., acked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., error: _Optional[str] = ..., rejected: _Optional[_Iterable[_Union[RejectedResource, _Mapping]]] = ..., withheld: _Optional[int] = ...) -> None: ...

class RejectedResource(_message.Message):
    __slots__ = ("name", "version", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ConfirmRemovalsRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class ConfirmRemovalsResponse(_message.Message):
    __slots__ = ("streams", "released")
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    streams: int
    released: _containers.RepeatedCompositeFieldContainer[WithheldRemovals]
    def __init__(self, streams: _Optional[int] = ..., released: _Optional[_Iterable[_Union[WithheldRemovals, _Mapping]]] = ...) -> None: ...

class WithheldRemovals(_message.Message):
    __slots__ = ("node_id", "group", "type_url", "withheld", "held")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    TYPE_URL_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    group: str
    type_url: str
    withheld: int
    held: int
    def __init__(self, node_id: _Optional[str] = ..., group: _Optional[str] = ..., type_url: _Optional[str] = ..., withheld: _Optional[int] = ..., held: _Optional[int] = ...) -> None: ...
