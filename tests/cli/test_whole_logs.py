"""The whole logs of tasks that put out more than is kept in memory."""

from __future__ import annotations

import stat
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from treetask import TaskStatus, TaskTree, TreeBuilder
from treetask.cli._whole_logs import WholeLogs
from treetask.model._log import LOG_BYTES

LINES = 20_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def two_that_put_out_much(logs: WholeLogs) -> TaskTree:
    """A tree that has run: `bad/../x` has failed and `good` is done; `quiet` has failed with a short log."""
    tree = TreeBuilder("root").add_child("good").add_child("bad/../x").add_child("quiet").build()
    tree.overflow = logs.add
    good, bad, quiet = tree.root.children
    for node in (tree.root, good, bad, quiet):
        tree.move(node, TaskStatus.WORKING, 0.0)
    for number in range(LINES):
        for node in (good, bad):
            tree.extend_log(node, b"%06d\n" % number)
    tree.extend_log(quiet, b"short\n")
    tree.move(good, TaskStatus.DONE, 1.0)
    tree.move(bad, TaskStatus.FAILED, 1.0)
    tree.move(quiet, TaskStatus.FAILED, 1.0)
    return tree


def test_only_what_failed_leaves_its_whole_log(folder: Path) -> None:
    """Every line once, in a folder that nobody else can look into, under a harmless name."""
    logs = WholeLogs(pytest.fail)
    tree = two_that_put_out_much(logs)
    bad = tree.root.children[1]

    said = logs.close()

    (run,) = folder.iterdir()
    (file,) = run.iterdir()
    assert said == {bad: f"all {LINES:,} lines: {file}"}
    assert file.name == "2-bad-..-x.log"
    assert file.read_text() == "".join(f"{number:06}\n" for number in range(LINES))
    assert sys.platform == "win32" or stat.S_IMODE(run.stat().st_mode) == 0o700
    assert bad.log == [f"{number:06}" for number in range(LINES - LOG_BYTES // 7, LINES)]


def test_nothing_is_left_of_a_run_that_is_left(folder: Path) -> None:
    """Whoever leaves at once is told of no file, so there is none."""
    logs = WholeLogs(pytest.fail)
    two_that_put_out_much(logs)

    logs.drop()

    assert list(folder.iterdir()) == []


def test_what_cannot_be_written_is_told_once(folder: Path) -> None:
    """And the run goes on, with the end of each log in memory, as ever."""
    folder.rmdir()
    told: list[str] = []
    logs = WholeLogs(told.append)
    tree = two_that_put_out_much(logs)

    assert logs.close() == {}
    assert told == [
        "treetask: the whole log of 'good' cannot be kept in a file: No such file or directory; the run goes on"
    ]
    assert tree.root.children[1].log[-1] == f"{LINES - 1:06}"


def test_summary_names_the_file(project: Project, folder: Path) -> None:
    """With the last lines of the log above it."""
    project.write(
        "app.py",
        f"""
        from treetask import Registry

        tree = Registry("tree")

        @tree.task(max_retries=0)
        async def speaks() -> None:
            for number in range({LINES}):
                print("line", number)
            raise ValueError("enough")
        """,
    )

    done = project.treetask("app:tree", "--no-store")

    (file,) = folder.glob("*/*")
    lines = done.err.splitlines()
    assert lines[-2:] == [f"  │ line {LINES - 1}", f"  all {LINES:,} lines: {file}"]
    assert file.read_text() == done.out
