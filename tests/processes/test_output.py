"""What processes put out and take in, and where they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from tests.engine.support import node_of, until
from tests.processes.support import Pulse, posix, python, result_of, run, tree_of
from treetask import AsyncExecutor, LogExtended, ProcessResult, TaskNode, TreeBuilder
from treetask.engine import _pipes
from treetask.testing import Recorder

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


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
    async def test_of_a_background_that_never_stops_writing_is_not_read_for_ever(
        self, pulse: Pulse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It writes faster than anybody reads, and is let go all the same."""
        monkeypatch.setattr(_pipes, "_LAST_READ", 0.01)
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

        pipe = _pipes.LoopPipe(take)
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
