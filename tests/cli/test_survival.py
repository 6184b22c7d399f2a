"""Runs that were broken off, in processes of their own: by Ctrl-C, by `kill -9`, and gone on with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Long enough for a loaded machine; a test that needs it all has found a hang.
DEADLINE = 100

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
    pytest.mark.slow,
    pytest.mark.timeout(DEADLINE + 20),
]

#: Thirty pages; the eleventh does not end until there is a file 'go'.
APP = """
    from pathlib import Path
    import anyio
    from treetask import Registry, Spawns

    tree = Registry("site", parallel=False)

    @tree.task
    async def fetch(page: int) -> int:
        print("fetch", page, flush=True)
        while page == 10 and not Path("go").exists():
            await anyio.sleep(0.02)
        return page * page

    @tree.group(parallel=False)
    async def crawl(pages: int = 30) -> Spawns[None]:
        total = 0
        for page in range(pages):
            yield (child := fetch.child(page))
            total += await child
        print("total", total, flush=True)
"""


def environment(store: Path) -> dict[str, str]:
    """The environment of a command whose runs are kept in a store of the test."""
    unwanted = {"CI", "GITHUB_ACTIONS", "FORCE_COLOR", "PYTHONUNBUFFERED"}
    changed = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "TREETASK_STORE": str(store)}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | changed


class Commands:
    """Commands in a folder; none outlives the test."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._folder = folder
        self._store = store
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Give a command."""
        process = subprocess.Popen(
            [sys.executable, "-m", "treetask", *words],
            cwd=self._folder,
            env=environment(self._store),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._processes.append(process)
        return process

    def give(self, *words: str) -> tuple[int, str, str]:
        """Give a command and wait for its end; return exit code, standard output and standard error."""
        process = self.start(*words)
        out, err = process.communicate(timeout=DEADLINE)
        return process.returncode, out, err

    def end(self) -> None:
        """End what is left."""
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Commands]:
    """A folder with the thirty pages."""
    (tmp_path / "app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    commands = Commands(tmp_path, tmp_path / "runs.db")
    yield commands
    commands.end()


def wait_for(stream: IO[str] | None, line: str) -> None:
    """Return when a line has come."""
    assert stream is not None
    assert any(each == f"{line}\n" for each in stream), f"the stream ended without {line!r}"


@pytest.mark.parametrize(("name", "code", "status"), [("SIGINT", 130, "cancelled"), ("SIGKILL", -9, "lost")])
def test_interrupted_run_goes_on_with_what_was_left(
    site: Commands, tmp_path: Path, name: str, code: int, status: str
) -> None:
    """With the results of what was done, however the process ended."""
    process = site.start("app:tree", "--display", "quiet")
    wait_for(process.stdout, "fetch 10")
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == code
    assert err.splitlines()[-1:] == (["again: treetask resume 1"] if code == 130 else [])
    [run] = json.loads(site.give("runs", "--format", "json")[1])["runs"]
    assert (run["status"], run["counts"]["done"]) == (status, 10)

    (tmp_path / "go").touch()
    code, out, err = site.give("resume", "--display", "quiet")

    assert (code, out.splitlines()) == (0, [*(f"fetch {page}" for page in range(10, 30)), "total 8555"])
    assert err == "treetask: resumed run 1: 10 tasks had been done before, 21 have run now\n"


def test_run_is_driven_by_one_process_at_a_time(site: Commands, tmp_path: Path) -> None:
    """A second one is refused, and told which process it is; the first one is not disturbed."""
    process = site.start("app:tree", "--display", "quiet")
    wait_for(process.stdout, "fetch 10")
    process.kill()
    process.communicate()
    first = site.start("resume", "--display", "quiet")
    wait_for(first.stdout, "fetch 10")

    code, out, err = site.give("resume", "1")

    assert (code, out) == (2, "")
    assert re.fullmatch(
        rf"treetask: run 1 is already driven by process {first.pid} on \S+ since [-0-9]+ [:0-9]+; "
        r"wait until it has ended, or end it there\n",
        err,
    )
    (tmp_path / "go").touch()
    _, err = first.communicate(timeout=DEADLINE)
    assert first.returncode == 0
    assert err == "treetask: resumed run 1: 10 tasks had been done before, 21 have run now\n"


def test_reader_that_leaves_early_is_no_failure(site: Commands, tmp_path: Path) -> None:
    """`treetask show | head`."""
    (tmp_path / "go").touch()
    site.give("app:tree", "--display", "quiet")
    process = site.start("show")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None

    _, err = process.communicate(timeout=DEADLINE)

    assert (process.returncode, err) == (0, "")


def test_census_parses_what_was_left(tmp_path: Path) -> None:
    """The example, interrupted in the middle: what is parsed twice is what was being parsed just then."""
    commands = Commands(ROOT, tmp_path / "runs.db")
    try:
        process = commands.start("examples/stdlib_census.py:tree", "--display", "plain")
        assert process.stderr is not None
        # It tells of its progress every few percent.
        assert any(re.search(r"(1[0-9]|[2-9][0-9]|\d,\d)\d+/", line) for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, out) == (130, "")
        assert err.splitlines()[-1] == "again: treetask resume 1"

        code, out, err = commands.give("resume", "--display", "quiet")
        assert code == 0
        assert "longest function" in out
        told = re.fullmatch(
            r"treetask: resumed run 1: ([\d,]+) tasks had been done before, ([\d,]+) have run now\n", err
        )
        assert told is not None, err
        before, now = (int(number.replace(",", "")) for number in told.groups())
        [run] = json.loads(commands.give("runs", "--format", "json")[1])["runs"]
        nodes = json.loads(commands.give("show", "--format", "json")[1])["nodes"]
        files = {node["id"] for node in nodes if "/source[" in node["id"]}
        assert (run["status"], run["resumes"]) == ("done", 1)
        assert before > 100
        # Packages have bodies as well, and those that were not done began again.
        assert len(files) <= before + now <= len(nodes)
    finally:
        commands.end()
