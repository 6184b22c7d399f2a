"""Processes that fail, or never start."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import until
from tests.processes.support import failure_of, posix, python, result_of, run
from treetask import ProcessFailed, TaskNode

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


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
