"""How far a long command is."""

from __future__ import annotations

import io

import pytest

from controlplane.cli.api.progress import progress


class Terminal(io.StringIO):
    """Standard error of somebody who looks on."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def shown(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, total: int) -> str:
    """What is on standard error after three objects are done."""
    monkeypatch.setattr("sys.stderr", screen)
    with progress(total, "applying", least=100) as bar:
        for number in range(3):
            bar.say(f"line {number}", err=True)
            bar.done(1)
    return screen.getvalue()


def test_whoever_looks_on_sees_a_bar_below_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar makes way for each line."""
    text = shown(monkeypatch, Terminal(), 300)

    assert "3/300" in text
    assert "applying" in text
    for number in range(3):
        assert f"\r\x1b[Kline {number}\n" in text


def test_nobody_else_sees_anything_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file, nor whoever does something short."""
    assert "line 0\nline 1\nline 2\n" == shown(monkeypatch, io.StringIO(), 300)
    assert "line 0\nline 1\nline 2\n" == shown(monkeypatch, Terminal(), 99)
