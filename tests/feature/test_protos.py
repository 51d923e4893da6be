"""What keeps the protos good, and good for clients of the last release."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from process import ROOT

BUF = Path(sys.executable).with_name("buf")
CONFIG = "controlplane/api/v1/config.proto"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the protos, for a test to spoil."""
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def replaced(copy: Path, before: str, after: str) -> None:
    """Changes one line of the ConfigService's protos."""
    file = copy / "protos" / CONFIG
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


def buf(copy: Path, *arguments: str) -> list[str]:
    """What it finds."""
    done = subprocess.run([BUF, *arguments], cwd=copy, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout.splitlines()


def breaking(copy: Path) -> list[str]:
    """What breaks clients of the last release."""
    return buf(copy, "breaking", "--against", "protos/released.binpb")


def test_the_protos_are_good(copy: Path) -> None:
    """By all rules but those that buf.yaml gives a reason for, and for whoever was built with the last release."""
    assert [] == buf(copy, "lint")
    assert [] == breaking(copy)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (
            "  bool force = 3;\n}\n\nmessage BatchApplyRequest",
            "}\n\nmessage BatchApplyRequest",
            '"3" with name "force"',
        ),
        ("  uint32 page_size = 5;", "  uint32 page_size = 7;", '"5" with name "page_size"'),
        ("  bool dry_run = 2;", "  string dry_run = 2;", 'changed type from "bool" to "string"'),
        ("  rpc Get(GetRequest) returns (Object);", "", 'Previously present RPC "Get"'),
        ("    CHANGE_BOOKMARK = 4;", "", 'enum value "4" on enum "Change"'),
    ],
)
def test_what_breaks_clients_is_found(before: str, after: str, found: str, copy: Path) -> None:
    """A field that goes, is renumbered or changes its type, a call that goes, a value that goes."""
    replaced(copy, before, after)

    assert any(found in line for line in breaking(copy))


def test_what_is_new_breaks_nobody(copy: Path) -> None:
    """A field, with a name that is as names are."""
    replaced(copy, "  bool dry_run = 2;", "  bool dry_run = 2;\n  bool quick = 9;")
    after = breaking(copy), buf(copy, "lint")
    replaced(copy, "  bool quick = 9;", "  bool Quick = 9;")

    assert ([], []) == after
    assert any("should be lower_snake_case" in line for line in buf(copy, "lint"))
