"""How headers in which a front proxy says who asks are read once and then removed.

In: their names, and the Lua source that reads them. Out: two HTTP filters. Law: whatever the Lua does or fails to do,
nothing behind the second filter sees a header of that name, of a name that begins with X-Remote-, or of one that
differs from these in "-" and "_" only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_REMOTE: Final = "x-remote-"


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """Headers of which front proxies make use; all names are lower-case tokens of RFC 9110.

    `usernames` are those without one of which the others mean nothing, `names` the others, `prefixes` begin names.
    `script` is the source in `envoy/lua` that reads them.
    """

    script: str
    usernames: tuple[str, ...]
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    @property
    def reader(self) -> str:
        """The source of the filter that reads them."""
        lists = {"usernames": self.usernames, "names": self.names, "prefixes": self.prefixes}
        return "".join(f"local {name} = {_lua(values)}\n" for name, values in lists.items()) + self.script

    @property
    def removed(self) -> str:
        """The regular expression (RE2) of the names that are removed from every request."""
        exact = [_any_spelling(name) for name in dict.fromkeys((*self.usernames, *self.names))]
        begun = [f"{_any_spelling(prefix)}.*" for prefix in dict.fromkeys((_REMOTE, *self.prefixes))]
        return "|".join((*exact, *begun))


def _lua(values: tuple[str, ...]) -> str:
    # A token holds neither quotes nor backslashes.
    return "{" + ", ".join(f'"{value}"' for value in values) + "}"


def _any_spelling(name: str) -> str:
    return "".join("[-_]" if character in "-_" else re.escape(character) for character in name)
