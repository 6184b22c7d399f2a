"""What the type checkers say of programs that use the declarations, line by line: the promises of the typed surface."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

PROGRAMS = ("example.py", "api.py", "must_fail.py")
IGNORE = re.compile(r"  # (?:type: ignore|pyright: ignore)\[[^\]]*\]")
MARK = "  # refused: "

Lines = dict[str, set[int]]
"""By file name: the lines that have an error."""


def run_checker(*command: str) -> str:
    """Run a checker with the project's configuration; its exit code says no more than its output."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=280, check=False
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def mypy_errors(folder: Path) -> Lines:
    """The lines that mypy refuses."""
    files = [str(folder / name) for name in PROGRAMS]
    found: Lines = {name: set() for name in PROGRAMS}
    output = run_checker("mypy", "--strict", "--output", "json", "--no-incremental", *files)
    for line in output.splitlines():
        if line.startswith("{"):
            message = json.loads(line)
            if message["severity"] == "error":
                found[Path(message["file"]).name].add(message["line"])
    return found


def pyright_errors(folder: Path) -> Lines:
    """The lines that pyright refuses."""
    files = [str(folder / name) for name in PROGRAMS]
    found: Lines = {name: set() for name in PROGRAMS}
    for message in json.loads(run_checker("pyright", "--outputjson", *files))["generalDiagnostics"]:
        if message["severity"] == "error":
            found[Path(message["file"]).name].add(message["range"]["start"]["line"] + 1)
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("checker", "errors"), [("mypy", mypy_errors), ("pyright", pyright_errors)], ids=["mypy", "pyright"]
)
def test_checkers_refuse_the_marked_lines_and_no_others(
    checker: str, errors: Callable[[Path], Lines], tmp_path: Path
) -> None:
    """Each line marked `refused` is an error, and nothing else in the three programs is."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    marked: Lines = {}
    for name in PROGRAMS:
        source = IGNORE.sub("", (HERE / name).read_text(encoding="utf-8"))
        (tmp_path / name).write_text(source, encoding="utf-8")
        marked[name] = {number for number, line in enumerate(source.splitlines(), 1) if MARK in line}

    assert errors(tmp_path) == marked
    assert len(marked["must_fail.py"]) >= 10


def test_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """What the type checkers accept runs; a body is called alone, and the whole by its group."""
    program = runpy.run_path(str(HERE / "example.py"))

    anyio.run(program["publish_alone"])
    program["run_release"]()

    assert capsys.readouterr().out == "dev: 3 pages, lint 9.5\n"
