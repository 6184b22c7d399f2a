"""What the type checkers say of programs that use the declarations, line by line: the promises of the typed surface."""

from __future__ import annotations

import importlib.util
import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.typing.programs import MARK, marked_lines, own_programs, printed_programs
from treetask.testing import TreeTaskRun

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

#: The first Python that is supported, and the last.
VERSIONS = ("3.10", "3.14")

Lines = dict[str, set[int]]
"""By file name: the lines that have an error."""


def run_checker(*command: str) -> str:
    """Run a checker with the project's configuration; its exit code says no more than its output."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=280, check=False
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def mypy_errors(files: Iterable[str], version: str) -> Lines:
    """The lines that mypy refuses."""
    found: Lines = {Path(file).name: set() for file in files}
    options = ("--strict", "--output", "json", "--no-incremental", "--python-version", version)
    for line in run_checker("mypy", *options, *files).splitlines():
        if line.startswith("{"):
            message = json.loads(line)
            if message["severity"] == "error":
                found[Path(message["file"]).name].add(message["line"])
    return found


def pyright_errors(files: Iterable[str], version: str) -> Lines:
    """The lines that pyright refuses."""
    found: Lines = {Path(file).name: set() for file in files}
    options = ("--outputjson", "--pythonpath", sys.executable, "--pythonversion", version)
    for message in json.loads(run_checker("pyright", *options, *files))["generalDiagnostics"]:
        if message["severity"] == "error":
            found[Path(message["file"]).name].add(message["range"]["start"]["line"] + 1)
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("checker", "errors"), [("mypy", mypy_errors), ("pyright", pyright_errors)], ids=["mypy", "pyright"]
)
def test_checkers_refuse_the_marked_lines_and_no_others(
    checker: str, errors: Callable[[Iterable[str], str], Lines], version: str, tmp_path: Path
) -> None:
    """Each line marked `refused` is an error, and nothing else in all the programs is; on every Python."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    sources = own_programs() | printed_programs()
    for name, source in sources.items():
        (tmp_path / name).write_text(source, encoding="utf-8")

    found = errors([str(tmp_path / name) for name in sources], version)

    assert found == {name: marked_lines(source) for name, source in sources.items()}


def test_programs_hold_what_they_promise() -> None:
    """The checkers are not shown empty files."""
    sources = own_programs()

    assert len(marked_lines(sources["must_fail.py"])) >= 10
    assert MARK not in sources["example.py"] + sources["api.py"]


@pytest.fixture(params=["own", "printed"])
def example(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The example, loaded."""
    source = own_programs()["example.py"] if request.param == "own" else printed_programs().get("printed_example.py")
    if source is None:
        pytest.skip("TREETASK_SHARED names no folder with the printed surface, or it uses what is not there yet")
    (tmp_path / "app.py").write_text(source, encoding="utf-8")
    return runpy.run_path(str(tmp_path / "app.py"))


def test_example_tests_itself(example: dict[str, Any]) -> None:
    """What the type checkers accept runs: a body is called alone, and the whole by its group."""
    anyio.run(example["test_publish"])
    example["test_release"]()


@pytest.mark.usefixtures("anyio_backend")
@pytest.mark.parametrize(
    ("env", "status", "said"),
    [
        ("prod", "done", "ok"),
        ("dev", "skipped", "'app/release/publish' has no result: it is skipped (its condition was false)"),
    ],
)
def test_example_publishes_where_it_is_to(
    example: dict[str, Any],
    env: str,
    status: str,
    said: str,
    treetask_run: TreeTaskRun,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One parameter reaches the condition and the body; what looks at the outcome runs either way."""
    result = treetask_run(example["tree"], env=env, pages=5)

    assert result.success
    assert len(result[example["crawl"]]) == 5
    assert [node.status for node in example["publish"].nodes_in(result.tree)] == [status]
    assert capsys.readouterr().out == f"{said}\n"
