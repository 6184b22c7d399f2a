"""Makes the README's picture of the live display: a real run in a terminal, photographed by a browser.

    python -m examples.pictures.live examples/pictures/live.png

Needs Linux or macOS, Chromium or Chrome, and the project's `dev` extra (pyte).
"""

from __future__ import annotations

import argparse
import fcntl
import html
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pyte

from examples.pictures.browser import photograph

HERE = Path(__file__).resolve().parent

#: What the sixteen colours of a terminal look like on the page.
COLOURS = {
    "default": "#d8dee9",
    "black": "#3b4252",
    "red": "#f2777a",
    "green": "#8fce8f",
    "brown": "#e6c384",
    "blue": "#7aa2f7",
    "magenta": "#c792ea",
    "cyan": "#7fdbca",
    "white": "#e5e9f0",
    "brightblack": "#7b859b",
    "brightred": "#ff8f92",
    "brightgreen": "#a9e6a9",
    "brightbrown": "#ffd68f",
    "brightblue": "#9cbcff",
    "brightmagenta": "#dcb0f5",
    "brightcyan": "#a0f0e0",
    "brightwhite": "#ffffff",
}
#: Of the font of the page, in pixels.
CELL_WIDTH, CELL_HEIGHT = 9.03, 21
PAGE = """<!doctype html><meta charset="utf-8"><style>
html, body { margin: 0; background: transparent }
.window { display: inline-block; margin: 12px; border-radius: 10px; background: #1b1f2a; overflow: hidden;
  box-shadow: 0 6px 20px rgb(0 0 0 / 35%) }
.bar { height: 30px; background: #262c3a; display: flex; align-items: center; gap: 8px; padding-left: 14px }
.bar i { width: 11px; height: 11px; border-radius: 50%; background: #4b5468 }
.screen { position: relative; margin: 12px 16px 16px; font: 15px/21px "DejaVu Sans Mono", monospace;
  color: #d8dee9 }
.screen span { position: absolute; white-space: pre }
</style>"""


def main() -> None:
    """Run, photograph, leave."""
    parser = argparse.ArgumentParser(description="Make the README's picture of the live display.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seconds", type=float, default=7.0, help="how long the run lasts before it is photographed")
    parser.add_argument("--size", default="92x26", help="columns and rows of the terminal")
    chosen = parser.parse_args()
    columns, rows = map(int, chosen.size.split("x"))
    screen = pyte.Screen(columns, rows)
    command = [sys.executable, "-m", "treetask", f"{HERE / 'nightly.py'}:tree", "--no-store"]
    watch(command, screen, chosen.seconds)
    width, height = round(columns * CELL_WIDTH) + 56, (last_row(screen) + 1) * CELL_HEIGHT + 82
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(page_of(screen), encoding="utf-8")
        looks = ("--force-device-scale-factor=2", "--default-background-color=00000000")
        photograph(page, chosen.picture, width, height, *looks)


def watch(command: list[str], screen: pyte.Screen, seconds: float) -> None:
    """Let a program write to a screen for so long, then interrupt it."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", screen.lines, screen.columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR"}}
    environment |= {"TERM": "xterm-256color"}
    program = subprocess.Popen(  # noqa: S603 - a command of ours
        command, stdin=its, stdout=its, stderr=its, env=environment, cwd=HERE, start_new_session=True
    )
    os.close(its)
    stream = pyte.ByteStream(screen)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([ours], [], [], left)[0]:
            # The emulator knows no faint text; grey is what most terminals make of it.
            stream.feed(os.read(ours, 65_536).replace(b"\x1b[2m", b"\x1b[90m"))
    for _ in range(3):
        program.send_signal(signal.SIGINT)
    while select.select([ours], [], [], 1.0)[0]:
        try:
            os.read(ours, 65_536)
        except OSError:  # it has closed its side
            break
    program.wait()
    os.close(ours)


def page_of(screen: pyte.Screen) -> str:
    """Return a page with what is on a screen, each run of like characters at its place."""
    spans: list[str] = []
    for number in range(last_row(screen) + 1):
        row = screen.buffer[number]
        column = 0
        while column < screen.columns:
            cell = row[column]
            end = column + 1
            # What is not ASCII stands alone, since its width differs from font to font.
            while end < screen.columns and cell.data.isascii() and like(row[end], cell):
                end += 1
            text = "".join(row[place].data for place in range(column, end))
            if text.strip():
                spans.append(span(text, cell, column, number))
            column = end
    width, height = screen.columns * CELL_WIDTH, (last_row(screen) + 1) * CELL_HEIGHT
    return (
        f'{PAGE}<div class="window"><div class="bar"><i></i><i></i><i></i></div>'
        f'<div class="screen" style="width:{width}px;height:{height}px">{"".join(spans)}</div></div>'
    )


def like(one: pyte.screens.Char, other: pyte.screens.Char) -> bool:
    """Whether two characters go into one run."""
    # A character of two columns has an empty one behind it.
    return (
        one.data.isascii()
        and bool(one.data) == bool(other.data)
        and (one.fg, one.bold, one.italics) == (other.fg, other.bold, other.italics)
    )


def span(text: str, cell: pyte.screens.Char, column: int, row: int) -> str:
    """Return a run of characters at its place."""
    style = f"left:{column * CELL_WIDTH}px;top:{row * CELL_HEIGHT}px;color:{COLOURS.get(cell.fg, f'#{cell.fg}')}"
    if cell.bold:
        style += ";font-weight:bold"
    return f'<span style="{style}">{html.escape(text)}</span>'


def last_row(screen: pyte.Screen) -> int:
    """Return the last row that shows something."""
    return max((number for number, text in enumerate(screen.display) if text.strip()), default=0)


if __name__ == "__main__":
    main()
