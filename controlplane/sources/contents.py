"""What a file of manifests holds, as documents; run as a program, what many files hold.

In: a path; of the program, on standard input, the paths. Out: documents, or why there are none; of the program, one
pickle a file on standard output, in the order of the paths. Law: whatever the disk does, the answer is a value.

The program is for `reading`. It knows nothing of what documents mean, so that it imports little and is quickly started.
"""

from __future__ import annotations

import errno
import pickle
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, TypeAlias

from controlplane.model.problem import Origin, Problem
from controlplane.sources.documents import Document, Limits, Unreadable, documents, too_large

Contents: TypeAlias = tuple[Document, ...] | Unreadable | None
"""The documents in a file; None when there is no file."""

_Plain: TypeAlias = list[tuple[int, Mapping[str, object], Problem | None]] | Unreadable | None
"""The same without objects of ours where there are many: those take several times as long to hand over."""

_NO_LINK: Final = "make it lead to a file, or remove it"


class Unanswered(Exception):  # noqa: N818 -- it is what the file is
    """The program does not say what a file holds."""


def contents(path: str, limits: Limits) -> Contents:
    """What the file at `path` holds now; never more than the limit of bytes is read."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        if not Path(path).is_symlink():
            return None
        return Unreadable(Problem(Origin(path), "", "", "is a link to nothing", _NO_LINK))
    except OSError as error:
        return _unreadable(path, error)
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(Problem(Origin(path), "", "", "is not a regular file", "put the manifests into a plain file"))
    if status.st_size > limits.size:
        return Unreadable(too_large(path, status.st_size, limits))
    try:
        with Path(path).open("rb") as file:
            data = file.read(limits.size + 1)
    except OSError as error:
        # Gone between the two looks, or (ESTALE) removed on the server of a network file system.
        if error.errno in (errno.ENOENT, errno.ESTALE):
            message = "was removed while it was read"
            remedy = "nothing need be done if that was meant; or write it again"
            return Unreadable(Problem(Origin(path), "", "", message, remedy))
        return _unreadable(path, error)
    return documents(data, path, limits)


def ask(to: IO[bytes], paths: Sequence[str], limits: Limits) -> None:
    """Tells the program which files to read.

    Raises:
        OSError: when it is not there.
    """
    with to:
        pickle.dump((paths, limits), to)


def answered(by: IO[bytes], path: str) -> Contents:
    """What the program says of the next of the paths.

    Raises:
        OSError: when it says no more.
        Unanswered: when that is no answer.
    """
    try:
        plain: _Plain = pickle.load(by)  # noqa: S301 -- it is this very module that wrote it
    except OSError:
        raise
    except Exception as error:
        # Whatever: something that Python runs at its start may have written there, too.
        raise Unanswered(f"no answer about {path}") from error
    if not isinstance(plain, list):
        return plain
    return tuple(Document(Origin(path, number), body, problem) for number, body, problem in plain)


def _answer(to: IO[bytes], found: Contents) -> None:
    plain: _Plain = (
        [(document.origin.document, document.body, document.problem) for document in found]
        if isinstance(found, tuple)
        else found
    )
    pickle.dump(plain, to, pickle.HIGHEST_PROTOCOL)


def _unreadable(path: str, error: OSError) -> Unreadable:
    remedy = "make it readable for the user that Isthmus runs as"
    return Unreadable(Problem(Origin(path), "", "", f"cannot be read ({error.strerror})", remedy))


def main() -> None:
    """Reads the files that standard input names."""
    paths, limits = pickle.load(sys.stdin.buffer)  # noqa: S301 -- from `ask`
    for path in paths:
        _answer(sys.stdout.buffer, contents(path, limits))


if __name__ == "__main__":
    main()
