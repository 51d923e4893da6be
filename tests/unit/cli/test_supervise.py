"""Supervision of programs."""

import asyncio
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controlplane.children import Process, end
from controlplane.cli.supervise import Program, Supervisor, last_line, launch, once_there
from controlplane.settings.address import Address

IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


def python(tmp_path: Path, code: str) -> Program:
    """A program that is a piece of Python."""
    return Program("program", (sys.executable, "-c", code), tmp_path / "program.log")


@contextmanager
def heard(program: Program) -> Iterator[Callable[[], str]]:
    """Makes the program's log a pipe; what it yields waits for the next line in it."""
    os.mkfifo(program.log)
    # Open for both, so that neither side waits for the other to open it.
    with os.fdopen(os.open(program.log, os.O_RDWR), "rb", buffering=0) as pipe:

        def line() -> str:
            readable, _, _ = select.select([pipe], [], [], 20)

            assert readable, "the program said nothing"
            return pipe.readline().decode().rstrip()

        yield line


def ends(pid: int) -> int:
    """A file descriptor that becomes readable when the process ends, whoever's child it is."""
    return os.pidfd_open(pid)


def ended(descriptor: int) -> bool:
    """Whether the process ended within twenty seconds."""
    readable, _, _ = select.select([descriptor], [], [], 20)
    os.close(descriptor)
    return bool(readable)


class FakeClock:
    """Time that passes only when somebody sleeps or a program runs; the sleeps are kept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def read(self) -> float:
        """The time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Lets `seconds` pass."""
        self.slept.append(seconds)
        self.now += seconds


class FakeProcess:
    """A process that has run for some seconds as soon as it is waited for."""

    def __init__(self, clock: FakeClock, uptime: float) -> None:
        # No process has this id: the kernel's limit is 4194304.
        self.pid = 2**22 + 1
        self.returncode: int | None = None
        self._clock = clock
        self._uptime = uptime

    async def wait(self) -> int:
        """The exit code, 7, after the whole run."""
        if self.returncode is None:
            self._clock.now += self._uptime
            self.returncode = 7
        return self.returncode


def launcher(clock: FakeClock, uptimes: list[float]) -> Callable[[Program], Awaitable[Process]]:
    """Starts one process a given uptime, then none."""
    left = iter(uptimes)

    async def start(_program: Program) -> Process:
        uptime = next(left, None)
        if uptime is None:
            raise FileNotFoundError("no more processes")
        return FakeProcess(clock, uptime)

    return start


async def test_a_program_that_ends_is_started_again_after_the_wait(tmp_path: Path) -> None:
    """Supervision sleeps what the back-off says between one process and the next, and says each start and end."""
    clock = FakeClock()
    (tmp_path / "program.log").write_text("first\nconfiguration is wrong\n\n")
    starts: list[int] = []
    ends: list[str] = []
    supervisor = Supervisor(
        python(tmp_path, ""),
        started=lambda _program, pid: starts.append(pid),
        ended=ends.append,
        launch=launcher(clock, [1, 1, 70]),
        clock=clock.read,
        sleep=clock.sleep,
    )

    with pytest.raises(FileNotFoundError):
        await supervisor.run()

    assert clock.slept == [0.5, 1, 0.5]
    assert starts == [2**22 + 1] * 3
    assert ends[0] == (
        "program ended (exit code 7): configuration is wrong; "
        f"it is started again in 0.5 s, and its log is {tmp_path / 'program.log'}"
    )


async def test_supervision_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    """Cancelling the task ends the process before the task ends."""
    pids: list[int] = []
    program = python(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    supervisor = Supervisor(
        program,
        started=lambda _program, pid: pids.append(pid),
        ended=lambda _sentence: None,
        launch=launch,
        clock=time.monotonic,
        sleep=asyncio.sleep,
    )
    with heard(program) as line:
        task = asyncio.create_task(supervisor.run())
        await asyncio.to_thread(line)

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert supervisor.pid == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    """After the grace the end comes by force."""
    program = python(tmp_path, IGNORES_SIGTERM)
    with heard(program) as line:
        process = await launch(program)
        line()

        await end(process, grace=0.05)

    assert process.returncode == -signal.SIGKILL


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    """The whole process group ends, a grandchild that ignores the request too."""
    code = (
        "import subprocess, sys, time\n"
        f"code = {IGNORES_SIGTERM!r}\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input();' + code], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "child.stdin.write(b'go on after the id was said\\n'); child.stdin.flush()\n"
        "time.sleep(60)\n"
    )
    program = python(tmp_path, code)
    with heard(program) as line:
        process = await launch(program)
        grandchild = ends(int(line()))

        assert line() == "up"
        await end(process, grace=5)

    assert ended(grandchild)


async def test_the_environment_is_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program sees this process's environment and its own additions."""
    monkeypatch.setenv("INHERITED", "1")
    code = "import os; print(os.environ['INHERITED'], os.environ['ADDED'])"
    program = Program("program", (sys.executable, "-c", code), tmp_path / "log", environment=(("ADDED", "2"),))

    process = await launch(program)

    assert await process.wait() == 0
    assert program.log.read_text() == "1 2\n"


async def test_a_killed_supervisor_takes_its_programs_along(tmp_path: Path) -> None:
    """When the supervising process is killed without a word, the kernel kills what it started."""
    child = python(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    code = (
        "import asyncio, pathlib\n"
        "from controlplane.cli.supervise import Program, launch\n"
        "async def main():\n"
        f"    process = await launch(Program('child', {child.command!r}, pathlib.Path({str(child.log)!r})))\n"
        "    print(process.pid, flush=True)\n"
        "    await process.wait()\n"
        "asyncio.run(main())\n"
    )
    starter = Program("starter", (sys.executable, "-c", code), tmp_path / "starter.log")
    with heard(child) as child_says, heard(starter) as starter_says:
        process = await launch(starter)
        descriptor = ends(int(starter_says()))

        assert child_says() == "up"
        process.kill()
        await process.wait()

    assert ended(descriptor)


def test_the_last_line_that_says_something_is_found(tmp_path: Path) -> None:
    """Empty lines at the end of a log are not its last word."""
    (tmp_path / "log").write_text("x" * 9000 + "\nlast  \n\n \n")

    assert last_line(tmp_path / "log") == "last"


def test_a_log_without_a_word_is_said_so(tmp_path: Path) -> None:
    """An empty or missing log is told as such."""
    assert last_line(tmp_path / "missing") == "it said nothing"


async def test_a_socket_is_waited_for(tmp_path: Path) -> None:
    """Whoever needs a socket starts once it is there; TCP shows nothing and is not waited for."""
    path = tmp_path / "xds.sock"
    waiting = asyncio.create_task(once_there(Address(path=str(path))))
    await once_there(Address(host="127.0.0.1", port=1))

    assert not waiting.done()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        await asyncio.wait_for(waiting, 20)
