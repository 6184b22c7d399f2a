"""The module or file of a target: what is wrong with it, what was meant, and where in the user's own code."""

from __future__ import annotations

import os
import sys

import pytest

from tests.cli.conftest import APP, Project


def test_unknown_module_is_told_with_the_closest(project: Project) -> None:
    """A typing error in the module's name."""
    project.write("app.py", APP)

    assert project.treetask("apq:nightly").refusal == [
        "treetask: there is no module 'apq'; did you mean 'app:nightly'?"
    ]


def test_unknown_module_is_told_with_those_there_are(project: Project) -> None:
    """Nothing is close: what can be imported from here is listed."""
    project.write("app.py", APP)
    project.write("package/__init__.py", "")

    assert project.treetask("something_else:nightly").refusal == [
        "treetask: there is no module 'something_else'; the modules here: app, package"
    ]


def test_unknown_module_in_an_empty_folder(project: Project) -> None:
    """The folder is the wrong one, most likely."""
    assert project.treetask("app:nightly").refusal == [
        f"treetask: there is no module 'app'; there is no Python file in .{os.sep}"
    ]


def test_module_in_a_folder_below_is_offered(project: Project) -> None:
    """Whoever forgets the folder is told which it was."""
    project.write("jobs/app.py", APP)

    assert project.treetask("app:nightly").refusal == [
        "treetask: there is no module 'app'; did you mean 'jobs/app.py:nightly'?"
    ]


def test_unknown_module_in_a_package(project: Project) -> None:
    """The package is right, the module in it is not."""
    project.write("jobs/__init__.py", "")
    project.write("jobs/app.py", APP)

    assert project.treetask("jobs.apq:nightly").refusal == [
        "treetask: there is no module 'jobs.apq'; did you mean 'jobs.app:nightly'?"
    ]
    assert project.treetask("jbos.app:nightly").refusal == [
        "treetask: there is no module 'jbos.app'; did you mean 'jobs/app.py:nightly'?"
    ]


def test_module_below_what_is_no_package(project: Project) -> None:
    """A dot where the colon belongs."""
    project.write("app.py", APP)

    assert project.treetask("app.nightly:crawl").refusal == [
        "treetask: module 'app' is no package, so there is no module 'app.nightly'; did you mean 'app:nightly.crawl'?"
    ]


def test_name_that_no_module_can_have(project: Project) -> None:
    """A file's name with a hyphen is no module, but a file."""
    project.write("my-app.py", APP)

    assert project.treetask("my-app:nightly").refusal == [
        "treetask: 'my-app' is no name of a module; did you mean 'my-app.py:nightly'?"
    ]
    assert project.treetask("my-app.py:nightly", "--display", "quiet").code == 0


def test_file_with_the_name_of_a_loaded_module(project: Project) -> None:
    """Python has its own `queue` already; the user's is reached as a file, and Python's stays what it is."""
    import queue

    project.write("queue.py", APP)

    assert project.treetask("queue:nightly").refusal == [
        f"treetask: module 'queue' was imported before, from {queue.__file__}; did you mean './queue.py:nightly'?"
    ]
    assert project.treetask("./queue.py:nightly", "--display", "quiet").code == 0
    assert sys.modules["queue"] is queue


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("apq.py:nightly", "there is no file 'apq.py'; did you mean 'app.py:nightly'?"),
        ("jobs/apq.py:nightly", "there is no file 'jobs/apq.py'; did you mean 'jobs/app.py:nightly'?"),
        ("jobs/app:nightly", "there is no file 'jobs/app'; did you mean 'jobs/app.py:nightly'?"),
        ("jobs/something.py:nightly", "there is no file 'jobs/something.py'; in jobs are app.py"),
        ("empty/app.py:nightly", "there is no file 'empty/app.py'; there is no Python file in empty"),
        ("jbos/app.py:nightly", "there is no file 'jbos/app.py'; there is no folder 'jbos'"),
        ("./jobs:nightly", "'./jobs' is a folder; expected a Python file; in it are app.py"),
        ("./notes.txt:nightly", "'./notes.txt' is no Python file; expected a name that ends in .py"),
    ],
)
def test_wrong_file_is_told(project: Project, target: str, message: str) -> None:
    """What there is instead, where something is."""
    for name in ("app.py", "jobs/app.py", "empty/notes.txt", "notes.txt"):
        project.write(name, APP)

    assert project.treetask(target).refusal == [f"treetask: {message}"]


def test_package_and_file_of_one_name(project: Project) -> None:
    """Python prefers the package, and so does a target."""
    project.write("app/__init__.py", APP)
    project.write("app.py", "raise SystemExit('the file')")

    assert project.treetask("app:nightly", "--display", "quiet").out == "fetched\n"


def test_name_with_braces(project: Project) -> None:
    """A name is never taken for a template."""
    project.write("{0}.py", "1 / 0")

    assert project.treetask("{0}.py:tree").refusal[0] == (
        "treetask: '{0}.py' raised ZeroDivisionError while it was imported"
    )


def test_file_of_a_package_can_import_from_it(project: Project) -> None:
    """A file inside a package is imported as part of it, so that `from . import` works."""
    project.write("src/jobs/__init__.py", "")
    project.write("src/jobs/names.py", "NAME = 'nightly'")
    project.write("src/jobs/app.py", "from treetask import Registry\nfrom .names import NAME\ntree = Registry(NAME)")

    assert project.treetask("src/jobs/app.py:tree", "--display", "quiet").code == 0


def test_file_can_import_its_neighbours_and_those_of_the_current_folder(project: Project) -> None:
    """R: both folders are on `sys.path`, the file's own first."""
    project.write("helpers.py", "raise ImportError('the wrong one')")
    project.write("here.py", "")
    project.write("jobs/helpers.py", "")
    project.write("jobs/app.py", "import here\nimport helpers\n" + APP)

    assert project.treetask("jobs/app.py:nightly", "--display", "quiet").err == ""


def test_missing_import_inside_is_told_apart_from_a_missing_module(project: Project) -> None:
    """The module is there; what it imports is not."""
    project.write("app.py", "import os\nimport reqests\n")

    assert project.treetask("app:nightly").refusal == [
        "treetask: module 'app' needs the module 'reqests', which is not installed",
        "  app.py:2",
        "    import reqests",
    ]


def test_missing_import_deeper_down_shows_the_way_there(project: Project) -> None:
    """The import that failed may be in another file of the user's."""
    project.write("app.py", "import helpers\n")
    project.write("helpers.py", "import reqests\n")

    assert project.treetask("app.py:nightly").refusal == [
        "treetask: 'app.py' needs the module 'reqests', which is not installed",
        "  app.py:1",
        "    import helpers",
        "  helpers.py:1",
        "    import reqests",
    ]


def test_exception_at_import_is_told_with_the_users_own_frames(project: Project) -> None:
    """No frame of ours, none of Python's import."""
    project.write("app.py", "def half(n):\n    return n / 0\n\nhalf(3)\n")

    assert project.treetask("app:nightly").refusal == [
        "treetask: module 'app' raised ZeroDivisionError while it was imported",
        "  app.py:4",
        "    half(3)",
        "  app.py:2 in half",
        "    return n / 0",
        "  ZeroDivisionError: division by zero",
    ]


def test_syntax_error_is_told_with_line_and_place(project: Project) -> None:
    """As Python shows it, without the traceback."""
    project.write("app.py", "x = 1\nif x\n    pass\n")

    assert project.treetask("app.py:nightly").refusal == [
        "treetask: 'app.py' cannot be read: SyntaxError: expected ':'",
        "  app.py:2",
        "    if x",
        "        ^",
    ]


def test_exit_at_import_is_told_with_the_fix(project: Project) -> None:
    """A script that ends itself is no pipeline yet."""
    project.write("app.py", "import sys\nsys.exit(0)\n")

    assert project.treetask("app:nightly").refusal == [
        (
            "treetask: module 'app' called sys.exit(0) while it was imported; "
            'put what should not run here under: if __name__ == "__main__":'
        ),
        "  app.py:2",
        "    sys.exit(0)",
    ]


def test_interrupt_at_import_has_the_exit_code_of_ctrl_c(project: Project) -> None:
    """130, whenever it comes."""
    project.write("app.py", "raise KeyboardInterrupt\n")

    outcome = project.treetask("app:nightly")

    assert outcome.code == 130
    assert outcome.err.splitlines() == [
        "treetask: module 'app' was interrupted while it was imported",
        "  app.py:1",
        "    raise KeyboardInterrupt",
    ]


def test_wrong_declaration_is_told_in_its_own_words(project: Project) -> None:
    """What a decorator refuses names the thing and the fix; the frame says where."""
    project.write("app.py", APP + "\n@crawl.task(id='fetch')\nasync def again() -> None: ...\n")

    lines = project.treetask("app:nightly").refusal

    assert lines[0].startswith("treetask: duplicate id ")
    # Python 3.10 takes the line of the function for that of its decorator.
    assert lines[-2:] in (
        ["  app.py:14", "    @crawl.task(id='fetch')"],
        ["  app.py:15", "    async def again() -> None: ..."],
    )
