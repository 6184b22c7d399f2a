"""The command in a terminal: the tree at the bottom, what tasks print above it, and a terminal left as it was."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections import deque
from pathlib import Path

import pytest

from tests.cli.in_terminal import in_terminal, program_in_terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")

CTRL_C = "\x03"
CTRL_Z = "\x1a"

APP = """
import logging
import sys
import time
from collections import deque
from pathlib import Path
import anyio
from treetask import Registry

logging.basicConfig(format="%(levelname)s %(message)s")

prints = Registry("prints", parallel=False)

@prints.task
async def table() -> None:
    for number in range(100):
        print(f"row {number}")
        print(f"error {number}", file=sys.stderr)
        if not number % 10:
            await anyio.sleep(0.01)
    logging.warning("logged")
    print("\\x1b[31mred\\x1b[0m, half a line", end="")

@prints.task
async def asks() -> None:
    print(sys.stdout.isatty(), sys.stdout.encoding)

blocks = Registry("blocks")

@blocks.task
async def slow() -> None:
    while not Path("go").exists():
        time.sleep(0.01)

waits = Registry("waits")

@waits.task
async def for_ever() -> None:
    try:
        await anyio.sleep_forever()
    finally:
        print("cleaned up")

@waits.task
async def stubborn() -> None:
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with the pipelines above."""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    return tmp_path


def test_prints_stand_above_the_tree_whole_and_in_order(app: Path) -> None:
    """Prints, errors and logs of tasks, line by line, nothing of the tree between them or left behind them."""
    with in_terminal(app, "app:prints") as command:
        assert command.finish() == 0
        shown = command.everything()

    rows = [f"table │ {kind} {number}" for number in range(100) for kind in ("row", "error")]
    assert [re.sub(r" +\d+\.\ds$", "", row) for row in shown] == [
        *rows,
        "table │ WARNING logged",
        "table │ red, half a line",
        "asks │ False utf-8",
        "✅ prints",
        "├── ✅ table",
        "└── ✅ asks",
        "Progress: 2/2 (100%)",
    ]
    assert not command.screen.cursor.hidden


def test_what_blocks_is_named_above_the_tree_while_it_does(app: Path) -> None:
    """The display goes on meanwhile, and the warning tears nothing."""
    with in_terminal(app, "app:blocks") as command:
        command.wait_for("use anyio.to_thread.run_sync")
        meanwhile = command.rows()
        (app / "go").touch()
        assert command.finish() == 0
        afterwards = command.everything()

    line = APP.splitlines().index("        time.sleep(0.01)") + 1
    for shown in (meanwhile, afterwards):
        assert [re.sub(r"\d+\.\d+ s", "… s", row) for row in shown[:4]] == [
            "WARNING 'blocks/slow' has blocked the event loop for over … s:",
            f"  app.py:{line} in slow",
            "    time.sleep(0.01)",
            "  use anyio.to_thread.run_sync, or declare the body with plain def",
        ]
    assert meanwhile[-1].startswith("Progress: 0/1")
    assert [re.sub(r" +\d+\.\ds$", "", row) for row in afterwards[4:] if not row.startswith("WARNING")] == [
        "✅ blocks",
        "└── ✅ slow",
        "Progress: 1/1 (100%)",
    ]


def test_ctrl_c_cancels_and_leaves_the_terminal_as_it_was(app: Path) -> None:
    """The first asks for order, the second for haste, the third leaves; the cursor is there again."""
    with in_terminal(app, "app:waits") as command:
        command.wait_for("2 running")
        hidden = command.screen.cursor.hidden
        command.type(CTRL_C)
        command.wait_for("cleaned up")
        command.wait_for("1 running")
        command.type(CTRL_C)
        command.wait_for("still waiting for 'waits/stubborn'")
        command.type(CTRL_C)

        assert command.finish() == 130
        assert (hidden, command.screen.cursor.hidden) == (True, False)
        assert "cancelling… 2 cleaning up; Ctrl-C again to hurry them" in command.everything()
        assert "cancelling… 1 cleaning up; Ctrl-C again to leave at once" in command.everything()
        assert not any("Traceback" in row for row in command.everything())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell with job control")
def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again(app: Path) -> None:
    """Stopped, the cursor is there and nothing is painted; continued, the tree is at the bottom again."""
    with program_in_terminal(app, "bash", "--norc", "-i") as shell:
        shell.type(f'PS1="shell> "; "{sys.executable}" -m treetask app:waits\n')
        shell.wait_for("2 running")
        shell.type(CTRL_Z)
        shell.wait_for("Stopped")
        stopped = shell.screen.cursor.hidden
        shell.type("clear\n")
        shell.wait_for("2 running", gone=True)
        shell.type("fg\n")
        shell.wait_for("2 running")
        continued = shell.screen.cursor.hidden
        shell.type(CTRL_C)
        shell.wait_for("cleaned up")
        shell.type(CTRL_C)
        shell.wait_for("still waiting for 'waits/stubborn'")
        shell.type(CTRL_C)
        shell.type("echo code $?; exit\n")
        shell.wait_for("code 130")

    assert (stopped, continued) == (False, True)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (200, 50)])
def test_region_fits_the_screen(app: Path, columns: int, rows: int) -> None:
    """At most half of the screen is the tree's, whatever is printed above it."""
    with in_terminal(app, "app:prints", columns=columns, rows=rows) as command:
        assert command.finish() == 0
        shown = command.everything()

    assert [row for row in shown if "row " in row] == [f"table │ row {number}" for number in range(100)]
    assert shown[-1] == "Progress: 2/2 (100%)"


OUTSIDE = """
import os
import subprocess
import sys
import anyio
import anyio.to_thread
from treetask import Registry

outside = Registry("outside")

@outside.task
async def system() -> None:
    subprocess.run("for i in 1 2 3; do echo program $i; echo error $i >&2; done", shell=True, check=True)

@outside.task
async def descriptors() -> None:
    def write() -> None:
        for number in range(3_000):
            os.write(1 + number % 2, b"raw %d\\n" % number)

    await anyio.to_thread.run_sync(write)
    sys.stdout.buffer.write(b"left in a buffer\\n")
    os.write(1, b"no end")

broken = Registry("broken")

@broken.task
async def background() -> None:
    subprocess.Popen("while ! test -e go; do sleep 0.01; done; echo late; touch gone", shell=True)
    os.write(1, b"before")
    raise SystemExit(3)

held = Registry("held")

@held.task
async def stubborn() -> None:
    print("half", end="")
    os.write(1, b"whole\\nhalf")
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with the pipelines above."""
    (tmp_path / "app.py").write_text(textwrap.dedent(OUTSIDE), encoding="utf-8")
    return tmp_path


def test_what_bypasses_print_stands_above_the_tree_too(outside: Path) -> None:
    """Whole, in order, nobody's; from programs, descriptors and buffers, to the last byte."""
    with in_terminal(outside, "app:outside", "--no-store") as command:
        command.screen.history = command.screen.history._replace(top=deque(maxlen=10_000))
        assert command.finish() == 0
        shown = command.everything()

    above = shown[:-4]
    assert [row for row in above if row.startswith("raw")] == [f"raw {number}" for number in range(3_000)]
    assert [row for row in above if not row.startswith("raw")] == [
        *(f"{kind} {number}" for number in (1, 2, 3) for kind in ("program", "error")),
        "left in a buffer" if above[-1] == "no end" else "no endleft in a buffer",
        *(["no end"] if above[-1] == "no end" else []),
    ]
    assert shown[-1] == "Progress: 2/2 (100%)"


def test_program_in_the_background_holds_nobody_up(outside: Path) -> None:
    """What it wrote is shown, the command ends without it, whatever has ended the run."""
    with in_terminal(outside, "app:broken", "--no-store") as command:
        assert command.finish() == 3
        assert command.everything()[0] == "before"
        (outside / "go").touch()


def test_whoever_leaves_at_once_loses_nothing(outside: Path) -> None:
    """The third Ctrl-C ends the process in the handler of the signal; what was begun is shown all the same."""
    with in_terminal(outside, "app:held", "--no-store") as command:
        command.wait_for("whole")
        command.type(CTRL_C)
        command.wait_for("cancelling…")
        command.type(CTRL_C)
        command.wait_for("still waiting for")
        command.type(CTRL_C)
        assert command.finish() == 130
        assert command.everything()[-2:] == ["half", "stubborn │ half"]


def test_replay_is_painted_at_its_own_pace_and_interrupted(tmp_path: Path) -> None:
    """Hours go by in a moment on the rows of what runs; Ctrl-C leaves what was shown, and the terminal as it was."""
    common = '"wall":1e9'
    lines = [
        f'{{"event":"run_started","seq":1,"at":0,{common},"version":1,"root":"night","name":"night"}}',
        f'{{"event":"node_added","seq":2,"at":0,{common},"node":"night","name":"night","has_body":false}}',
        f'{{"event":"node_added","seq":3,"at":0,{common},"node":"long","name":"long","parent":"night"}}',
        f'{{"event":"status_changed","seq":4,"at":0,{common},"node":"night","attempt":1,"old":"pending","new":"working"}}',
        f'{{"event":"status_changed","seq":5,"at":0,{common},"node":"long","attempt":1,"old":"pending","new":"working"}}',
        f'{{"event":"status_changed","seq":6,"at":1e9,{common},"node":"long","attempt":1,"old":"working","new":"done"}}',
    ]
    (tmp_path / "run.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    with in_terminal(tmp_path, "replay", "run.jsonl", "--speed", "36000") as command:
        command.wait_for("2h ")
        command.type(CTRL_C)
        assert command.finish() == 130
        shown = command.everything()

    assert [re.sub(r" +\d+h \d+m$", "", row) for row in shown if not row.startswith("^C")] == [
        "🔄 night",
        "└── 🔄 long",
        "Progress: 0/1 (0%)",
        "treetask: the replay of run.jsonl was interrupted; nothing has run",
    ]
    assert not command.screen.cursor.hidden
