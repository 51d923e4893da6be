"""Static bearer tokens, as kube-apiserver's --token-auth-file lists them.

In: the text of a CSV file, lines `token,user,uid,"group1,group2"`. Out: a table that knows the user of a token.
Law: a token is kept only as an HMAC under a key made anew by every process, and appears in no repr, text or problem.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping

from controlplane.auth.csv_records import NotCsvError, records
from controlplane.auth.identity_headers import unfit
from controlplane.errors import SettingsError
from controlplane.model.identity import UserInfo
from controlplane.model.problem import Origin, Problem


class TokenTable:
    """The users of the static tokens, by the HMAC-SHA256 of the token."""

    __slots__ = ("_key", "_users")

    def __init__(self, key: bytes, users: Mapping[str, UserInfo]) -> None:
        self._key = key
        self._users = {self._digest(token): user for token, user in users.items()}

    def user_of(self, token: str) -> UserInfo | None:
        """The user who holds `token`, None when nobody does."""
        return self._users.get(self._digest(token))

    def __len__(self) -> int:
        return len(self._users)

    def __repr__(self) -> str:
        return f"TokenTable({len(self)} tokens)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a TokenTable cannot be pickled")

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(errors="surrogateescape"), "sha256")


def load_tokens(text: str, path: str, key: bytes) -> tuple[TokenTable, tuple[Problem, ...]]:
    """The tokens in the CSV `text` read from `path`, hashed under `key` (at least 16 random bytes).

    As in kube-apiserver, a line without a token is left out and of two lines with one token the later counts; both are
    problems to show. A fourth field is groups between commas: an empty one is the group "".

    Raises:
        SettingsError: when a line is no CSV or has fewer than three fields, as in kube-apiserver; and when it names no
            user or one no header can carry, of which no backend could be told.
    """
    users: dict[str, UserInfo] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for number, fields in _records(text, path):
        if len(fields) < 3:
            raise SettingsError(
                f"{path}, line {number}: has {len(fields)} fields, not at least three; "
                'write token,user,uid or token,user,uid,"group1,group2"'
            )
        token = fields[0]
        if not token:
            remedy = "write one before the first comma or remove the line"
            problems.append(_problem(path, number, "has no token", remedy))
            continue
        if token in users:
            problems.append(_problem(path, number, f"repeats the token of line {lines[token]}", "keep one of them"))
        users[token], lines[token] = _user(fields, path, number), number
    return TokenTable(key, users), tuple(problems)


def _records(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from records(text)
    except NotCsvError as error:
        raise SettingsError(
            f"{path}, line {error.line}: is not CSV; close every quote and double those inside one"
        ) from error


def _user(fields: list[str], path: str, number: int) -> UserInfo:
    name, uid = fields[1], fields[2]
    groups = tuple(fields[3].split(",")) if len(fields) > 3 else ()
    if not name:
        raise SettingsError(f"{path}, line {number}: names no user; write the name after the first comma")
    for field, value in (("user", name), ("uid", uid), *(("group", group) for group in groups)):
        reason = unfit(value)
        if reason is not None:
            raise SettingsError(
                f"{path}, line {number}: {field} {value!r} {reason}, which no header can carry; remove it"
            )
    return UserInfo(name=name, uid=uid, groups=groups)


def _problem(path: str, number: int, message: str, remedy: str) -> Problem:
    return Problem(origin=Origin(path), subject="", field=f"line {number}", message=message, remedy=remedy)
