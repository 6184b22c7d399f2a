"""The README keeps its word: its programs run, and print what stands below them.

A comment before a code block says what the block is: a file, a program and what it prints, a frame that a command
paints on a terminal, a command to paste. Times and the gaps between columns are compared as if all were equal.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_terminal import in_terminal

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 25

BLOCK = re.compile(r"^<!-- (?P<mark>[^\n]+) -->\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


@dataclass(frozen=True)
class Block:
    """A code block and what the comment before it says of it."""

    mark: str
    language: str
    text: str


def readme() -> str:
    """The whole text."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str = "") -> list[Block]:
    """The marked code blocks, in order: all of them, or those of one kind."""
    found = [Block(match["mark"], match["language"], match["text"]) for match in BLOCK.finditer(readme())]
    return [block for block in found if block.mark.startswith(kind)]


def the_block(kind: str) -> Block:
    """The one block of a kind."""
    (block,) = blocks(kind)
    return block


def programs() -> list[tuple[str, str]]:
    """Each program with what it prints, by the README."""
    return [(program.text, printed.text) for program, printed in zip(blocks("program"), blocks("prints"), strict=True)]


def timeless(text: str) -> str:
    """A text with every time the same, and every gap between columns."""
    return re.sub(r" {2,}", "  ", re.sub(r"\d+\.\ds", "0.0s", text))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README shows."""
    for block in blocks("file: "):
        (tmp_path / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python, its two outputs in one."""
    unwanted = {"CI", "GITHUB_ACTIONS", "TREETASK_STORE"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def test_first_pipeline_has_twelve_lines() -> None:
    """Short enough to be read at once."""
    lines = blocks("file: app.py")[0].text.splitlines()

    assert len([line for line in lines if line]) == 12


@needs_terminal
def test_frame_is_painted(folder: Path) -> None:
    """The live frame is one that really appears."""
    block = the_block("frame of: ")
    with in_terminal(folder, block.mark.removeprefix("frame of: ")) as command:
        seen = {timeless("\n".join(rows)).strip() + "\n" for rows in command.frames()}

    assert timeless(block.text) in seen


@needs_terminal
def test_failing_run_ends_as_shown(folder: Path) -> None:
    """The final tree and the summary below it, whole; exit code 1."""
    block = the_block("end of: ")
    with in_terminal(folder, block.mark.removeprefix("end of: ")) as command:
        assert command.finish() == 1
        assert timeless("\n".join(command.rows()) + "\n") == timeless(block.text)


def test_log_is_as_shown(folder: Path) -> None:
    """Each line of it, before the summary, at whatever time of day."""
    block = the_block("log of: ")
    done = run(folder, "-m", "treetask", block.mark.removeprefix("log of: "))
    log, _, _ = done.stdout.partition("── failed")
    shown, told = (re.sub(r"\d\d:\d\d:\d\d", "12:00:00", timeless(text)) for text in (block.text, log))

    assert told == shown


def test_mistake_is_refused_as_shown(folder: Path) -> None:
    """The message, whole; exit code 2."""
    block = the_block("refusal of: ")
    done = run(folder, "-m", "treetask", block.mark.removeprefix("refusal of: "))

    assert (done.returncode, done.stdout) == (2, block.text)


def test_session_is_as_shown(folder: Path) -> None:
    """Each command in turn, with what it puts out; only times and dates are others."""
    commands = re.split(r"^\$ ", the_block("session").text, flags=re.MULTILINE)[1:]
    for command, _, shown in (each.partition("\n") for each in commands):
        words = command.split()
        if words[0] == "touch":
            (folder / words[1]).touch()
            continue
        done = run(folder, *words[1:])
        assert undated(timeless(done.stdout)) == undated(timeless(shown))


def undated(text: str) -> str:
    """A text with every date the same."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "DATE", text)


def test_plan_is_as_shown(folder: Path) -> None:
    """The whole of it, to the gaps."""
    block = the_block("output of: ")
    done = run(folder, "-m", "treetask", *block.mark.removeprefix("output of: ").split())

    assert (done.returncode, done.stdout) == (0, block.text)


@pytest.mark.parametrize(("program", "printed"), programs())
def test_program_prints_what_is_shown(folder: Path, program: str, printed: str) -> None:
    """Each way in, as a program of its own."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    done = run(folder, "program.py")

    assert (done.returncode, timeless(done.stdout)) == (0, timeless(printed))


def test_tests_that_are_shown_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With our plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = run(folder, "-m", "pytest", "-q", "-p", "treetask.testing.pytest_plugin", "-p", "no:cacheprovider")

    assert (done.returncode, done.stdout.splitlines()[-1][:9]) == (0, "3 passed "), done.stdout


def test_command_that_is_shown_runs(folder: Path) -> None:
    """The command line, as one way in."""
    python, *words = shlex.split(the_block("runs").text)
    done = run(folder, *words)

    assert (python, done.returncode) == ("python", 0), done.stdout


def test_commands_to_paste_are_one_line_each() -> None:
    """The two commands for a fresh machine; the second is what `.ci/run` calls."""
    assert the_block("command: main").text == (
        "python3 -m venv .venv && .venv/bin/python -m pip install -q -e . "
        "&& .venv/bin/python -m treetask examples/stdlib_census.py:tree\n"
    )
    assert the_block("command: tests").text == (
        "python3 -m venv .venv && .venv/bin/python -m pip install -q -e '.[dev]' && .venv/bin/python -m pytest -q\n"
    )


def test_windows_form_says_the_same() -> None:
    """Each command has its form for Windows right after it: the same words, other separators."""
    forms = re.findall(r"^```powershell\n(.*)\n```$", readme(), re.MULTILINE)
    expected = [
        block.text.strip()
        .replace("python3", "py")
        .replace(" &&", ";")
        .replace(".venv/bin/", ".venv\\Scripts\\")
        .replace("examples/", "examples\\")
        for block in blocks("command: ")
    ]

    assert forms == expected


def test_every_dependency_earns_its_line() -> None:
    """The table names what pyproject.toml requires, no more and no less, each with both reasons."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    required = {re.split(r"[\s>=<;\[]", name)[0] for name in wanted}
    rows = re.findall(r"^\| \[([\w-]+)\]\(https://[^)]+\) \| ([^|]+) \| ([^|]+) \|$", readme(), re.MULTILINE)

    assert {name for name, _, _ in rows} == required
    assert all(use.strip() and reason.strip() for _, use, reason in rows)


def test_links_lead_somewhere() -> None:
    """Files that the README refers to are there."""
    links = re.findall(r"\]\((?!https://)([^)]+)\)", readme())

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
