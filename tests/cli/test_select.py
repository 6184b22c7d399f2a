"""`--only` and `--skip`: what runs, what is told, and the exit codes."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Project

APP = """
from treetask import Registry

tree = Registry("nightly")

@tree.task(tags=["net"])
async def fetch(page: str):
    print("fetched", page)

@tree.group
async def crawl():
    yield [fetch.child(page) for page in ("index", "http://a/b")]

with tree.group("checks") as checks:
    @checks.task
    async def lint():
        print("linted")

@tree.task
async def load() -> int:
    print("loaded")
    return 3

@tree.task(depends_on=[crawl, checks.optional])
async def publish(count: int = load.output):
    print("published", count)
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A folder with a pipeline to select from."""
    project.write("app.py", APP)
    return project


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["--only", "lint", "--only", "load"], None),
        (["--only", "checks/*", "--only", "load"], ["linted", "loaded"]),
        (["--only", "+publish", "--skip", "crawl"], ["linted", "loaded", "published 3"]),
        (["--only", "**/fetch[http://a/b]"], ["fetched http://a/b"]),
        (["--only", "nightly/crawl/fetch[in*]", "--only", "load"], ["fetched index", "loaded"]),
        (["--skip", "load+", "--skip", "crawl"], ["linted"]),
        (["--only", "tag:net", "--skip", "**/*index*"], ["fetched http://a/b"]),
    ],
)
def test_what_is_selected_runs(app: Project, words: list[str], printed: list[str] | None) -> None:
    """And nothing else; a name is one from the root."""
    outcome = app.treetask("app:tree", "--display", "quiet", *words)

    if printed is None:
        close = "(did you mean 'checks/lint'?); what is spawned is '**/lint[*]'"
        assert outcome.refusal == [f"treetask: there is no task 'lint' to select {close}"]
    else:
        assert (outcome.code, outcome.err) == (0, "")
        assert sorted(outcome.out.splitlines()) == printed


def test_plan_shows_what_is_left(app: Project) -> None:
    """Nobody waits for what is not there; a spawner that is kept shows what it may spawn."""
    outcome = app.treetask("app:tree", "plan", "--only", "publish", "--only", "load", "--only", "crawl/fetch[a]")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "nightly",
        "├── crawl     spawns",
        "├── load",
        "├── publish   needs load, crawl",
        "└── fetch[…]  spawned",
        "3 tasks would run, and what they spawn",
    ]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_selection_that_cannot_run_is_refused(app: Project, command: str) -> None:
    """By name, with the fix."""
    why = (
        "takes 'count' from 'nightly/load', which is not selected; select '+publish', with what it needs, or 'load' too"
    )
    assert app.treetask("app:tree", command, "--only", "publish").refusal == [f"treetask: task 'nightly/publish' {why}"]
    assert app.treetask("app:tree", command, "--only", "").refusal == [
        "treetask: the selector '' names nothing; expected an id, a pattern, or tag:NAME"
    ]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_nothing_selected_has_an_exit_code_of_its_own(app: Project, command: str) -> None:
    """With what is close."""
    outcome = app.treetask("app:tree", command, "--only", "che?s")

    assert (outcome.code, outcome.out) == (5, "")
    assert outcome.err == "treetask: nothing is selected by 'che?s' (did you mean 'checks'?)\n"


def test_what_nothing_was_spawned_for_is_told(app: Project) -> None:
    """If nothing else was selected either, by the exit code."""
    told = "treetask: nothing that was spawned is selected by 'crawl/fecth[index]'\n"

    outcome = app.treetask("app:tree", "--display", "quiet", "--only", "crawl/fecth[index]")
    assert (outcome.code, outcome.out, outcome.err) == (5, "", told)
    outcome = app.treetask("app:tree", "--display", "quiet", "--only", "crawl/fecth[index]", "--only", "load")
    assert (outcome.code, outcome.out, outcome.err) == (0, "loaded\n", told)
