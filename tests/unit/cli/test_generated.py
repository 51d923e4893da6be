"""Files that are generated until somebody makes them theirs."""

import pytest

from controlplane.cli.generated import is_generated, stamped

FILE = stamped("Written by Isthmus.", b"port: 8443\nname: x\n")


def test_what_was_generated_is_known_again() -> None:
    """The notice for people is the first line, and the body is what follows."""
    assert FILE.startswith(b"# Written by Isthmus. sha256:")
    assert FILE.endswith(b"\nport: 8443\nname: x\n")
    assert is_generated(FILE)
    assert is_generated(stamped("Nothing in it.", b""))


@pytest.mark.parametrize(
    "content",
    [
        FILE.replace(b"8443", b"9443"),
        FILE + b"# mine\n",
        FILE.partition(b"\n")[2],
        b"# mine\n" + FILE,
        FILE[:-5],
        b"",
    ],
)
def test_what_differs_by_a_byte_is_somebodys(content: bytes) -> None:
    """Changed, longer, without its first line, under another one, cut off, empty."""
    assert not is_generated(content)
