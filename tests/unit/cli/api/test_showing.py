"""What `isthmus get` and `isthmus watch` print."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable

import pytest
import yaml

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.following import Event
from controlplane.cli.api.printing import plain
from controlplane.cli.api.showing import Stream, Style, whole
from controlplane.cli.api.tables import Look

NOW = datetime.datetime(2030, 1, 1, 0, 0, 5, tzinfo=datetime.UTC)
Make = Callable[..., config_pb2.Object]
TABLE = Style(None, Look())


def texts(items: list[config_pb2.Object], style: Style, *, single: bool = False) -> list[str]:
    """All that is printed."""
    return list(whole(items, style, single=single, now=NOW))


def test_one_kind_is_one_table(made: Make) -> None:
    """Names as they are, below the names of the columns."""
    items = [made("Secret"), made("Secret", metadata={"name": "other"}, type="example.com/long")]

    assert [
        "NAME    TYPE               DATA   AGE",
        "token   Opaque             2      5s",
        "other   example.com/long   2      5s",
    ] == texts(items, TABLE)


def test_several_kinds_are_tables_of_their_own(made: Make) -> None:
    """With a line between them, and names that say the kind."""
    items = [made("Secret"), made("APIService"), made("Secret")]

    assert [
        "NAME           TYPE     DATA   AGE",
        "secret/token   Opaque   2      5s",
        "",
        "NAME                                               SERVICE           AVAILABLE   AGE",
        "apiservice.apiregistration.k8s.io/v1.example.com   default/backend   Unknown     5s",
        "",
        "NAME           TYPE     DATA   AGE",
        "secret/token   Opaque   2      5s",
    ] == texts(items, TABLE)


def test_headers_may_be_left_out(made: Make) -> None:
    """And with them the lines between tables."""
    assert [
        "secret/token   Opaque   2   5s",
        "role.rbac.authorization.k8s.io/reader   2030-01-01T00:00:00Z",
    ] == texts([made("Secret"), made("Role")], Style(None, Look(), headers=False))


def test_nothing_is_no_table() -> None:
    """The names of columns alone say nothing."""
    assert [] == texts([], TABLE)


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_are_the_object_or_a_list(output: str, read: Callable[[str], object], made: Make) -> None:
    """The object itself when it was asked for by its name, a list of however many otherwise."""
    item = made("Role")
    style = Style(output, Look())
    [alone] = texts([item], style, single=True)
    [listed] = texts([item], style)
    [nothing] = texts([], style)

    assert plain(item, managed_fields=False) == read(alone)
    assert {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [read(alone)]} == read(
        listed
    )
    assert {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": []} == read(nothing)


def test_names_are_a_line_each(made: Make) -> None:
    """With their types."""
    assert ["secret/token", "role.rbac.authorization.k8s.io/reader"] == texts(
        [made("Secret"), made("Role")], Style("name", Look())
    )


def stream(output: str | None, item: config_pb2.Object, *, events: bool = True) -> list[str]:
    """What is printed of an object that is there, changes and goes."""
    printer = Stream(Style(output, Look(events=events)), lambda: NOW)
    begun = list(printer.texts(()))
    return [
        *begun,
        *printer.texts((Event("ADDED", item),)),
        *printer.texts((Event("MODIFIED", item), Event("DELETED", item))),
    ]


def test_a_watch_prints_a_line_a_change(made: Make) -> None:
    """The names of the columns once, with the first line; columns stay where they are."""
    assert [
        "EVENT   NAME    TYPE     DATA   AGE",
        "ADDED   token   Opaque   2      5s",
        "MODIFIED   token   Opaque   2      5s",
        "DELETED    token   Opaque   2      5s",
    ] == stream(None, made("Secret"))
    assert [
        "NAME    TYPE     DATA   AGE",
        "token   Opaque   2      5s",
        "token   Opaque   2      5s",
        "token   Opaque   2      5s",
    ] == stream(None, made("Secret"), events=False)


def test_a_watch_in_json_is_a_document_a_line(made: Make) -> None:
    """With what happened when that is wanted."""
    item = made("Role")
    with_events = [json.loads(line) for line in stream("json", item)]
    without = [json.loads(line) for line in stream("json", item, events=False)]

    assert ["ADDED", "MODIFIED", "DELETED"] == [document["type"] for document in with_events]
    assert [plain(item, managed_fields=False)] * 3 == [document["object"] for document in with_events] == without


def test_a_watch_in_yaml_is_a_stream_of_documents(made: Make) -> None:
    """That a YAML reader takes as several."""
    documents = list(yaml.safe_load_all("\n".join(stream("yaml", made("Role")))))

    assert ["ADDED", "MODIFIED", "DELETED"] == [document["type"] for document in documents]


def test_a_watch_of_names_is_a_name_a_line(made: Make) -> None:
    """Whatever happened."""
    assert ["secret/token"] * 3 == stream("name", made("Secret"))
