"""The examples run as they stand: as programs, and by the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

#: The census reads the whole standard library: seconds on a machine of its own, more on a busy one.
DEADLINE = 120

FINAL_FRAME = """\
✅ My Pipeline
├── ✅ Phase 1
│   ├── ✅ Task 1
│   └── ✅ Task 2
└── ✅ Phase 2
    ├── ✅ Task 3
    └── ✅ Task 4

Progress: 4/4 (100%)
"""


def start(*words: str) -> subprocess.Popen[str]:
    """Start Python in the repository, as a person would."""
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "GITHUB_ACTIONS"}}
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def both_ways(request: pytest.FixtureRequest) -> tuple[str, tuple[str, str], tuple[str, str]]:
    """An example's name, and output and errors of it as a program and by the command line, run at the same time."""
    path: Path = request.param
    name = path.relative_to(ROOT).as_posix()
    processes = [start(name), start("-m", "treetask", f"{name}:tree")]
    try:
        outputs = [process.communicate(timeout=DEADLINE) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0], outputs
    return path.stem, outputs[0], outputs[1]


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 10)
def test_example_runs(both_ways: tuple[str, tuple[str, str], tuple[str, str]]) -> None:
    """Each ends well, both ways, and says what its documentation promises."""
    name, program, command = both_ways

    check = {"quickstart": check_quickstart, "decorated": check_decorated, "stdlib_census": check_census}[name]
    check(program, command)
    assert "Traceback" not in program[1] + command[1]


def check_quickstart(program: tuple[str, str], command: tuple[str, str]) -> None:
    """The final frame is the one of the documentation; it is no result, so it is on standard error."""
    assert program[0] == command[0] == ""
    assert program[1].endswith(FINAL_FRAME)


def check_decorated(program: tuple[str, str], command: tuple[str, str]) -> None:
    """The same tree by decorators: a program prints its result, the command line shows it."""
    assert program == ("7 of 7 nodes done; Task 4 returned {'result': 'done'}\n", "")
    assert command[0] == ""
    assert "My Pipeline" in command[1]


def check_census(program: tuple[str, str], command: tuple[str, str]) -> None:
    """Every source file of the library is counted once; both runs find the same."""
    assert program[0] == command[0]
    header, *rows, last = command[0].splitlines()
    assert header.split() == ["package", "files", "lines", "classes", "functions", "longest", "function"]
    numbers = {row.split()[0]: [int(word.replace(",", "")) for word in row.split()[1:5]] for row in rows}
    total = numbers.pop("all")
    assert [sum(column) for column in zip(*numbers.values(), strict=True)] == total
    assert total[0] == len(source_files())
    assert re.fullmatch(r"\d+ files could not be parsed", last)
    assert numbers["json"][0] >= 5
    assert program[1] == ""


def source_files() -> list[Path]:
    """What the census should find."""
    library = Path(sysconfig.get_path("stdlib"))
    return [
        path
        for path in library.rglob("*.py")
        if all(part.isidentifier() for part in path.relative_to(library).parts[:-1])
    ]
