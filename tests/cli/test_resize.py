"""A real terminal whose window is resized while a large tree is painted in it: nothing doubled, nothing lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 25
#: Lines of each kind in a phase.
EACH = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]

APP = """
import logging
import subprocess
import sys
from pathlib import Path
import anyio
from treetask import Registry

logging.basicConfig(format="%(message)s")
big = Registry("großes 木 🌲")

@big.task
async def pages() -> None:
    for number in range(5_000):
        yield page.child(f"页面 {number} 🚀")

@big.task
async def page(title: str) -> None:
    while not Path("end").exists():
        await anyio.sleep(0.2)

@big.task
async def talks() -> None:
    for phase in range(4):
        while not Path(f"go{phase}").exists():
            await anyio.sleep(0.01)
        for number in range(20):
            print(f"print {phase}.{number} 印刷 🖨")
            logging.warning(f"log {phase}.{number}")
            await anyio.sleep(0)
        subprocess.run([sys.executable, "-c", f"for n in range(20): print('program {phase}.' + str(n))"], check=True)
        print(f"phase {phase} is over")
    while not Path("end").exists():
        await anyio.sleep(0.01)
"""


class Tmux:
    """A window of a tmux server of its own."""

    def __init__(self, folder: Path, columns: int, rows: int) -> None:
        self._socket = f"treetask-{os.getpid()}"
        unwanted = {"CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TMUX", "TREETASK_STORE"}
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        self._environment = kept | {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT), "PS1": "$ "}
        (folder / "tmux.conf").write_text("set-option -g history-limit 5000\n")
        self._tmux("-f", str(folder / "tmux.conf"), "new-session", "-d", "-c", str(folder), "sh")
        self.resize(columns, rows)

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-L", self._socket, *words]
        done = subprocess.run(command, env=self._environment, check=True, capture_output=True, encoding="utf-8")
        return done.stdout

    def type(self, text: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press a key."""
        self._tmux("send-keys", key)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size, as a person does; what was wrapped is wrapped anew."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def rows(self) -> list[str]:
        """What the window shows."""
        return self._tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def everything(self) -> list[str]:
        """All lines, also those that have left the window, without their wrapping and whose they are."""
        lines = self._tmux("capture-pane", "-p", "-J", "-S", "-").rstrip("\n").split("\n")
        return [line.rstrip().removeprefix("talks │ ") for line in lines]

    def wait_for(self, is_shown: Callable[[list[str]], bool]) -> list[str]:
        """Return all lines once they are as they are wanted."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            lines = self.everything()
            if is_shown(lines):
                return lines
            time.sleep(0.02)
        raise AssertionError("the window shows:\n" + "\n".join(self.rows()))

    def close(self) -> None:
        """End the server and all in it."""
        self._tmux("kill-server")


@pytest.fixture
def window(tmp_path: Path) -> Generator[Tmux]:
    """A window of 80 columns and 24 rows, with a shell."""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    tmux = Tmux(tmp_path, 80, 24)
    try:
        yield tmux
    finally:
        tmux.close()


def has_shown(phase: int, lines: list[str]) -> bool:
    """Whether all is there that was put out in a phase, and, once, the last of the live rows below it."""
    count = sum(line.startswith(f"program {phase}.") for line in lines)
    return count == EACH and f"phase {phase} is over" in lines and sum("5,002" in line for line in lines[-60:]) == 1


def test_resized_while_it_runs(window: Tmux, tmp_path: Path) -> None:
    """Lines of prints, of logging and of a program's own output stay whole and in order, over four sizes of window."""
    window.type("stty -g | cksum")
    before = next(
        row for row in window.wait_for(lambda rows: any(re.match(r"\d+ \d+", row) for row in rows)) if row[0].isdigit()
    )
    window.type(f"clear; {sys.executable} -m treetask app:big --no-store")
    window.wait_for(lambda rows: any("4,9" in row or "5,0" in row for row in rows))
    for phase, (columns, rows) in enumerate([(80, 24), (40, 12), (200, 60), (60, 20)]):
        window.resize(columns, rows)
        (tmp_path / f"go{phase}").touch()
        window.wait_for(partial(has_shown, phase))
        window.press("Down")
    (tmp_path / "end").touch()
    window.wait_for(lambda rows: any(row.startswith("Progress: 5002/5002 (100%)") for row in rows))
    window.type("stty -g | cksum")
    window.wait_for(lambda rows: any(before in row for row in rows[-3:]))

    lines = window.everything()
    for kind in ("print", "log", "program"):
        found = [line for line in lines if re.match(rf"{kind} \d", line)]
        expected = [f"{kind} {phase}.{number}" for phase in range(4) for number in range(EACH)]
        assert [" ".join(line.split()[:2]) for line in found] == expected
    assert sum("großes" in line for line in lines) == 1
    assert sum(line.startswith("Progress") for line in lines) == 1
