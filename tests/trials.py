"""How often what is costly is tried.

In: how often is enough. Out: that many when $THOROUGH says so, as `make test` does, else a fifth, so that
`make test-fast` stays fast. Law: nothing is left out.
"""

from __future__ import annotations

import os
from typing import Final

_SHARE: Final = 5


def trials(enough: int) -> int:
    """How many examples, or changes, to try."""
    return enough if os.environ.get("THOROUGH") else enough // _SHARE
