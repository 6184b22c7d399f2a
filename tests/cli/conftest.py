"""A project folder to give commands in."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from treetask.cli import main

#: A pipeline to name in commands.
APP = """
from treetask import Registry

nightly = Registry("nightly")
LIMIT = 3

@nightly.group
async def crawl() -> None: ...

@crawl.task
async def fetch() -> None:
    print("fetched")
"""

#: A pipeline whose process is killed once it is on record that two nodes run: the second task, and what is around it.
DIES = """
import os
import sqlite3
import anyio
from treetask import Registry

tree = Registry("dies")

@tree.task
async def first() -> None: ...

@tree.task(depends_on=[first])
async def kill() -> None:
    store = sqlite3.connect(".treetask/journal.db")
    while store.execute("select count(*) from nodes where status = 'working'").fetchone() != (2,):
        await anyio.sleep(0.01)
    os.kill(os.getpid(), 9)
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> list[str]:
        """The lines of a command that was refused: exit code 2, nothing on standard output."""
        assert (self.code, self.out) == (2, "")
        return self.err.splitlines()


class Project:
    """A folder with Python files, which is the current one, and the command line in this process."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def write(self, name: str, text: str) -> Path:
        """Write a file, indented as the test is."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def forget(self) -> None:
        """Let what was imported from the folder be imported anew."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file is not None and Path(file).is_relative_to(self.folder):
                del sys.modules[name]

    def run_program(self, name: str) -> None:
        """Run a file as a program, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "path", [str(self.folder), *sys.path])
            runpy.run_path(str(self.folder / name), run_name="__main__")

    def die(self, *words: str) -> None:
        """Have a run killed in the midst of its second task, in a process of its own."""
        self.write("dies.py", DIES)
        command = [sys.executable, "-m", "treetask", "dies:tree", "--display", "quiet", *words]
        root = str(Path(__file__).resolve().parents[2])
        subprocess.run(command, cwd=self.folder, env={**os.environ, "PYTHONPATH": root}, check=False, timeout=60)

    def treetask(self, *words: str) -> Outcome:
        """Give a command."""
        self._capture.readouterr()
        code = main(words)
        out, err = self._capture.readouterr()
        return Outcome(code, out, err)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project of its own for each test: what it imports is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TREETASK_STORE", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    yield Project(tmp_path, capsys)
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]
