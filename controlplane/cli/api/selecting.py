"""The objects that a command is about.

In: what was typed, namespaces and selectors, and a client. Out: the objects, and what kept others away. Law: an object
that is missing or forbidden does not keep the others from being shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.kinds import KindError, Wanted, type_of, wanted
from controlplane.configapi.client import ApiError, ConfigClient

NOT_FOUND: Final = "NOT_FOUND"

_GOES_ON: Final = frozenset({NOT_FOUND, "PERMISSION_DENIED"})


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are meant.

    `namespace` is that of the objects whose kinds have namespaces, "" for all; `labels` and `fields` are selectors as
    the Kubernetes API writes them. `page_size`: how many objects a page has, 0 for as many as the server sends.
    """

    wanted: tuple[Wanted, ...]
    namespace: str
    labels: str = ""
    fields: str = ""
    page_size: int = 0

    @property
    def single(self) -> bool:
        """Whether it is one object by its name."""
        return len(self.wanted) == 1 and bool(self.wanted[0].name)

    def reference(self, one: Wanted) -> config_pb2.Reference:
        """Where the object is that was named."""
        namespace = self.namespace if one.kind.namespaced else ""
        return config_pb2.Reference(type=type_of(one.kind), namespace=namespace, name=one.name)

    def request(self, one: Wanted) -> config_pb2.ListRequest:
        """The list that shows those objects and no others."""
        name = f"metadata.name={one.name}" if one.name else ""
        return config_pb2.ListRequest(
            type=type_of(one.kind),
            namespace=self.namespace if one.kind.namespaced else "",
            label_selector=self.labels,
            field_selector=name or self.fields,
            page_size=self.page_size,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a selection, in its order, and what kept the rest away."""

    items: tuple[config_pb2.Object, ...]
    errors: tuple[ApiError, ...] = ()


def selection(
    arguments: Sequence[str],
    *,
    namespace: str,
    all_namespaces: bool = False,
    labels: str = "",
    fields: str = "",
    page_size: int = 0,
) -> Selection:
    """What the arguments of a command select, in a namespace unless all are meant.

    Raises:
        KindError: when they do not fit together, or name no kind.
    """
    named = wanted(arguments)
    if any(one.name for one in named):
        if labels or fields:
            raise KindError("error: a name and a selector are given; leave one of them out")
        if all_namespaces and any(one.kind.namespaced for one in named):
            raise KindError(
                "error: a name and --all-namespaces are given; say which namespace with --namespace, or leave one out"
            )
    return Selection(named, "" if all_namespaces else namespace, labels, fields, page_size)


def found(client: ConfigClient, selected: Selection) -> Found:
    """The objects that are selected.

    Raises:
        ApiError: when no other object could be asked for either.
    """
    items: list[config_pb2.Object] = []
    errors: list[ApiError] = []
    for one in selected.wanted:
        try:
            items += _asked(client, selected, one)
        except ApiError as error:
            if error.code not in _GOES_ON:
                raise
            errors.append(error)
    return Found(tuple(items), tuple(errors))


def nothing(selected: Selection) -> str:
    """What to say when nothing is selected and nothing is wrong."""
    if selected.namespace and all(one.kind.namespaced for one in selected.wanted):
        return f"No resources found in {selected.namespace} namespace."
    return "No resources found"


def _asked(client: ConfigClient, selected: Selection, one: Wanted) -> Iterator[config_pb2.Object]:
    if one.name:
        yield client.get(selected.reference(one))
        return
    for page in client.pages(selected.request(one)):
        yield from page.objects
