"""`isthmus delete`: objects go.

In: kinds and names, selectors, or manifests. Out: a line for each object, as kubectl prints it. Law: what leans on
others goes before them; what cannot be removed keeps nothing else from going, and the exit code is 1 then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import click

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.batches import MOST_OBJECTS, rank
from controlplane.cli.api.completing import objects_argument
from controlplane.cli.api.connection import Namespace, connects
from controlplane.cli.api.dry_run import SUFFIX, dry_runs
from controlplane.cli.api.kinds import KindError, kind_of, spoken, type_of
from controlplane.cli.api.manifests import Given, filenames, read
from controlplane.cli.api.progress import Progress, progress
from controlplane.cli.api.selecting import NOT_FOUND, Selection, found, nothing, selection
from controlplane.cli.api.waiting import Waiting, waits
from controlplane.configapi.client import ApiError, ConfigClient
from controlplane.errors import IsthmusError
from controlplane.resources.kinds import Kind
from controlplane.resources.status import qualified

# Of these the next object would hear, too.
_ENDS_ALL: Final = frozenset({"UNAVAILABLE", "UNAUTHENTICATED"})

_WITHHELD: Final = "; when many go at once, they are withheld until `isthmus confirm-removals`"


class DeleteError(IsthmusError):
    """Not everything was removed; the text says how much was."""


@dataclass(frozen=True, slots=True)
class Target:
    """An object that is to go; when it was listed, with its uid, so that no other of its name goes instead of it.

    `place` is where the manifest that names it stands, "" without one.
    """

    kind: Kind
    namespace: str
    name: str
    uid: str = ""
    place: str = ""

    @property
    def request(self) -> config_pb2.DeleteRequest:
        """What removes it."""
        reference = config_pb2.Reference(type=type_of(self.kind), namespace=self.namespace, name=self.name)
        return config_pb2.DeleteRequest(reference=reference, uid=self.uid)


@click.command("delete")
@objects_argument("TYPE NAME... | TYPE/NAME... | TYPE[,TYPE] -l ... | TYPE[,TYPE] --all")
@filenames(required=False)
@click.option("-l", "--selector", default="", help="Objects with these labels, such as app=a,tier!=b.")
@click.option("--field-selector", default="", help="Objects with these fields, such as metadata.name=a.")
@click.option("--all", "everything", is_flag=True, help="All objects of the kinds.")
@click.option("-A", "--all-namespaces", is_flag=True, help="With --all or a selector: in all namespaces.")
@click.option("--ignore-not-found", is_flag=True, help="What is not there is no failure.")
@click.option("-o", "--output", type=click.Choice(["name"]), help="Print TYPE/NAME instead of a line.")
@dry_runs
@waits
@connects
@click.pass_context
def command(
    ctx: click.Context,
    *,
    client: ConfigClient,
    namespace: Namespace,
    objects: tuple[str, ...],
    paths: tuple[Path, ...],
    recursive: bool,
    selector: str,
    field_selector: str,
    everything: bool,
    all_namespaces: bool,
    ignore_not_found: bool,
    output: Literal["name"] | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Remove objects, such as `isthmus delete apiservice v1.example.com`, or `isthmus delete -f FOLDER`."""
    by_list = bool(selector or field_selector or everything)
    if bool(paths) == bool(objects) or (paths and (by_list or all_namespaces)):
        raise click.UsageError("Say what is to go by TYPE and NAME, by TYPE and a selector or --all, or by -f.")
    if everything and (selector or field_selector):
        raise click.UsageError("--all and a selector say different things; give one of them.")
    if paths:
        given = read(paths, namespace, recursive=recursive, stdin=sys.stdin.buffer.read)
        targets, failed = _given(given), len(given.defects)
    else:
        selected = selection(
            objects,
            namespace=namespace.name,
            all_namespaces=all_namespaces,
            labels=selector,
            fields=field_selector,
        )
        targets, failed = _selected(client, selected, by_list=by_list)
        if not targets and not failed:
            click.echo(nothing(selected), err=True)
    deleting = _Deleting(client, Waiting(timeout if wait else None), ignore_not_found, dry_run, output == "name")
    failed += deleting.run(targets)
    for sentence in deleting.waiting.sentences(_WITHHELD):
        click.echo(sentence, err=True)
    ctx.exit(1 if failed or deleting.waiting.timed_out else 0)


def _given(given: Given) -> tuple[Target, ...]:
    for defect in given.defects:
        click.echo(defect, err=True)
    once = {manifest.key: manifest for manifest in given.objects}
    if not once and not given.defects:
        raise DeleteError("error: no objects passed to delete")
    return _ordered(Target(each.kind, each.namespace, each.name, place=each.place) for each in once.values())


def _selected(client: ConfigClient, selected: Selection, *, by_list: bool) -> tuple[tuple[Target, ...], int]:
    """The objects, and how many kinds could not be listed."""
    named = [one for one in selected.wanted if one.name]
    if named and by_list:
        raise KindError("error: names and --all are given; leave one of them out")
    if not by_list:
        if not named:
            raise KindError("error: kinds are given, and no name; give names, -l, or --all")
        references = [(one.kind, selected.reference(one)) for one in named]
        return _ordered(Target(kind, reference.namespace, reference.name) for kind, reference in references), 0
    there = found(client, selected)
    for error in there.errors:
        click.echo(str(error), err=True)
    return _ordered(_listed(there.items)), len(there.errors)


def _listed(items: Iterable[config_pb2.Object]) -> Iterator[Target]:
    for item in items:
        yield Target(kind_of(item), item.reference.namespace, item.reference.name, item.uid)


def _ordered(targets: Iterable[Target]) -> tuple[Target, ...]:
    return tuple(sorted(targets, key=lambda target: -rank(target.kind)))


@dataclass(frozen=True, slots=True)
class _Deleting:
    """How objects are removed, and what is said of it."""

    client: ConfigClient
    waiting: Waiting
    ignore_not_found: bool
    dry_run: bool
    names: bool

    def run(self, targets: tuple[Target, ...]) -> int:
        """Removes objects one by one; how many are left that should be gone."""
        failed = 0
        with progress(len(targets), "deleting", least=MOST_OBJECTS) as bar:
            for index, target in enumerate(targets):
                try:
                    self._one(target, bar)
                except ApiError as error:
                    if not error.reason or error.code in _ENDS_ALL:
                        raise _ended(error, index, len(targets)) from error
                    # One that was listed may be gone by now.
                    if error.code != NOT_FOUND or not (self.ignore_not_found or target.uid):
                        failed += 1
                        bar.say(f"{target.place}: {error}" if target.place else str(error), err=True)
                bar.done(1)
        return failed

    def _one(self, target: Target, bar: Progress) -> None:
        request = target.request
        wait = None if self.dry_run else self.waiting.duration
        request.options.CopyFrom(config_pb2.WriteOptions(dry_run=self.dry_run, wait=wait))
        answer = self.client.delete(request)
        self.waiting.answered(answer.rollout)
        if self.names:
            bar.say(spoken(target.kind, target.name))
            return
        what = f'{qualified(target.kind.group, target.kind.singular)} "{target.name}"'
        namespace = f" from {target.namespace} namespace" if target.namespace else ""
        gone = answer.written.outcome == config_pb2.Written.OUTCOME_DELETED
        done = f"deleted{namespace}" if gone else f"marked for deletion{namespace}, and kept while it has finalizers"
        bar.say(f"{what} {done}{SUFFIX if self.dry_run else ''}")


def _ended(error: ApiError, done: int, total: int) -> IsthmusError:
    if not done:
        return error
    return DeleteError(
        f"{error}\nerror: {done} of {total} objects were dealt with before the server failed; whether the next one was "
        "is not known: delete the rest again, with --ignore-not-found"
    )
