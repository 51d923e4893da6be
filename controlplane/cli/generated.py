"""Files that Isthmus writes anew as long as nobody has made them theirs.

In: a body and a notice for whoever opens the file. Out: what the file is to hold. Law: a file that is not what was
generated is somebody's. The first line carries the hash of the rest, so that a stop at no moment can part the two.
"""

from __future__ import annotations

import hashlib


def stamped(notice: str, body: bytes) -> bytes:
    """The `body` under a comment with the notice and the hash."""
    return f"# {notice} {_hash(body)}\n".encode() + body


def is_generated(content: bytes) -> bool:
    """Whether a file with this content is as `stamped` made it."""
    stamp, _, body = content.partition(b"\n")
    return stamp.endswith(f" {_hash(body)}".encode())


def _hash(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
