"""How many examples a costly property is tried with.

In: how many are enough to find what has been got wrong so far. Out: that many when $THOROUGH says so, as `make test`
does, else a fifth, so that `make test-fast` stays fast. Law: no property is left out.
"""

from __future__ import annotations

import os
from typing import Final

_SHARE: Final = 5


def examples(enough: int) -> int:
    """How many of them to try."""
    return enough if os.environ.get("THOROUGH") else enough // _SHARE
