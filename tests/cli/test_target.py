"""What a target means, where it comes from, and what is said of one that is mistyped."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest

from tests.cli.conftest import APP, Project
from treetask.cli._target import FIRST_PIPELINE, parse_target

FORMS = "module:attribute or path/file.py:attribute"


@pytest.mark.parametrize(
    "target", ["app:nightly", "app.py:nightly", "./app.py:nightly", "app:crawl", "app:nightly.crawl"]
)
def test_target_is_run(project: Project, target: str) -> None:
    """A module or a file, and an attribute in it, dotted or not."""
    project.write("app.py", APP)

    outcome = project.treetask(target, "--display", "quiet")

    assert (outcome.code, outcome.out, outcome.err) == (0, "fetched\n", "")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("app", "'app' names no attribute; did you mean 'app:nightly'?"),
        ("app.py", "'app.py' names no attribute; did you mean 'app.py:nightly'?"),
        ("app:", "'app:' names no attribute; did you mean 'app:nightly'?"),
        ("ap.py", "'ap.py' names no attribute; did you mean 'app.py:nightly'?"),
        ("crawler", f"'crawler' names no attribute; expected {FORMS}"),
        (":nightly", f"':nightly' names no module; expected {FORMS}"),
        (":", f"':' names no module; expected {FORMS}"),
        ("", f"'' names no attribute; expected {FORMS}"),
        ("app.py::nightly", "'app.py::nightly' has two colons; did you mean 'app.py:nightly'?"),
        ("app:nightly..crawl", f"'app:nightly..crawl' has an empty name between dots; expected {FORMS}"),
    ],
)
def test_wrong_form_is_told(project: Project, target: str, message: str) -> None:
    """Nothing is imported to say so."""
    project.write("app.py", APP + "raise SystemExit('imported')")

    assert project.treetask(target).refusal == [f"treetask: {message}"]


def test_path_of_windows_has_a_colon_of_its_own() -> None:
    """The drive's colon is no border between file and attribute."""
    target = parse_target(r"C:\x\file.py:attr.more", Path())

    assert (target.place, target.attribute, target.is_file) == (r"C:\x\file.py", "attr.more", True)
    assert PureWindowsPath(target.place).drive == "C:"


def test_path_of_windows_without_attribute_is_told(project: Project) -> None:
    """Only a drive's colon is no colon."""
    message = rf"treetask: 'C:\x\file.py' names no attribute; expected {FORMS}"

    assert project.treetask(r"C:\x\file.py").refusal == [message]


def test_hostile_target_is_shown_visibly(project: Project) -> None:
    """What was typed or pasted cannot send the terminal a command."""
    (line,) = project.treetask("\x1b]0;gone\x07").refusal

    assert "\x1b" not in line
    assert "\x07" not in line


def test_default_target_comes_from_the_nearest_pyproject(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder below the project as well: the target is seen from the project's folder."""
    project.write("pyproject.toml", '[tool.treetask]\ntarget = "app:nightly"\n')
    project.write("app.py", APP)
    project.write("below/notes.txt", "")

    assert project.treetask("--display", "quiet").out == "fetched\n"
    monkeypatch.chdir(project.folder / "below")
    assert project.treetask("run", "--display", "quiet").out == "fetched\n"


def test_no_target_at_all_gets_a_pipeline_to_begin_with(project: Project) -> None:
    """Eight lines to paste, which run as they are shown."""
    project.write("pyproject.toml", "[project]\nname = 'x'\n")

    lines = project.treetask().refusal

    assert lines[:4] == [
        f"treetask: no TARGET, and no 'target' in [tool.treetask] of a pyproject.toml; expected {FORMS}",
        "",
        "  a pipeline to begin with, to be saved as app.py and run by 'python -m treetask app:tree':",
        "",
    ]
    pasted = "\n".join(line.removeprefix("    ") for line in lines[4:])
    assert pasted == FIRST_PIPELINE
    assert len(pasted.splitlines()) == 8
    project.write("app.py", pasted)
    assert project.treetask("app:tree", "--display", "quiet").out == "hello, tree\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[tool.treetask]\ntarget = "app:nightly"\njobs = 3\n',
            "pyproject.toml: [tool.treetask] has only 'target', 'params' and 'store' in this version; remove 'jobs'",
        ),
        ("[tool.treetask]\ntarget = 3\n", f"pyproject.toml: [tool.treetask] target is 3; expected a string, {FORMS}"),
        ("[tool]\ntreetask = 3\n", "pyproject.toml: 'treetask' in [tool] is 3; expected a table, [tool.treetask]"),
    ],
)
def test_wrong_table_is_told(project: Project, text: str, message: str) -> None:
    """A key that is accepted works; what does not work yet is refused."""
    project.write("pyproject.toml", text)

    assert project.treetask().refusal == [f"treetask: {message}"]


def test_broken_pyproject_is_told(project: Project) -> None:
    """Where in the file, in the words of the parser."""
    project.write("pyproject.toml", "[tool.treetask\n")

    (line,) = project.treetask().refusal

    assert line.startswith("treetask: pyproject.toml cannot be read: Expected ']'")
    assert "line 1" in line
