"""`--events FILE` and `--display json`: the events of a run, whole, where they were asked for and nowhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Project
from treetask import TaskStatus
from treetask.events import lines_of, read_events, story_of

#: One child that fails, one that is repeated, and what waits for them.
PAGES = """
import logging
from treetask import Registry

tree = Registry("site", on_failure="continue")

@tree.task(max_retries=0)
async def fetch(page: str) -> None:
    print("fetching", page)
    if page == "news":
        raise ConnectionError("503 Service Unavailable")

@tree.group
async def crawl():
    yield [fetch.child(page) for page in ("index", "news")]

@tree.task(depends_on=[crawl])
async def publish() -> None: ...
"""


@pytest.fixture
def pages(project: Project) -> Project:
    """A project with a pipeline that fails."""
    project.write("pages.py", PAGES)
    return project


def parsed(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Each line as the object that it is."""
    return [json.loads(line) for line in lines]


def test_file_has_the_whole_run(pages: Project) -> None:
    """With the number of the run and its target; standard error is as it is without the file."""
    outcome = pages.treetask("pages:tree", "--display", "quiet", "--events", "run.jsonl")
    without = pages.treetask("pages:tree", "--display", "quiet")

    assert outcome.code == without.code == 1
    assert outcome.out == without.out == "fetching index\nfetching news\n"
    assert outcome.err.replace("--failed 1", "--failed 2") == without.err
    story = story_of(read_events("run.jsonl"))
    assert (story.run, story.target, story.status) == (1, "pages:tree", TaskStatus.FAILED)
    assert story.counts == {TaskStatus.DONE: 1, TaskStatus.FAILED: 1, TaskStatus.SKIPPED: 1}
    assert [node.name for node in story.nodes] == ["site", "crawl", "fetch[index]", "fetch[news]", "publish"]


def test_json_is_all_that_standard_error_has(pages: Project) -> None:
    """What else would be said there is among the events: how it goes on after a failure. Prints stay where they are."""
    outcome = pages.treetask("pages:tree", "--display", "json")

    assert (outcome.code, outcome.out) == (1, "fetching index\nfetching news\n")
    lines = parsed(outcome.err.splitlines())
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["event"] for line in lines[:2] + lines[-2:]] == [
        "run_started",
        "node_added",
        "message",
        "run_ended",
    ]
    assert lines[-2]["lines"] == ["again: treetask rerun --failed 1"]


def test_file_and_standard_error_have_the_same(pages: Project) -> None:
    """Both may be asked for."""
    outcome = pages.treetask("pages:tree", "--display", "json", "--events", "run.jsonl", "--no-store")
    assert outcome.err == Path("run.jsonl").read_text(encoding="utf-8")


def test_warnings_are_among_the_events(project: Project) -> None:
    """What the engine logs would stand between the lines otherwise."""
    project.write(
        "slow.py",
        """
        import logging
        from treetask import Registry

        tree = Registry("slow")

        @tree.task
        async def work() -> None:
            logging.getLogger("treetask").warning("'%s' took its time", "work")
        """,
    )
    outcome = project.treetask("slow:tree", "--display", "json", "--no-store")

    assert [line["lines"] for line in parsed(outcome.err.splitlines()) if line["event"] == "message"] == [
        ["'work' took its time"]
    ]


def test_wrong_usage_is_said_in_words(pages: Project) -> None:
    """Nothing has begun, so there are no events."""
    assert pages.treetask("pages:tree", "--display", "json", "--only", "nothing").err.startswith("treetask: ")


@pytest.mark.parametrize(
    ("file", "trouble"),
    [("missing/run.jsonl", "No such file or directory"), (".", "Is a directory")],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows says it in other words")
def test_file_that_cannot_be_written_is_refused_before_the_run(pages: Project, file: str, trouble: str) -> None:
    """By name, with the reason; no body has begun."""
    outcome = pages.treetask("pages:tree", "--events", file)
    name = str(pages.folder / file).removesuffix("/.")
    assert outcome.refusal == [f"treetask: --events: '{name}' cannot be written: {trouble}"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_disk_that_is_full_is_told_once_and_the_run_goes_on(pages: Project) -> None:
    """On standard error, or among the events there."""
    sentence = "treetask: /dev/full: events cannot be written there any more: No space left on device"

    outcome = pages.treetask("pages:tree", "--display", "quiet", "--events", "/dev/full")
    assert outcome.out == "fetching index\nfetching news\n"
    assert outcome.err.splitlines().count(sentence) == 1

    outcome = pages.treetask("pages:tree", "--display", "json", "--events", "/dev/full")
    told = [line["lines"] for line in parsed(outcome.err.splitlines()) if line["event"] == "message"]
    assert [sentence] in told
    assert story_of(lines_of(outcome.err.encode().splitlines(keepends=True), "err")).status is TaskStatus.FAILED


def test_resumed_run_writes_where_the_command_was_given(
    pages: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes back to its own folder, the file does not; what was done before comes in done."""
    pages.treetask("pages:tree", "--display", "quiet")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    store = str(pages.folder / ".treetask" / "journal.db")
    pages.treetask("resume", "1", "--store", store, "--display", "quiet", "--events", "again.jsonl")

    story = story_of(read_events(elsewhere / "again.jsonl"))
    index = next(node for node in story.nodes if node.name == "fetch[index]")
    assert (story.run, index.status) == (1, TaskStatus.DONE)
    assert index.ended_at is not None


def test_errors_that_bodies_print_are_lines_among_the_others(project: Project) -> None:
    """Of the node that said them, or of nobody; standard error has nothing else, standard output what was printed."""
    project.write(
        "app.py",
        """
        import sys
        import threading
        from treetask import Registry

        tree = Registry("tree")

        @tree.task
        async def says() -> None:
            print("result")
            print("trouble", file=sys.stderr)
            thread = threading.Thread(target=print, args=("whose?",), kwargs={"file": sys.stderr})
            thread.start()
            thread.join()
        """,
    )

    done = project.treetask("app:tree", "--display", "json", "--no-store")

    said = [line for line in map(json.loads, done.err.splitlines()) if line["event"] == "log_extended"]
    assert done.out == "result\n"
    assert [line["lines"] for line in said if line.get("node") == "tree/says"] == [["result"], ["trouble"]]
    assert [line["lines"] for line in said if "node" not in line] == [["whose?"]]
