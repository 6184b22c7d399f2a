"""Processes that bodies run: their output, their ends, and that none outlives whoever waits for it.

The processes are real, and so is the time that they take; nothing here waits for a duration of it. Where a test needs
to know that a process runs, the process says so; where it has to know that one is gone, it looks at a named pipe that
the process holds open.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.abc
import anyio.from_thread
import pytest

from tests.engine.support import ended, node_of, statuses, turns, until
from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    LogExtended,
    ProcessFailed,
    ProcessResult,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeFailed,
    TreeRunningError,
    TreeTaskConfig,
)
from treetask.engine import _process, busy_threads
from treetask.engine._pipes import LoopPipe
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals, no named pipes and no sh")

#: A process that says that it runs, and then does so until it is ended.
FOREVER = "import time; print('runs', flush=True); time.sleep(1000)"
#: One that does not end when it is asked to.
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('runs', flush=True); time.sleep(1000)"
)


#: How a process sleeps that handles a signal. One long sleep may begin just after the signal has come, and Python's own
#: handlers are called when it is over. (Nor may they print: they may have interrupted a print.)
NAP = "while True: time.sleep(0.01)"
#: A grace that no test waits for, since it is longer than a test may take, in seconds.
LONG = 40


def python(code: str, *words: str | Path) -> list[str | Path]:
    """A command that runs some code, as fast as Python starts."""
    return [sys.executable, "-I", "-S", "-c", code, *words]


def run(command: Any, **options: Any) -> Callable[[TaskNode], Awaitable[ProcessResult]]:  # noqa: ANN401 - as users hand it in
    """A body that runs a process and returns how it was."""

    async def body(node: TaskNode) -> ProcessResult:
        result: ProcessResult = await node.run_process(command, **options)
        return result

    return body


def tree_of(body: Callable[[TaskNode], Any], **options: Any) -> TaskTree:  # noqa: ANN401 - as users hand them in
    """A root with one task, `work`."""
    config = TreeTaskConfig(max_retries=0, **options)
    return TreeBuilder("root", config=config).add_child("work", task=body).build()


async def result_of(body: Callable[[TaskNode], Any]) -> tuple[Any, list[str]]:
    """What a body that runs alone returns, and its log."""
    tree = tree_of(body)
    await AsyncExecutor(tree).run()
    assert busy_threads().count == 0
    return node_of(tree, "work").result, node_of(tree, "work").log


async def failure_of(body: Callable[[TaskNode], Any]) -> BaseException:
    """What a body that runs alone raises."""
    tree = tree_of(body)
    assert isinstance(await ended(tree), TreeFailed)
    assert busy_threads().count == 0
    exception = node_of(tree, "work").exception
    assert exception is not None
    return exception


async def saying(node: TaskNode, line: str = "runs") -> None:
    """Wait until a process has said so."""
    await until(lambda: line in node.log)


class Pulse:
    """A named pipe that processes hold open as long as they live. They are killed with the test at the latest."""

    #: What a process does to hold it open, and to be known.
    HOLD = "import os, sys; pulse = open(sys.argv[1], 'w'); print(os.getpid(), file=pulse, flush=True); "

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pulse"
        os.mkfifo(self.path)
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._read = b""

    def beats(self) -> bool:
        """Whether a process holds it open."""
        while True:
            try:
                data = os.read(self._reader, 1_000)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._read += data

    @property
    def pids(self) -> list[int]:
        """Whoever has held it open."""
        self.beats()
        return [int(line) for line in self._read.split()]

    async def begins(self) -> None:
        """Wait until a process holds it open."""
        await until(lambda: bool(self.pids))

    async def stops(self) -> None:
        """Wait until no process does: one that was killed is gone soon."""
        await until(lambda: not self.beats())

    def close(self) -> None:
        """End what is left."""
        if self.beats():
            for pid in self.pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        os.close(self._reader)


@pytest.fixture
def pulse(tmp_path: Path) -> Any:  # noqa: ANN401 - a generator
    """A pulse."""
    pulse = Pulse(tmp_path)
    yield pulse
    pulse.close()


@pytest.fixture(params=["loop", "thread"])
def pipes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read what a process writes; the second is that of Windows, and of no other system."""
    if sys.platform == "win32" and request.param == "loop":
        pytest.skip("the event loops of Windows do not wait for pipes")
    monkeypatch.setattr(_process, "READS_IN_THREADS", request.param == "thread")
    kind: str = request.param
    return kind


@pytest.mark.usefixtures("pipes")
class TestOutput:
    async def test_is_the_log_of_the_node(self) -> None:
        """Both streams in one, in the order in which they were written; the result keeps nothing in memory."""
        code = "import os; [os.write(1 + n % 2, b'line %d\\n' % n) for n in range(100)]; os.write(1, b'no end')"

        result, log = await result_of(run(python(code)))

        assert log == [*(f"line {n}" for n in range(100)), "no end"]
        assert result == ProcessResult([str(word) for word in python(code)], 0, None, None)

    async def test_is_returned_when_it_is_captured(self) -> None:
        """All of it, each stream for itself, though the log keeps only the last of both."""
        code = "import os; os.write(2, b'careful\\n'); print('x' * 99_999 + '\\n' + 'y' * 99)"

        result, log = await result_of(run(python(code), capture_output=True))

        assert result.stdout.split() == [b"x" * 99_999, b"y" * 99]
        assert result.stderr == b"careful\n"
        assert "y" * 99 in log
        assert sum(len(line) + 1 for line in log) <= 64 * 1024

    async def test_of_a_flood_is_read_to_its_end(self) -> None:
        """However much it is, the process is never left waiting, and the memory is bounded."""
        code = "for n in range(100_000): print('line', n)"

        _, log = await result_of(run(python(code)))

        assert log[-1] == "line 99999"

    async def test_of_two_processes_at_once_keeps_lines_whole(self) -> None:
        """Their lines are mixed, their letters are not."""
        code = "import sys; [print(sys.argv[1] * 50, flush=True) for _ in range(200)]"

        async def body(node: TaskNode) -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(node.run_process, python(code, "a"))
                tasks.start_soon(node.run_process, python(code, "b"))

        _, log = await result_of(body)

        assert sorted(log) == ["a" * 50] * 200 + ["b" * 50] * 200

    @posix
    @pytest.mark.slow  # where a thread reads, it gets a second
    async def test_of_what_goes_on_in_the_background_is_not_waited_for(self, pulse: Pulse) -> None:
        """Who keeps the pipe open without an end holds up nobody; what the process itself wrote is there."""
        background = python(f"{Pulse.HOLD} import time; time.sleep(1000)", pulse.path)
        code = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); print('x' * 30_000)"

        _, log = await result_of(run(python(code, *background)))

        assert "".join(log) == "x" * 30_000
        await pulse.begins()
        assert pulse.beats()

    @posix
    @pytest.mark.slow
    async def test_of_a_background_that_never_stops_writing_is_not_read_for_ever(self, pulse: Pulse) -> None:
        """It writes faster than anybody reads, and is let go all the same."""
        background = python(f"{Pulse.HOLD} exec('while True: os.write(1, bytes(65536))')", pulse.path)
        code = (
            "import subprocess, sys; subprocess.Popen(sys.argv[1:]); "
            "reader = open(sys.argv[-1]); reader.readline()"  # until the other one is there
        )

        await result_of(run(python(code, *background)))

        await pulse.stops()  # it writes in vain now

    async def test_that_comes_faster_than_it_is_read_is_let_go(self) -> None:
        """What is in a pipe at the end is bounded; here every chunk that is taken puts in another one."""
        taken = 0

        def take(chunk: bytes) -> None:
            nonlocal taken
            taken += len(chunk)
            os.write(pipe.write_end, chunk)

        pipe = LoopPipe(take)
        os.write(pipe.write_end, bytes(4_096))
        await pipe.drain()
        pipe.close()
        os.close(pipe.write_end)

        assert taken == 1024 * 1024

    async def test_reaches_observers_as_it_comes(self, tmp_path: Path) -> None:
        """Not at the end: while the process waits for the test, its first line is told."""
        go = tmp_path / "go"
        code = (
            "import os, sys, time; print('one', flush=True)\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.001)"
        )
        tree = tree_of(run(python(code, go)))
        recorder = Recorder()
        executor = AsyncExecutor(tree)
        executor.subscribe(recorder)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(executor.run)
            await until(lambda: bool(recorder.of(LogExtended)))
            go.touch()

        assert [(event.node.id, event.lines, event.at) for event in recorder.of(LogExtended)] == [
            ("work", ("one",), 0.0)
        ]

    async def test_of_every_attempt_is_in_the_log(self) -> None:
        """What a failed attempt put out is not forgotten by the next one."""

        async def body(node: TaskNode) -> None:
            code = "import sys; print('attempt', sys.argv[1]); sys.exit(sys.argv[1] == '0')"
            await node.run_process(python(code, str(node.retry_count)))

        tree = TreeBuilder("root").add_child("work", task=body, max_retries=1).build()
        await AsyncExecutor(tree).run()

        assert node_of(tree, "work").log == ["attempt 0", "attempt 1"]


@pytest.mark.usefixtures("pipes")
class TestInput:
    async def test_is_written_to_the_process(self) -> None:
        """More than a pipe holds, while the process writes as much."""
        data = bytes(range(256)) * 4_096
        code = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"

        result, _ = await result_of(run(python(code), input=data, capture_output=True))

        assert result.stdout == data

    async def test_that_nobody_reads_is_no_failure(self) -> None:
        """As in a shell: who has read enough ends."""
        result, log = await result_of(run(python("print('enough')"), input=bytes(1_000_000)))

        assert (result.returncode, log) == (0, ["enough"])

    async def test_is_empty_where_none_is_given(self) -> None:
        """A process that asks for something fails or goes on; it never waits for somebody at the terminal."""
        _, log = await result_of(run(python("import sys; print(repr(sys.stdin.read()))")))

        assert log == ["''"]


class TestSurroundings:
    async def test_folder_and_environment_are_those_that_are_given(self, tmp_path: Path) -> None:
        """The environment replaces that of the run."""
        environment = {"COLOUR": "green"}
        if sys.platform == "win32":
            environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        code = "import os; print(os.path.samefile('.', sys.argv[1]), os.environ['COLOUR'], 'PATH' in os.environ)"

        _, log = await result_of(run(python(f"import sys; {code}", tmp_path), cwd=tmp_path, env=environment))

        assert log == ["True green False"]

    async def test_line_is_for_the_shell(self) -> None:
        """With what shells can do."""
        _, log = await result_of(run("echo one && echo two"))

        assert [line.strip() for line in log] == ["one", "two"]

    @posix
    async def test_process_has_a_session_of_its_own(self) -> None:
        """Ctrl-C at the terminal does not reach it: the run is cancelled in its order."""
        _, log = await result_of(run(python("import os; print(os.getsid(0) == os.getpid())")))

        assert log == ["True"]


class TestFailure:
    async def test_exit_status_fails_the_body(self) -> None:
        """By an error that says what was run and how it ended, and what it said last."""
        code = "import sys; [print('line', n) for n in range(30)]; sys.exit(3)"

        error = await failure_of(run(python(code), capture_output=True))

        assert isinstance(error, ProcessFailed)
        assert isinstance(error, subprocess.CalledProcessError)
        command = " ".join([sys.executable, *map(str, python(code)[1:4])])
        assert str(error).startswith(f"'{command} ")
        assert str(error).endswith("' failed with exit status 3")
        assert (error.node_id, error.returncode, error.stderr) == ("work", 3, b"")
        assert error.stdout.splitlines()[0] == b"line 0"
        assert error.last_lines == tuple(f"line {n}" for n in range(20, 30))
        assert error.__notes__[0] == "\n".join(["its last lines:", *(f"  line {n}" for n in range(20, 30))])

    async def test_error_can_be_pickled(self) -> None:
        """Whoever sends it somewhere else gets all of it back."""
        error = ProcessFailed("a", ["make", "all"], 2, b"out", None, ["last"])
        copy = pickle.loads(pickle.dumps(error))

        assert str(copy) == "'make all' failed with exit status 2"
        assert (copy.node_id, copy.cmd, copy.returncode, copy.output, copy.stderr, copy.last_lines) == (
            "a",
            ["make", "all"],
            2,
            b"out",
            None,
            ("last",),
        )

    @pytest.mark.parametrize(
        ("command", "returncode", "said"),
        [
            ("make all", 2, "'make all' failed with exit status 2"),
            (["echo", "two words", b"bytes"], 1, "'echo 'two words' bytes' failed with exit status 1"),
            ("make\n  all", 1, "'make all' failed with exit status 1"),
            ("x" * 200, 1, f"'{'x' * 119}…' failed with exit status 1"),
            (["make"], -250, "'make' was killed by signal 250"),
            (["make"], 137, "'make' failed with exit status 137"),
            ("make", 250, "'make' failed with exit status 250"),
        ],
    )
    async def test_message_is_one_line(self, command: Any, returncode: int, said: str) -> None:  # noqa: ANN401
        """As one would type the command; a long one is cut."""
        assert str(ProcessFailed("a", command, returncode)) == said

    @posix
    async def test_signal_is_named(self) -> None:
        """Also where a shell has made a number of it, and whoever sent it."""
        error = await failure_of(run(python("import os; os.kill(os.getpid(), 9)")))
        assert str(error).endswith("was killed by SIGKILL")
        assert isinstance(error, ProcessFailed)
        assert error.returncode == -9

        error = await failure_of(run("sh -c 'kill -9 $$'; exit $?"))
        assert str(error).endswith("failed with exit status 137, as after SIGKILL")

    async def test_exit_status_that_is_not_checked_is_returned(self) -> None:
        """A body may judge for itself."""
        result, _ = await result_of(run(python("import sys; sys.exit(3)"), check=False))

        assert result.returncode == 3

    async def test_error_can_be_handled_in_the_body(self) -> None:
        """Like any other."""

        async def body(node: TaskNode) -> str:
            try:
                await node.run_process(python("import sys; sys.exit(3)"))
            except ProcessFailed as error:
                return f"status {error.returncode}"
            return "none"

        result, _ = await result_of(body)

        assert result == "status 3"


def open_files() -> list[str]:
    """The open file descriptors, as Linux lists them."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@posix
class TestStart:
    """On Windows the same errors have other numbers."""

    async def test_program_that_is_nowhere_is_named_with_the_places(self) -> None:
        """The PATH that was searched is the one of the process."""
        error = await failure_of(run(["no-such-program"], env={"PATH": "/nowhere:/bin"}))

        assert isinstance(error, FileNotFoundError)
        assert str(error) == "[Errno 2] no such program in PATH (/nowhere:/bin): 'no-such-program'"

    async def test_path_that_does_not_exist_is_named(self, tmp_path: Path) -> None:
        """A path is not searched for."""
        error = await failure_of(run([tmp_path / "tool"]))

        assert str(error) == f"[Errno 2] no such program: '{tmp_path / 'tool'}'"

    async def test_missing_interpreter_is_told_from_a_missing_script(self, tmp_path: Path) -> None:
        """The system says the same of both."""
        script = tmp_path / "tool"
        script.write_text("#!/no/such/shell\n")
        script.chmod(0o755)

        error = await failure_of(run(["./tool"], cwd=tmp_path))

        assert str(error) == "[Errno 2] the program that its first line names does not exist: './tool'"

    async def test_missing_folder_is_told_from_a_missing_program(self, tmp_path: Path) -> None:
        """The system says the same of both."""
        folder = tmp_path / "nowhere"

        error = await failure_of(run("true", cwd=folder))

        assert str(error) == f"[Errno 2] no such folder to run a process in: '{folder}'"

    async def test_program_that_may_not_be_run_is_refused_by_the_system(self, tmp_path: Path) -> None:
        """Its own words say it."""
        script = tmp_path / "tool"
        script.touch()

        error = await failure_of(run([script]))

        assert isinstance(error, PermissionError)
        assert str(error) == f"[Errno 13] Permission denied: '{script}'"

    @pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts file descriptors as Linux lists them")
    @pytest.mark.usefixtures("pipes")
    async def test_no_file_is_left_open(self, tmp_path: Path) -> None:
        """Whether the process ends well, badly, or never starts."""
        await result_of(run("true"))  # what the event loop opens once
        before = open_files()

        await result_of(run("true", input=b"x", capture_output=True))
        await failure_of(run("exit 1"))
        await failure_of(run([tmp_path / "tool"], input=b"x", capture_output=True))

        await until(lambda: open_files() == before)  # the thread that feeds an input comes to its end on its own


@pytest.mark.usefixtures("pipes")
class TestCancel:
    async def test_ends_the_process(self) -> None:
        """R37: it is asked to end, what it says at last is logged, and nothing of it is left, not even a zombie."""
        code = (
            "import os, signal, sys, time; "
            "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'last words\\n'), sys.exit(0))); "
            f"print('runs', flush=True); print(os.getpid(), flush=True)\n{NAP}"
        )
        tree = tree_of(run(python(code)))
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await until(lambda: len(node.log) == 2)
            node.cancel()

        assert (node.status, node.exception, busy_threads().count) == ("cancelled", None, 0)
        if sys.platform != "win32":
            assert node.log[2:] == ["last words"]
            with pytest.raises(ProcessLookupError):
                os.kill(int(node.log[1]), 0)

    @posix
    async def test_kills_what_does_not_end_within_the_grace(self) -> None:
        """The grace is one of the world's time: the virtual clock, which waits for the process, cannot measure it."""
        tree = tree_of(run(python(STUBBORN)), grace=0.01)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            node.cancel()

        assert node.status == "cancelled"

    @posix
    async def test_ends_what_the_process_has_started(self, pulse: Pulse) -> None:
        """The whole group, whether it listens or not."""
        child = python(f"import signal; signal.signal(15, signal.SIG_IGN); {Pulse.HOLD} import time; time.sleep(1000)")
        code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        tree = tree_of(run(python(code, *child, pulse.path)), grace=0.01)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await pulse.begins()
            node_of(tree, "work").cancel()

        await pulse.stops()

    @posix
    async def test_waits_for_what_cleans_up_in_the_group(self, pulse: Pulse) -> None:
        """A shell ends at once; what it runs gets the grace all the same, and is heard."""
        child = (
            "import os, signal, sys, time\n"
            "def clean_up(*_):\n"
            "    while os.getppid() == parent: time.sleep(0.001)\n"
            "    time.sleep(0.05)\n"
            "    os.write(1, b'cleaned up\\n')\n"
            "    sys.exit(0)\n"
            "parent = os.getppid()\n"
            f"signal.signal(15, clean_up); {Pulse.HOLD}\n{NAP}"
        )
        code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        tree = tree_of(run(python(code, *python(child, pulse.path))), grace=LONG)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await pulse.begins()
            node.cancel()

        assert node.log == ["cleaned up"]

    @posix
    @pytest.mark.slow
    async def test_does_not_wait_for_who_has_left_the_group(self, pulse: Pulse) -> None:
        """A daemon may hold the pipe open, and cannot be found; the body ends after the grace."""
        child = f"{Pulse.HOLD} os.setsid(); print('runs', flush=True); import time; time.sleep(1000)"
        code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
        tree = tree_of(run(python(code, *python(child, pulse.path))), grace=0.01)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            node.cancel()

        assert node.status == "cancelled"
        assert pulse.beats()

    async def test_of_the_run_ends_every_process(self) -> None:
        """R37: `executor.cancel` reaches all of them."""
        builder = TreeBuilder("root")
        for number in range(3):
            builder.add_child(f"work{number}", task=run(python(FOREVER)))
        tree = builder.build()
        executor = AsyncExecutor(tree)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            for node in tree.root.children:
                await saying(node)
            executor.cancel()

        assert {node.status for node in tree.walk()} == {"cancelled"}

    async def test_of_a_scope_in_the_body_ends_the_process_alone(self, virtual_clock: VirtualClock) -> None:
        """A body that waits no longer goes on."""

        async def body(node: TaskNode) -> str:
            with anyio.move_on_after(5) as scope:
                await node.run_process(python(FOREVER))
            return f"cancelled: {scope.cancelled_caught}"

        tree = tree_of(body)
        node = node_of(tree, "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await saying(node)
            virtual_clock.advance(5)

        assert node.result == "cancelled: True"

    async def test_by_a_timeout_ends_the_process(self, virtual_clock: VirtualClock) -> None:
        """R36: time is up for the process as well."""
        tree = (
            TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
            .add_child("work", task=run(python(FOREVER)), timeout=5)
            .build()
        )
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            virtual_clock.advance(5)

        assert (node.status, node.error) == ("timed_out", "'work' timed out after 5 s")

    async def test_before_the_start_starts_nothing(self) -> None:
        """A body that is cancelled already runs no process; it does not even look for the program."""

        async def body(node: TaskNode) -> bool:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await node.run_process(["no-such-program"])
            return scope.cancelled_caught

        result, _ = await result_of(body)

        assert result is True

    @posix
    @pytest.mark.slow
    async def test_at_any_moment_of_the_start_leaves_nothing(self, pulse: Pulse) -> None:
        """Whatever the event loop was about to do: what has been started is ended."""
        for moment in range(20):
            tree = tree_of(run(python(f"{Pulse.HOLD} import time; time.sleep(1000)", pulse.path)))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ended, tree)
                await turns(moment)
                tree.root.cancel() if tree.is_running else tasks.cancel_scope.cancel()

            assert busy_threads().count == 0
            await pulse.stops()

    async def test_in_asyncios_own_way_ends_the_process(
        self, virtual_clock: VirtualClock, anyio_backend_name: str
    ) -> None:
        """`asyncio.wait_for` knows no scopes."""
        if anyio_backend_name != "asyncio":
            pytest.skip("asyncio's own")

        async def body(node: TaskNode) -> str:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(node.run_process(python(FOREVER)), 5)
            return "too late"

        tree = tree_of(body)
        node = node_of(tree, "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await saying(node)
            virtual_clock.advance(5)

        assert node.result == "too late"

    @posix
    async def test_that_is_repeated_in_asyncios_own_way_kills_at_once(
        self, pulse: Pulse, anyio_backend_name: str
    ) -> None:
        """No shield holds against the second one, but nothing is left behind all the same."""
        if anyio_backend_name != "asyncio":
            pytest.skip("asyncio's own")
        code = (
            "import os, signal, time; signal.signal(15, lambda *_: os.write(1, b'asked\\n'))\n"
            f"{Pulse.HOLD}\n"
            f"print('runs', flush=True)\n{NAP}"
        )

        async def body(node: TaskNode) -> None:
            task = asyncio.ensure_future(node.run_process(python(code, pulse.path)))
            await saying(node)
            task.cancel()
            await saying(node, "asked")
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            assert task.cancelled()
            with pytest.raises(ProcessLookupError):
                os.kill(pulse.pids[0], 0)

        await result_of(body)

    async def test_that_interrupts_the_wait_for_what_was_killed_is_told_after_it(self, anyio_backend_name: str) -> None:
        """However often: who is killed ends soon, and is no zombie then."""
        if anyio_backend_name != "asyncio":
            pytest.skip("the shields of trio hold")

        class Killed:
            returncode: int | None = None
            interruptions = 3

            async def wait(self) -> None:
                if self.interruptions:
                    self.interruptions -= 1
                    raise asyncio.CancelledError
                self.returncode = -9

        killed = Killed()
        with pytest.raises(asyncio.CancelledError):
            await _process._Process._reap(cast("anyio.abc.Process", killed))

        assert killed.returncode == -9

    @posix
    @pytest.mark.parametrize("patience", [0, 20])
    async def test_that_is_hurried_kills_at_once(self, patience: int) -> None:
        """R38: a second Ctrl-C has no more patience, with what is asked to end after it as well."""
        tree = tree_of(run(python(STUBBORN)), grace=LONG)
        executor = AsyncExecutor(tree)
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await saying(node)
            executor.cancel()
            await turns(patience)
            assert not node.is_done()
            executor.hurry()

        assert node.status == "cancelled"

    @posix
    async def test_who_leaves_at_once_kills_all(self) -> None:
        """R38: the third Ctrl-C leaves nothing behind."""
        tree = tree_of(run(python(STUBBORN)))
        executor = AsyncExecutor(tree)
        executor.kill_processes()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await saying(node_of(tree, "work"))
            executor.kill_processes()

        assert (node_of(tree, "work").error or "").endswith("was killed by SIGKILL")


class TestVirtualTime:
    async def test_stands_still_while_a_process_runs(self, tmp_path: Path, virtual_clock: VirtualClock) -> None:
        """What a process will do is not over yet, so nobody's deadline passes meanwhile."""
        go = tmp_path / "go"
        code = (
            "import os, sys, time; print('runs', flush=True)\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.001)"
        )

        async def sleeper(node: TaskNode) -> None:
            await anyio.sleep(3_600)

        tree = (
            TreeBuilder("root").add_child("work", task=run(python(code, go))).add_child("sleeper", task=sleeper).build()
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await saying(node_of(tree, "work"))
            await turns(100)
            assert virtual_clock.now() == 0
            assert virtual_clock.is_standing()
            go.touch()

        assert node_of(tree, "work").ended_at == 0
        assert virtual_clock.now() == 3_600


class TestThreads:
    """Bodies with `def`."""

    async def test_run_processes_by_way_of_the_loop(self) -> None:
        """With the result, the failure and the log of any other body."""

        def body(node: TaskNode) -> bytes:
            ordered = partial(node.run_process, python("print('from a thread')"), capture_output=True)
            return anyio.from_thread.run(ordered).stdout.strip()

        result, log = await result_of(body)

        assert (result, log) == (b"from a thread", ["from a thread"])

        def failing(node: TaskNode) -> None:
            anyio.from_thread.run(node.run_process, python("import sys; sys.exit(3)"))

        assert isinstance(await failure_of(failing), ProcessFailed)

    async def test_that_are_given_up_run_no_more_processes(self) -> None:
        """The process ends with the body's time, though the thread cannot be stopped; then another one is refused."""
        told: list[str] = []

        def body(node: TaskNode) -> None:
            for _ in range(2):
                try:
                    anyio.from_thread.run(node.run_process, python(FOREVER))
                except BaseException as error:  # noqa: BLE001 - a cancellation, in the words of either loop
                    told.append(str(error))

        async def as_long_as_that(node: TaskNode) -> None:
            await until(lambda: len(told) == 2)

        tree = TreeBuilder("root").add_child("work", task=body).add_child("other", task=as_long_as_that).build()
        node = node_of(tree, "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            node.cancel()
        await until(lambda: busy_threads().count == 0)

        assert statuses(tree)["work"] == "cancelled"
        assert told[1] == "node 'work': run_process works only while the node's body runs"
        assert node.log == ["runs"]

    async def test_of_an_attempt_that_was_given_up_run_no_more_processes(self, virtual_clock: VirtualClock) -> None:
        """Though the node's next attempt runs."""
        inside = threading.Event()
        given_up = threading.Event()
        refused = threading.Event()

        def body(node: TaskNode) -> str:
            if node.retry_count:
                given_up.set()
                refused.wait()
                return "second"
            inside.set()
            given_up.wait()
            try:
                anyio.from_thread.run(node.run_process, python("print('runs')"))
            finally:
                refused.set()
            return "first"

        tree = TreeBuilder("root").add_child("work", task=body, timeout=5, max_retries=1).build()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(AsyncExecutor(tree).run)
            await until(inside.is_set)
            virtual_clock.advance(5)
        await until(lambda: busy_threads().count == 0)

        assert (node_of(tree, "work").result, node_of(tree, "work").log) == ("second", [])


class TestRefusals:
    async def test_outside_of_a_run(self) -> None:
        """A node that nothing runs has no log to write."""
        node = TaskNode("work")

        with pytest.raises(TreeRunningError, match=exactly("node 'work': run_process works only while the tree runs")):
            await node.run_process("true")

    async def test_by_another_body(self) -> None:
        """The log, the failure and the cancel would be those of two nodes."""

        async def body(node: TaskNode) -> None:
            assert node.parent is not None
            await node.parent.run_process("true")

        assert str(await failure_of(body)) == (
            "node 'root': run_process was called by the body of 'work'; only the node's own body may"
        )

    async def test_outside_of_any_body(self) -> None:
        """Nothing would end the process with the node."""
        tree = tree_of(run(python(FOREVER)))
        node = node_of(tree, "work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, tree)
            await saying(node)
            with pytest.raises(
                TreeRunningError,
                match=exactly("node 'work': run_process was called outside of a body; only the node's own body may"),
            ):
                await node.run_process("true")
            node.cancel()

    async def test_after_the_body(self) -> None:
        """A task that a body leaves behind does not run processes in its name."""
        over = anyio.Event()
        refused: list[str] = []

        async def late(node: TaskNode) -> None:
            await over.wait()
            try:
                await node.run_process("true")
            except TreeRunningError as error:
                refused.append(str(error))

        async with anyio.create_task_group() as outside:

            async def body(node: TaskNode) -> None:
                outside.start_soon(late, node)

            async def other(node: TaskNode) -> None:
                await until(node_of(tree, "work").is_done)
                over.set()
                await until(lambda: bool(refused))

            tree = TreeBuilder("root").add_child("work", task=body).add_child("other", task=other).build()
            await AsyncExecutor(tree).run()

        assert refused == ["node 'work': run_process works only while the node's body runs"]

    async def test_command_that_is_none(self) -> None:
        """Before anything is started; all of them are in the tests of the model."""
        assert str(await failure_of(run([]))) == (
            "node 'work': run_process: command is []; "
            "expected a line for the shell, or a sequence: the program and its arguments"
        )


@posix
@pytest.mark.slow
@pytest.mark.usefixtures("pipes")
async def test_many_processes_at_once() -> None:
    """As many as there are bodies; each has its own log and its own end."""
    builder = TreeBuilder("root", config=TreeTaskConfig(on_failure="continue", max_retries=0))
    for number in range(40):
        builder.add_child(f"work{number}", task=run(f"echo {number}; exit $(({number} % 2))"))
    tree = builder.build()
    threads = threading.active_count()

    await ended(tree)

    assert [node.log for node in tree.root.children] == [[str(number)] for number in range(40)]
    assert [node.status for node in tree.root.children] == ["done", "failed"] * 20
    await until(lambda: threading.active_count() <= threads + 40)
