"""The real command in processes of its own: exit codes, signals, pipes, and what goes to which stream."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Long enough for a loaded machine; a test that needs it all has found a hang.
DEADLINE = 25

APP = """
import sys
import anyio
from treetask import Registry

tree = Registry("nightly")

@tree.task
async def first() -> None:
    print("first")

@tree.task
async def second() -> None:
    print("second")

bad = Registry("bad")

@bad.task
async def fails() -> None:
    raise ValueError("503 Service Unavailable")

@bad.task
async def slow() -> None:
    await anyio.sleep(1)  # longer than it takes to put on record that another one has failed
    print("slow is done")

waits = Registry("waits")

@waits.task
async def forever() -> None:
    try:
        print("started", flush=True)
        await anyio.sleep_forever()
    finally:
        print("cleaned up", flush=True)

stubborn = Registry("stubborn")

@stubborn.task
async def cleans_for_ever() -> None:
    try:
        print("started", flush=True)
        await anyio.sleep_forever()
    finally:
        print("cleaning", flush=True)
        with anyio.CancelScope(shield=True):
            await anyio.sleep_forever()

much = Registry("much", parallel=False)

@much.task
async def prints() -> None:
    for number in range(100_000):
        print(number)

@much.task
async def after() -> None:
    print("finished", file=sys.stderr)

leaves = Registry("leaves")

@leaves.task
async def exits() -> None:
    raise SystemExit(7)

stops = Registry("stops")

class Stop(BaseException):
    pass

@stops.task
async def breaks() -> None:
    raise Stop("enough")

@stops.task(always=True)
async def tidies() -> None:
    print("tidied")
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with a pipeline for each case."""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    return tmp_path


def environment() -> dict[str, str]:
    """The environment of a command: our package, and nothing that changes what is shown or how it is buffered."""
    unwanted = {"CI", "GITHUB_ACTIONS", "FORCE_COLOR", "PYTHONUNBUFFERED", "TREETASK_STORE"}
    changed = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | changed


def treetask(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Give a command and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "treetask", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


@pytest.fixture
def start(app: Path) -> Iterator[Start]:
    """Give a command, and wait until its first task says that it has started. It does not outlive the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "treetask", *words],
            cwd=app,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_run_that_goes_well(app: Path) -> None:
    """What the tasks print is standard output, all of it; the display is on standard error. Exit code 0."""
    done = treetask(app, "app:tree")

    assert (done.returncode, done.stdout) == (0, "first\nsecond\n")
    assert "nightly" in done.stderr
    assert "\x1b" not in done.stderr


def test_quiet_run_that_goes_well_says_nothing(app: Path) -> None:
    """Only the tasks speak."""
    done = treetask(app, "app:tree", "run", "--display", "quiet")

    assert (done.returncode, done.stdout, done.stderr) == (0, "first\nsecond\n", "")


def test_task_that_fails(app: Path) -> None:
    """Exit code 1, and a summary on every display; what ran beside it was cancelled."""
    done = treetask(app, "app:bad", "--display", "quiet")

    assert (done.returncode, done.stdout) == (1, "")
    assert re.sub(r"\d+\.\ds", "0.0s", done.stderr).splitlines() == [
        "── failed (1 of 2) ─".ljust(80, "─"),
        "bad › fails  0.0s",
        "  app.py:20 in fails",
        '    raise ValueError("503 Service Unavailable")',
        "  ValueError: 503 Service Unavailable",
        "",
        "1 cancelled because 'bad/fails' failed: slow",
        "again: treetask rerun --failed 1",
    ]


def test_resource_that_fails_to_close(app: Path) -> None:
    """Every task is done, but the command has failed, and says why."""
    (app / "leaky.py").write_text(
        textwrap.dedent(
            """
            from treetask import Registry

            tree = Registry("leaky")

            @tree.resource
            async def session():
                yield "open"
                raise OSError("cannot flush")

            @tree.task
            async def use(conn=session.output) -> None:
                print(conn)
            """
        ),
        encoding="utf-8",
    )

    done = treetask(app, "leaky:tree", "--display", "quiet")

    assert (done.returncode, done.stdout) == (1, "open\n")
    assert done.stderr == (
        "treetask: resource 'session' (leaky.py:6) raised when it was closed: OSError: cannot flush\n"
        "  leaky.py:9 in session\n"
        '    raise OSError("cannot flush")\n'
        "again: treetask rerun 1\n"
    )


def test_resource_that_crashes_names_each_error(app: Path) -> None:
    """What happened in its tasks, with the user's own lines, and not that there was a task group."""
    (app / "crashes.py").write_text(
        textwrap.dedent(
            """
            import anyio
            from treetask import Registry

            tree = Registry("crashes")

            async def fail(error):
                raise error

            @tree.resource
            async def session():
                async with anyio.create_task_group() as tasks:
                    yield "open"
                    tasks.start_soon(fail, OSError("lost"))
                    tasks.start_soon(fail, ValueError("wrong"))

            @tree.task
            async def use(conn=session.output) -> None:
                print(conn)
            """
        ),
        encoding="utf-8",
    )

    done = treetask(app, "crashes:tree", "--display", "quiet")

    assert (done.returncode, done.stdout) == (1, "open\n")
    assert done.stderr.splitlines() == [
        "treetask: resource 'session' (crashes.py:10) raised when it was closed: OSError: lost; ValueError: wrong",
        "  crashes.py:8 in fail",
        "    raise error",
        "  OSError: lost",
        "  crashes.py:8 in fail",
        "    raise error",
        "  ValueError: wrong",
        "again: treetask rerun 1",
    ]


@pytest.mark.parametrize("option", ["-k", "--keep-going"])
def test_keep_going_runs_what_does_not_depend_on_the_failure(app: Path, option: str) -> None:
    """The default policy of this run is to continue; a task failed all the same."""
    done = treetask(app, "app:bad", option)

    assert (done.returncode, done.stdout) == (1, "slow is done\n")


def test_fail_fast_cancels_what_runs(app: Path) -> None:
    """Whatever the config of the pipeline says."""
    (app / "going.py").write_text(
        textwrap.dedent(
            """
            from app import bad
            from treetask import TreeTaskConfig

            tree = bad.build(config=TreeTaskConfig(on_failure="continue"))
            """
        ),
        encoding="utf-8",
    )

    assert treetask(app, "going:tree").stdout == "slow is done\n"
    assert treetask(app, "going:tree", "-x").stdout == ""


def test_run_that_takes_too_long(app: Path) -> None:
    """Exit code 124, as of timeout(1); the tasks clean up."""
    done = treetask(app, "app:waits", "--timeout", "0.2", "--display", "quiet")

    assert (done.returncode, done.stdout) == (124, "started\ncleaned up\n")
    assert "timed out after 0.2 s" in done.stderr


def test_task_that_times_out_by_itself_is_an_ordinary_failure(app: Path) -> None:
    """124 is the run's own timeout, not one that a body met."""
    (app / "late.py").write_text(
        textwrap.dedent(
            """
            from treetask import Registry

            tree = Registry("late")

            @tree.task(timeout=0.05)
            async def waits() -> None:
                import anyio
                await anyio.sleep_forever()

            @tree.task
            async def raises() -> None:
                raise TimeoutError("the server's own")
            """
        ),
        encoding="utf-8",
    )

    assert treetask(app, "late:tree", "-k").returncode == 1
    assert treetask(app, "late:tree.waits").returncode == 1
    assert treetask(app, "late:tree.raises").returncode == 1


def test_body_that_exits_has_its_own_exit_code(app: Path) -> None:
    """SystemExit from a body cancels the run and is what it says."""
    done = treetask(app, "app:leaves")

    assert done.returncode == 7
    assert "Traceback" not in done.stderr


def test_body_that_raises_what_is_no_exception_fails_the_run(app: Path) -> None:
    """The run is cancelled in order, and told like any other that failed."""
    done = treetask(app, "app:stops")

    assert (done.returncode, done.stdout) == (1, "tidied\n")
    summary = '    raise Stop("enough")\n  Stop: enough\ntreetask: a task raised Stop\nagain: treetask resume 1\n'
    assert done.stderr.endswith(summary)
    assert "Traceback" not in done.stderr


# -- signals ----------------------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signal_cancels_cleans_up_and_has_its_exit_code(start: Start, name: str, code: int) -> None:
    """The first one is a cancel in order, whichever it is."""
    process = start("app:waits")
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=DEADLINE)

    assert (process.returncode, out) == (code, "cleaned up\n")
    assert "Traceback" not in err


@posix
def test_third_ctrl_c_leaves_at_once(start: Start) -> None:
    """Whatever a task still does."""
    process = start("app:stubborn")
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "cleaning\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    waited_for = next(line for line in process.stderr if "still waiting" in line)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)

    assert process.returncode == 130
    assert "stubborn/cleans_for_ever" in waited_for
    assert "Traceback" not in err


@posix
def test_thread_that_cannot_be_stopped_is_named(app: Path) -> None:
    """The process ends after it, unless Ctrl-C asks for an end at once; the exit code is the run's either way."""
    (app / "threads.py").write_text(
        textwrap.dedent(
            """
            import threading
            import anyio.from_thread
            from treetask import Registry

            tree = Registry("threads")
            begun = []

            @tree.task
            def stays() -> None:
                begun.append(True)
                threading.Event().wait()

            @tree.task
            async def fails() -> None:
                while not begun:
                    await anyio.sleep(0)
                raise ValueError("no")
            """
        ),
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "treetask", "threads:tree"],
        cwd=app,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stderr is not None
        last = next(line for line in process.stderr if "waiting for" in line)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()

    assert last == ("treetask: waiting for 'threads/stays', since a thread cannot be stopped; Ctrl-C leaves at once\n")
    assert (process.returncode, err) == (1, "")


# -- pipes ------------------------------------------------------------------------------------------------------------


@posix
def test_reader_that_leaves_early_ends_neither_task_nor_run(app: Path) -> None:
    """`| head -3` gets its three lines, the work is finished, quietly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "treetask", "app:much", "--display", "quiet"],
        cwd=app,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()

    assert (process.wait(timeout=DEADLINE), err) == (0, "finished\n")
    process.stderr.close()


@posix
@pytest.mark.parametrize("form", ["tree", "json"])
def test_reader_of_a_plan_may_leave_early(app: Path, form: str) -> None:
    """Quietly, however long the plan is."""
    wide = 'from treetask import TreeBuilder\nwide = TreeBuilder("wide")\n'
    (app / "wide.py").write_text(wide + 'for n in range(20_000): wide.add_child(f"node {n}")\n', encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "treetask", "wide:wide", "plan", "--format", form],
        cwd=app,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert "wide" in process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()

    assert (process.wait(timeout=DEADLINE), err) == (0, "")
    process.stderr.close()


@posix
@pytest.mark.parametrize("target", ["app:tree", "app:bad"])
def test_nobody_reads_the_display(app: Path, target: str) -> None:
    """Standard error into a closed pipe changes neither results nor exit code."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "treetask", target],
        cwd=app,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=writing,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )
    os.close(writing)

    expected = (0, "first\nsecond\n") if target == "app:tree" else (1, "")
    assert (done.returncode, done.stdout) == expected


@posix
@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "0<&-"])
def test_closed_stream_is_no_failure(app: Path, closed: str) -> None:
    """A stream that was never open has nobody who reads it either."""
    command = f'"{sys.executable}" -m treetask app:tree {closed}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=app, env=environment(), capture_output=True, timeout=DEADLINE, check=False
    )

    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


@posix
def test_output_that_cannot_be_written_is_told(app: Path) -> None:
    """A full disk loses results: that is said, and no exit code of success."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = f'"{sys.executable}" -m treetask app:tree --display quiet >/dev/full'
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=app,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == "treetask: standard output cannot be written: No space left on device\n"


def test_old_console_gets_plain_characters(app: Path) -> None:
    """Where an output has no such characters, nothing breaks and nothing is lost."""
    done = subprocess.run(
        [sys.executable, "-m", "treetask", "app:bad"],
        cwd=app,
        env=environment() | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="ascii",
        timeout=DEADLINE,
        check=False,
    )

    assert done.returncode == 1
    assert "-- failed (1 of 2) -" in done.stderr
    assert "bad > fails" in done.stderr


# -- both forms -------------------------------------------------------------------------------------------------------


def test_script_is_the_same_as_the_module(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A script elsewhere has its own folder on `sys.path`, not the current one; the pipeline is found all the same."""
    script = tmp_path_factory.mktemp("bin") / "treetask-script.py"
    script.write_text("import sys\nfrom treetask.cli import main\nsys.exit(main())\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), "app:tree", "--display", "quiet"],
        cwd=app,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "first\nsecond\n", "")


def test_mistake_has_exit_code_two(app: Path) -> None:
    """Nothing ran, and no traceback of ours."""
    done = treetask(app, "app:tre")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "treetask: module 'app' has no attribute 'tre'; did you mean 'tree'?"


def test_command_line_alone_loads_argparse() -> None:
    """Whoever imports the package does not pay for the command."""
    code = "import sys, treetask; assert 'argparse' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True, timeout=DEADLINE)
