"""`--color`: where the option and the environment put colours, and that standard output never gets any."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Project
from treetask.text import without_colours

APP = """
from treetask import Registry

tree = Registry("nightly")

@tree.task
async def fetch() -> None:
    print("fetched")
    raise ValueError("503")
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A pipeline that fails."""
    project.write("app.py", APP)
    return project


@pytest.mark.parametrize(
    ("option", "forced", "coloured"),
    [([], "", False), ([], "1", True), (["--color=always"], "", True), (["--color=never"], "1", False)],
)
def test_option_wins_over_the_environment(
    app: Project,
    monkeypatch: pytest.MonkeyPatch,
    option: list[str],
    forced: str,
    *,
    coloured: bool,
) -> None:
    """Lines, summary and messages have colours together or not at all; they say the same."""
    monkeypatch.setenv("FORCE_COLOR", forced)
    outcome = app.treetask("app:tree", *option)

    said = outcome.err if coloured else without_colours(outcome.err)
    assert outcome.err == said
    assert ("\n\x1b[31m  ValueError: 503\x1b[0m\n" in said, "\x1b[1magain:\x1b[0m tree" in said) == (coloured, coloured)
    assert "  ValueError: 503\n  │ fetched\nagain: treetask rerun --failed 1\n" in without_colours(said)
    assert outcome.out == "fetched\n"


def test_problem_has_the_colours_that_were_asked_for(app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is refused obeys as well; one whose words are wrong goes by the environment."""
    assert app.treetask("nowhere:tree", "--color", "always").err.startswith(
        "\x1b[1mtreetask:\x1b[0m there is no module 'nowhere'"
    )
    assert app.treetask("nowhere:tree").err.startswith("treetask: there is no module 'nowhere'")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert app.treetask("--color", "red").err.startswith("\x1b[1mtreetask:\x1b[0m --color: there is no color 'red'")
