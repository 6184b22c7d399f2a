"""Keys in a real terminal: they steer the run, and whatever happens, the terminal is left as it was."""

from __future__ import annotations

import io
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.in_terminal import Command, in_terminal
from treetask.cli._stdin import Asked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")

CTRL_C = "\x03"

APP = """
import os
import signal
import sys
import threading
import time
from pathlib import Path
import anyio
from treetask import Registry, TaskNode

waits = Registry("waits")

@waits.task
async def one() -> None:
    await anyio.sleep_forever()

@waits.task
async def stubborn() -> None:
    with anyio.CancelScope(shield=True):
        while not Path("go").exists():
            await anyio.sleep(0.01)

asks = Registry("asks")

@asks.task
def question() -> None:
    while not Path("go").exists():
        time.sleep(0.01)
    Path("answer").write_text(input("name? ") + sys.stdin.readline())

talks = Registry("talks")

@talks.task
def answers() -> None:
    Path("answer").write_text(input("name? "))

@talks.task
async def chats() -> None:
    while not Path("go").exists():
        await anyio.sleep(0.01)
    print("meanwhile")
    Path("said").touch()
    while not Path("answer").exists():
        await anyio.sleep(0.01)

ends = Registry("ends")

@ends.task
async def fails() -> None:
    while not Path("go").exists():
        await anyio.sleep(0.01)
    raise ValueError("no")

killed = Registry("killed")

@killed.task
def is_killed_when_all_is_over() -> None:
    while not Path("go").exists():
        time.sleep(0.01)
    handler = signal.getsignal(signal.SIGTERM)

    def kill() -> None:
        while signal.getsignal(signal.SIGTERM) is handler:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=kill).start()

class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no name")

broken = Registry("broken")

@broken.task
async def breaks_the_display(node: TaskNode) -> None:
    while not Path("go").exists():
        await anyio.sleep(0.01)
    node.name = Unprintable()
    node.progress = (1, 2)
    while not Path("end").exists():
        await anyio.sleep(0.01)
    node.name = "fine"
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with the pipelines above."""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    return tmp_path


def begin(command: Command, running: int) -> None:
    """Wait until the run is at work and keys are obeyed."""
    command.wait_for(f"{running} running · ? keys")


def test_keys_steer_the_run(app: Path) -> None:
    """Rows are selected, the help comes and goes, the run is paused, a task is cancelled; the rest goes on."""
    with in_terminal(app, "app:waits", "--keep-going") as command:
        begin(command, 2)
        command.type("?")
        command.wait_for("── keys, ? back ─")
        command.type("\x1b")
        command.wait_for("├── 🔄 one")
        command.type("p")
        command.wait_for("paused, p goes on")
        command.type("pjjx")
        command.wait_for("x again cancels 'one'")
        command.type("x")
        command.wait_for("🚫 one")
        (app / "go").touch()
        command.finish()

        assert "│   └" not in "".join(command.everything())
        assert any("cancelled from the keyboard" in row for row in command.everything())


def test_task_that_reads_has_the_terminal_as_it_was(app: Path) -> None:
    """What was typed before and is no key comes first, then lines as they are typed; keys are obeyed no more."""
    with in_terminal(app, "app:asks") as command:
        before = command.modes()
        begin(command, 1)
        assert command.modes() != before
        command.type("?Bob")
        command.wait_for("── keys")
        command.type("?")
        command.wait_for("── keys", gone=True)
        (app / "go").touch()
        command.wait_for("? keys", gone=True)
        assert command.modes() == before
        command.type(" jr\nlast\n")

        assert command.finish() == 0
        assert (app / "answer").read_text() == "Bob jrlast\n"


@pytest.mark.parametrize("options", [(), ("--no-keys",)])
def test_answer_is_not_painted_over(app: Path, options: tuple[str, ...]) -> None:
    """What others print while somebody types comes after the answer, which stands behind its question."""
    with in_terminal(app, "app:talks", *options) as command:
        command.wait_for("answers │ name?")
        command.type("Ann")
        command.wait_for("name? Ann")
        (app / "go").touch()
        while not (app / "said").exists():
            assert next(command.frames())
        command.type("\n")
        assert command.finish() == 0

        spoken = [row for row in command.everything() if "│ " in row and "──" not in row]
    assert spoken == ["answers │ name? Ann", "chats │ meanwhile"]
    assert (app / "answer").read_text() == "Ann"


def test_input_is_watched_by_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told once, before the first read; never by a child that was forked and closes its copy."""
    path = tmp_path / "input"
    path.write_text("second\nthird\n")
    told: list[int] = []
    waited: list[str | None] = []

    def tell() -> bytes:
        told.append(os.getpid())
        return b"first\n"

    with path.open() as stream:
        asked = Asked(stream)
        assert asked.encoding == stream.encoding
        asked.watch(tell, waited.append)
        own = os.getpid()
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: own + 1)
            assert asked.fileno() == stream.fileno()
        assert told == []
        assert waited == []
        asked.watch(tell, waited.append)
        assert list(asked) == ["first\n", "second\n", "third\n"]
        assert told == [own]
        assert waited == [None, "first\n", None, "second\n", None, "third\n", None, ""]
        with pytest.raises(io.UnsupportedOperation, match=r"^fileno$"):
            asked.fileno()


def test_keys_can_be_left_to_the_tasks(app: Path) -> None:
    """`--no-keys`: the terminal is not touched, nor are there hints."""
    with in_terminal(app, "app:waits", "--no-keys") as command:
        before = command.modes()
        command.wait_for("2 running")
        assert command.modes() == before
        assert not any("? keys" in row for row in command.rows())
        command.type("xx")
        (app / "go").touch()
        command.wait_for("✅ stubborn")
        command.type(CTRL_C)
        assert command.finish() == 130


def goes(command: Command, app: Path) -> None:
    """Let it fail by itself."""
    (app / "go").touch()


def interrupts(command: Command, app: Path) -> None:
    """Ctrl-C once."""
    (app / "go").touch()
    command.type(CTRL_C)


def leaves_at_once(command: Command, app: Path) -> None:
    """Ctrl-C three times."""
    command.type(CTRL_C)
    command.wait_for("Ctrl-C again to hurry them")
    command.type(CTRL_C)
    command.wait_for("Ctrl-C again to leave at once")
    command.type(CTRL_C)


def kills_by(number: int) -> Callable[[Command, Path], None]:
    """Send a signal."""

    def kill(command: Command, app: Path) -> None:
        (app / "go").touch()
        os.kill(command.process.pid, number)

    return kill


def breaks_the_display(command: Command, app: Path) -> None:
    """Give it a name that cannot be shown."""
    (app / "go").touch()
    command.wait_for("no name")
    (app / "end").touch()


@pytest.mark.slow
def test_signal_when_all_is_over_leaves_the_terminal_as_it_was(app: Path) -> None:
    """The run heeds it no more, and the display has not left yet, or just so."""
    with in_terminal(app, "app:killed") as command:
        before = command.modes()
        begin(command, 1)
        (app / "go").touch()

        assert command.finish() in {143, -signal.SIGTERM}
        assert command.modes() == before
        assert not command.screen.cursor.hidden


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipeline", "running", "end", "code"),
    [
        ("ends", 1, goes, 1),
        ("waits", 2, interrupts, 130),
        ("waits", 2, leaves_at_once, 130),
        ("waits", 2, kills_by(signal.SIGTERM), 143),
        pytest.param("waits", 2, kills_by(getattr(signal, "SIGHUP", 1)), 129, id="hup"),
        ("broken", 1, breaks_the_display, 0),
    ],
)
def test_terminal_is_left_as_it_was(
    app: Path, pipeline: str, running: int, end: Callable[[Command, Path], None], code: int
) -> None:
    """After a failure, every signal, a display that broke: the same modes, the cursor visible, nothing selected."""
    with in_terminal(app, f"app:{pipeline}") as command:
        before = command.modes()
        begin(command, running)
        command.type("jj")
        assert command.modes() != before
        was_hidden = command.screen.cursor.hidden
        end(command, app)

        assert command.finish() == code
        assert command.modes() == before
        assert (was_hidden, command.screen.cursor.hidden) == (True, False)
        assert not command.screen.cursor.attrs.reverse
