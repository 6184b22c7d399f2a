"""The runs on record: `runs`, `show` and `prune`, and the store that they are in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from treetask.store import Store

APP = """
    from treetask import Registry, Retry, TaskNode

    tree = Registry("nightly", on_failure="continue")

    @tree.group
    async def crawl() -> None: ...

    @crawl.task(retry=Retry(on=OSError, attempts=2, wait_initial=0, wait_max=0))
    async def fetch(node: TaskNode) -> None:
        await node.run_process("echo GET /news")
        raise OSError(f"503 for attempt {node.retry_count + 1}")

    @tree.task(depends_on=[crawl])
    async def publish() -> None: ...

    good = Registry("good")

    @good.task
    async def greet(name: str = "you") -> str:
        return name
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A project with a pipeline that ends well and one that does not."""
    project.write("app.py", APP)
    return project


def without_times(text: str) -> list[str]:
    """The lines of a text with every time and date made the same."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "DATE", text)
    return [line.rstrip() for line in re.sub(r"\d+\.\ds", "0.0s", text).splitlines()]


def test_runs_are_shown_the_newest_first(app: Project) -> None:
    """What was run, when, how long it took, how it ended, and how its nodes did."""
    app.treetask("app:good")
    app.treetask("app:tree")

    outcome = app.treetask("runs")

    assert (outcome.code, outcome.err) == (0, "")
    assert without_times(outcome.out) == [
        "run  what      when              took  status  tasks",
        "  2  app:tree  DATE  0.0s  failed  1 failed, 1 skipped",
        "  1  app:good  DATE  0.0s  done    1 done",
    ]


def test_no_runs_yet(app: Project) -> None:
    """To look is no failure, and makes nothing."""
    outcome = app.treetask("runs")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "treetask: no run is on record here yet; the first one is recorded by: treetask TARGET\n"
    assert json.loads(app.treetask("runs", "--format", "json").out) == {"version": 1, "runs": []}
    assert app.treetask("prune").code == 0
    assert not (app.folder / ".treetask").exists()


def test_only_the_newest_are_shown(app: Project) -> None:
    """And that there are more."""
    for _ in range(3):
        app.treetask("app:good")

    outcome = app.treetask("runs", "--limit", "2")

    assert [row.split()[0] for row in outcome.out.splitlines()] == ["run", "3", "2"]
    assert outcome.err == "treetask: there are older ones; --limit 10 shows more\n"


def test_runs_for_tools(app: Project) -> None:
    """What the head of the module promises."""
    app.treetask("app:tree")

    document = json.loads(app.treetask("runs", "--format", "json").out)

    assert document["version"] == 1
    [run] = document["runs"]
    assert (run["id"], run["target"], run["folder"], run["root"]) == (1, "app:tree", str(app.folder), "nightly")
    assert (run["status"], run["resumes"], run["pid"]) == ("failed", 0, os.getpid())
    assert run["started_at"] <= run["ended_at"]
    assert (run["counts"]["failed"], run["counts"]["skipped"], run["counts"]["total"]) == (1, 1, 2)


def test_record_is_shown_as_a_tree(app: Project) -> None:
    """Statuses, times, attempts, errors, reasons, and the last lines of the log of what failed."""
    app.treetask("app:tree")

    outcome = app.treetask("show")

    assert (outcome.code, outcome.err) == (0, "")
    assert without_times(outcome.out) == [
        "run 1 of app:tree: failed",
        "begun DATE, took 0.0s: 1 failed, 1 skipped",
        "❌ nightly        0.0s  'nightly/crawl' failed",
        "├── ❌ crawl      0.0s  'nightly/crawl/fetch' failed",
        "│   └── ❌ fetch  0.0s  503 for attempt 2 (2 attempts)",
        "│          attempt 1: 503 for attempt 1",
        "│          │ GET /news",
        "│          │ GET /news",
        "└── ⏩ publish          'nightly/crawl' failed",
    ]


def test_record_for_tools(app: Project) -> None:
    """What the head of the module promises."""
    app.treetask("app:good")
    app.treetask("app:tree")

    document = json.loads(app.treetask("show", "2", "--format", "json").out)

    assert (document["version"], document["run"]["id"]) == (1, 2)
    nodes = {node["id"]: node for node in document["nodes"]}
    assert next(iter(nodes)) == "nightly"
    fetch = nodes["nightly/crawl/fetch"]
    assert (fetch["parent"], fetch["name"], fetch["status"]) == ("nightly/crawl", "fetch", "failed")
    assert (fetch["attempts"], fetch["error"]) == (2, "503 for attempt 2")
    assert [(each["number"], each["error"]) for each in fetch["earlier"]] == [(1, "503 for attempt 1")]
    assert fetch["log"] == ["GET /news", "GET /news"]
    assert nodes["nightly/publish"]["reason"] == "'nightly/crawl' failed"


def test_what_ran_when_the_process_died_is_shown(app: Project) -> None:
    """Such a run is lost, and may be gone on with."""
    app.die()

    assert without_times(app.treetask("runs").out)[1:] == ["  1  dies:tree  DATE  0.0s  lost    1 done, 1 working"]
    assert without_times(app.treetask("show").out) == [
        "run 1 of dies:tree: lost",
        "begun DATE, took 0.0s: 1 done, 1 working",
        "🔄 dies",
        "├── ✅ first  0.0s",
        "└── 🔄 kill         was running when its process died",
    ]


def test_oldest_runs_are_deleted(app: Project) -> None:
    """All but so many."""
    for _ in range(4):
        app.treetask("app:good")

    assert app.treetask("prune").err == "treetask: no run is deleted, and the newest 50 kept\n"
    assert app.treetask("prune", "--keep", "2").err == "treetask: 2 runs are deleted, and the newest 2 kept\n"
    assert [row.split()[0] for row in app.treetask("runs").out.splitlines()] == ["run", "4", "3"]
    assert app.treetask("show", "1").refusal == [
        "treetask: store .treetask/journal.db has no run 1; the newest are 4, 3"
    ]
    app.treetask("prune", "--keep", "0")
    assert app.treetask("runs").err == "treetask: store .treetask/journal.db has no runs yet\n"
    outcome = app.treetask("resume")
    assert (outcome.code, outcome.err) == (5, "treetask: store .treetask/journal.db has no runs yet\n")


# -- which store ------------------------------------------------------------------------------------------------------


def numbers(project: Project, *words: str) -> list[int]:
    """The numbers of the runs in a store."""
    runs = json.loads(project.treetask("runs", "--format", "json", *words).out)["runs"]
    return [run["id"] for run in runs]


def test_store_is_named_by_option_environment_or_project(app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order, and a relative one of pyproject.toml is seen from there."""
    app.write("pyproject.toml", '[tool.treetask]\nstore = "kept/of project.db"\n')
    (app.folder / "kept").mkdir()
    (app.folder / "deep").mkdir()
    monkeypatch.chdir(app.folder / "deep")
    app.treetask("../app.py:good")
    assert (app.folder / "kept" / "of project.db").is_file()

    monkeypatch.setenv("TREETASK_STORE", "sqlite:///environment.db")
    assert not (app.folder / "deep" / "environment.db").exists()
    app.treetask("../app.py:good")
    assert (app.folder / "deep" / "environment.db").is_file()

    assert app.treetask("runs", "--store", "option.db").refusal == [
        "treetask: store option.db: there is no such file; check the path, or start a run that keeps a journal"
    ]
    app.treetask("../app.py:good", "--store", "option.db")
    app.treetask("../app.py:good", "--store", "option.db")
    assert (numbers(app), numbers(app, "--store", "option.db")) == ([1], [2, 1])
    assert not (app.folder / ".treetask").exists()


def test_command_that_goes_on_names_the_store_that_was_named(app: Project) -> None:
    """As one would type it."""
    outcome = app.treetask("app:tree", "--store", "my runs.db")

    assert outcome.err.splitlines()[-1] == "again: treetask rerun --failed 1 --store 'my runs.db'"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("no/such/folder.db", "its folder does not exist; make that, or name another file"),
        ("app.py", "the file is no SQLite database; name another file; this one is left as it is"),
    ],
)
def test_store_that_cannot_be_used_is_refused_before_anything_runs(app: Project, url: str, problem: str) -> None:
    """With what to do instead."""
    app.write("prints.py", APP.replace("return name", 'print("ran")'))

    assert app.treetask("prints:good", "--store", url).refusal == [
        f"treetask: store {url}: {problem}",
        "  to run without a record: --no-store; to keep it somewhere else: --store URL",
    ]


def test_store_in_memory_is_refused(app: Project) -> None:
    """It would be gone with the command."""
    for url in ("sqlite://", ":memory:"):
        assert app.treetask("app:good", "--store", url).refusal == [
            f"treetask: --store is '{url}', which is gone when the command ends; write --no-store to keep nothing"
        ]


def test_wrong_store_of_a_project_is_told(app: Project) -> None:
    """Before anything runs."""
    app.write("pyproject.toml", "[tool.treetask]\nstore = 3\n")

    assert app.treetask("app:good").refusal == [
        "treetask: pyproject.toml: [tool.treetask] store is 3; expected a string, which is a path or a URL"
    ]


def test_password_is_not_shown(app: Project) -> None:
    """Nowhere."""
    outcome = app.treetask("app:good", "--store", "postgresql://me:xyzzy@127.0.0.1:1/none")

    assert outcome.code == 2
    assert "xyzzy" not in outcome.err


def test_usual_commands_load_nothing_that_they_do_not_use(app: Project) -> None:
    """No database, no codec, nothing that explains failures; each would be felt before the first task begins."""
    unused = "sqlite3 msgspec tempfile treetask.store._store treetask.events treetask.report treetask.text._traceback"
    for words in (["--help"], ["app:good", "list"], ["app:good", "plan"], ["app:good", "--no-store"]):
        code = (
            "import sys; from treetask.cli import main; main(sys.argv[1:]); "
            f"print([name for name in {unused.split()} if name in sys.modules])"
        )
        root = str(Path(__file__).resolve().parents[2])
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=app.folder,
            env={**os.environ, "PYTHONPATH": root},
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=60,
        )
        assert done.stdout.splitlines()[-1] == "[]", words


def test_run_that_is_driven_by_somebody_else_is_refused(app: Project) -> None:
    """Naming the process; it is looked at as any other."""
    app.treetask("app:tree")
    with Store() as store, store.transaction() as connection:
        connection.execute("update runs set status = 'running'")

    for words in (["resume"], ["rerun", "--failed"], ["app:tree", "--from-failed"]):
        [message] = app.treetask(*words).refusal
        assert re.fullmatch(
            rf"treetask: run 1 is already driven by process {os.getpid()} on \S+ since .*; wait until it has ended, "
            "or end it there",
            message,
        )
    assert without_times(app.treetask("show").out)[0] == "run 1 of app:tree: running"
