"""What front proxies say of who asks, in a question.

In: the headers of a question, the evidence made of them, and who was recognised by it. Out: words on which headers
counted. Law: only what a front proxy was believed in counts; everything else that looks like it is told to be left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.front_proxy import FRONT_PROXY, RequestHeaderTrust, used

# Envoy removes them from every request, whatever the settings name.
_ALWAYS: Final = "x-remote-"


def in_words(
    headers: Iterable[tuple[str, str]],
    trust: RequestHeaderTrust | None,
    evidence: Evidence,
    outcome: Recognised | Failed | None,
) -> str:
    """How to go on after what recognised the client, or why nothing did: "" where no header says who asks."""
    believed = isinstance(outcome, Recognised) and outcome.by.startswith(FRONT_PROXY)
    names = used(trust, evidence) if believed and trust is not None else ()
    lines = tuple(headers)
    said = {name for name, _ in (() if trust is None else trust.lines(lines))}
    said |= {name for name, _ in lines if name.startswith(_ALWAYS)}
    rest = sorted(said.difference(names))
    counted = f", which says so in {', '.join(names)}" if names else ""
    return f"{counted}; not used: {', '.join(rest)}" if rest else counted
