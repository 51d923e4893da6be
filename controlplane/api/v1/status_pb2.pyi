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
    __slots__ = ("name", "service", "available", "reason", "message", "endpoints")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    service: str
    available: str
    reason: str
    message: str
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., service: _Optional[str] = ..., available: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., endpoints: _Optional[_Iterable[str]] = ...) -> None: ...

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
