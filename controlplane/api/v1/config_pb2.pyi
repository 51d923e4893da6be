import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FieldValidation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIELD_VALIDATION_UNSPECIFIED: _ClassVar[FieldValidation]
    FIELD_VALIDATION_IGNORE: _ClassVar[FieldValidation]
    FIELD_VALIDATION_WARN: _ClassVar[FieldValidation]
    FIELD_VALIDATION_STRICT: _ClassVar[FieldValidation]
FIELD_VALIDATION_UNSPECIFIED: FieldValidation
FIELD_VALIDATION_IGNORE: FieldValidation
FIELD_VALIDATION_WARN: FieldValidation
FIELD_VALIDATION_STRICT: FieldValidation

class Type(_message.Message):
    __slots__ = ("api_version", "kind")
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    api_version: str
    kind: str
    def __init__(self, api_version: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class Reference(_message.Message):
    __slots__ = ("type", "namespace", "name")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    type: Type
    namespace: str
    name: str
    def __init__(self, type: _Optional[_Union[Type, _Mapping]] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Object(_message.Message):
    __slots__ = ("reference", "uid", "resource_version", "json", "secret_sizes")
    class SecretSizesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    SECRET_SIZES_FIELD_NUMBER: _ClassVar[int]
    reference: Reference
    uid: str
    resource_version: str
    json: str
    secret_sizes: _containers.ScalarMap[str, int]
    def __init__(self, reference: _Optional[_Union[Reference, _Mapping]] = ..., uid: _Optional[str] = ..., resource_version: _Optional[str] = ..., json: _Optional[str] = ..., secret_sizes: _Optional[_Mapping[str, int]] = ...) -> None: ...

class WriteOptions(_message.Message):
    __slots__ = ("field_manager", "dry_run", "field_validation", "wait")
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    field_manager: str
    dry_run: bool
    field_validation: FieldValidation
    wait: _duration_pb2.Duration
    def __init__(self, field_manager: _Optional[str] = ..., dry_run: _Optional[bool] = ..., field_validation: _Optional[_Union[FieldValidation, str]] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("json", "options", "force")
    JSON_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    json: str
    options: WriteOptions
    force: bool
    def __init__(self, json: _Optional[str] = ..., options: _Optional[_Union[WriteOptions, _Mapping]] = ..., force: _Optional[bool] = ...) -> None: ...

class BatchApplyRequest(_message.Message):
    __slots__ = ("json", "options", "force")
    JSON_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    json: _containers.RepeatedScalarFieldContainer[str]
    options: WriteOptions
    force: bool
    def __init__(self, json: _Optional[_Iterable[str]] = ..., options: _Optional[_Union[WriteOptions, _Mapping]] = ..., force: _Optional[bool] = ...) -> None: ...

class BatchApplyResponse(_message.Message):
    __slots__ = ("written", "revision", "rollout")
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    written: _containers.RepeatedCompositeFieldContainer[Written]
    revision: int
    rollout: Rollout
    def __init__(self, written: _Optional[_Iterable[_Union[Written, _Mapping]]] = ..., revision: _Optional[int] = ..., rollout: _Optional[_Union[Rollout, _Mapping]] = ...) -> None: ...

class CreateRequest(_message.Message):
    __slots__ = ("json", "options")
    JSON_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    json: str
    options: WriteOptions
    def __init__(self, json: _Optional[str] = ..., options: _Optional[_Union[WriteOptions, _Mapping]] = ...) -> None: ...

class ReplaceRequest(_message.Message):
    __slots__ = ("json", "options")
    JSON_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    json: str
    options: WriteOptions
    def __init__(self, json: _Optional[str] = ..., options: _Optional[_Union[WriteOptions, _Mapping]] = ...) -> None: ...

class PatchRequest(_message.Message):
    __slots__ = ("reference", "form", "json", "options")
    class Form(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FORM_UNSPECIFIED: _ClassVar[PatchRequest.Form]
        FORM_MERGE: _ClassVar[PatchRequest.Form]
        FORM_JSON: _ClassVar[PatchRequest.Form]
    FORM_UNSPECIFIED: PatchRequest.Form
    FORM_MERGE: PatchRequest.Form
    FORM_JSON: PatchRequest.Form
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    reference: Reference
    form: PatchRequest.Form
    json: str
    options: WriteOptions
    def __init__(self, reference: _Optional[_Union[Reference, _Mapping]] = ..., form: _Optional[_Union[PatchRequest.Form, str]] = ..., json: _Optional[str] = ..., options: _Optional[_Union[WriteOptions, _Mapping]] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("reference", "uid", "resource_version", "options")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    reference: Reference
    uid: str
    resource_version: str
    options: WriteOptions
    def __init__(self, reference: _Optional[_Union[Reference, _Mapping]] = ..., uid: _Optional[str] = ..., resource_version: _Optional[str] = ..., options: _Optional[_Union[WriteOptions, _Mapping]] = ...) -> None: ...

class Written(_message.Message):
    __slots__ = ("object", "outcome", "warnings")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[Written.Outcome]
        OUTCOME_UNCHANGED: _ClassVar[Written.Outcome]
        OUTCOME_CREATED: _ClassVar[Written.Outcome]
        OUTCOME_CHANGED: _ClassVar[Written.Outcome]
        OUTCOME_DELETED: _ClassVar[Written.Outcome]
    OUTCOME_UNSPECIFIED: Written.Outcome
    OUTCOME_UNCHANGED: Written.Outcome
    OUTCOME_CREATED: Written.Outcome
    OUTCOME_CHANGED: Written.Outcome
    OUTCOME_DELETED: Written.Outcome
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    object: Object
    outcome: Written.Outcome
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, object: _Optional[_Union[Object, _Mapping]] = ..., outcome: _Optional[_Union[Written.Outcome, str]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("written", "revision", "rollout")
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    written: Written
    revision: int
    rollout: Rollout
    def __init__(self, written: _Optional[_Union[Written, _Mapping]] = ..., revision: _Optional[int] = ..., rollout: _Optional[_Union[Rollout, _Mapping]] = ...) -> None: ...

class Rollout(_message.Message):
    __slots__ = ("state", "acknowledged", "behind", "rejecting")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Rollout.State]
        STATE_ACKNOWLEDGED: _ClassVar[Rollout.State]
        STATE_NO_PROXIES: _ClassVar[Rollout.State]
        STATE_TIMED_OUT: _ClassVar[Rollout.State]
    STATE_UNSPECIFIED: Rollout.State
    STATE_ACKNOWLEDGED: Rollout.State
    STATE_NO_PROXIES: Rollout.State
    STATE_TIMED_OUT: Rollout.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    REJECTING_FIELD_NUMBER: _ClassVar[int]
    state: Rollout.State
    acknowledged: int
    behind: _containers.RepeatedScalarFieldContainer[str]
    rejecting: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, state: _Optional[_Union[Rollout.State, str]] = ..., acknowledged: _Optional[int] = ..., behind: _Optional[_Iterable[str]] = ..., rejecting: _Optional[_Iterable[str]] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("reference",)
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    reference: Reference
    def __init__(self, reference: _Optional[_Union[Reference, _Mapping]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("type", "namespace", "label_selector", "field_selector", "page_size", "page_token")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    type: Type
    namespace: str
    label_selector: str
    field_selector: str
    page_size: int
    page_token: str
    def __init__(self, type: _Optional[_Union[Type, _Mapping]] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("objects", "resource_version", "next_page_token")
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    objects: _containers.RepeatedCompositeFieldContainer[Object]
    resource_version: str
    next_page_token: str
    def __init__(self, objects: _Optional[_Iterable[_Union[Object, _Mapping]]] = ..., resource_version: _Optional[str] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("type", "namespace", "label_selector", "field_selector", "resource_version")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    type: Type
    namespace: str
    label_selector: str
    field_selector: str
    resource_version: str
    def __init__(self, type: _Optional[_Union[Type, _Mapping]] = ..., namespace: _Optional[str] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., resource_version: _Optional[str] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("change", "object", "resource_version")
    class Change(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CHANGE_UNSPECIFIED: _ClassVar[WatchResponse.Change]
        CHANGE_ADDED: _ClassVar[WatchResponse.Change]
        CHANGE_MODIFIED: _ClassVar[WatchResponse.Change]
        CHANGE_DELETED: _ClassVar[WatchResponse.Change]
        CHANGE_BOOKMARK: _ClassVar[WatchResponse.Change]
    CHANGE_UNSPECIFIED: WatchResponse.Change
    CHANGE_ADDED: WatchResponse.Change
    CHANGE_MODIFIED: WatchResponse.Change
    CHANGE_DELETED: WatchResponse.Change
    CHANGE_BOOKMARK: WatchResponse.Change
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    change: WatchResponse.Change
    object: Object
    resource_version: str
    def __init__(self, change: _Optional[_Union[WatchResponse.Change, str]] = ..., object: _Optional[_Union[Object, _Mapping]] = ..., resource_version: _Optional[str] = ...) -> None: ...
