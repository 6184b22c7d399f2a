"""The words of a command: what each option does, and what is said of those that are wrong."""

from __future__ import annotations

import platform

import pytest

from tests.cli.conftest import Project
from treetask.cli._options import Options, parse_options
from treetask.model import OnFailure

HELP = "'treetask --help' shows how it is used"


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], Options()),
        (["run"], Options()),
        (["app:tree"], Options(target="app:tree")),
        (["app:tree", "run"], Options(target="app:tree")),
        (
            ["-k", "app:tree", "-j", "4", "run"],
            Options(target="app:tree", max_concurrency=4, on_failure=OnFailure.CONTINUE),
        ),
        (["app:tree", "-xj4"], Options(target="app:tree", max_concurrency=4, on_failure=OnFailure.CANCEL)),
        (["--timeout=1.5", "app:tree", "--display", "plain"], Options(target="app:tree", timeout=1.5, display="plain")),
        (["app:tree", "--timeout", "0"], Options(target="app:tree", timeout=0)),
        (["list"], Options(command="list")),
        (
            ["--only", "+publish", "app:tree", "--only=tag:net", "--skip", "**/a,b[*]"],
            Options(target="app:tree", only=("+publish", "tag:net"), skip=("**/a,b[*]",)),
        ),
        (["app:tree", "plan"], Options(target="app:tree", command="plan")),
        (["app:tree", "-nj4"], Options(target="app:tree", command="plan", max_concurrency=4)),
        (
            ["--format", "dot", "--dry-run", "app:tree", "run"],
            Options(target="app:tree", command="plan", format="dot"),
        ),
    ],
)
def test_words_are_read_in_any_order(words: list[str], options: Options) -> None:
    """Options may stand before, between and after the target and its command."""
    assert parse_options(words) == options


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-j", "0"], f"-j: expected a whole number from 1, found '0'; {HELP}"),
        (["-j", "four"], f"-j: expected a whole number from 1, found 'four'; {HELP}"),
        (["-j"], f"-j: expected one argument; {HELP}"),
        (["--timeout", "5m"], f"--timeout: expected a number of seconds, found '5m'; {HELP}"),
        (["--timeout", "inf"], f"--timeout: expected a number of seconds, found 'inf'; {HELP}"),
        (["--display", "plan"], f"--display: there is no display 'plan'; did you mean 'plain'?; {HELP}"),
        (
            ["--display", "window"],
            f"--display: there is no display 'window'; expected one of auto, live, plain, quiet; {HELP}",
        ),
        (
            ["--display", "json"],
            f"--display: 'json' is not available in this version; there are auto, live, plain, quiet; {HELP}",
        ),
        (["-k", "-x"], "-k/--keep-going and -x/--fail-fast contradict each other; give one of them"),
        (["--dipslay", "plain"], f"unknown option '--dipslay' (did you mean --display?); {HELP}"),
        (["--set", "pages"], "--set: expected NAME=VALUE, found 'pages'"),
        (["--set", "a b=3"], "--set: expected NAME=VALUE, found 'a b=3'"),
        (["-q"], f"unknown option '-q'; {HELP}"),
        (["app:tree", "rnu"], f"unexpected 'rnu'; did you mean 'run'?; {HELP}"),
        (["app:tree", "run", "more"], f"unexpected 'more'; expected TARGET [run|list|plan]; {HELP}"),
        (["app:tree", "other:tree"], f"unexpected 'other:tree'; expected TARGET [run|list|plan]; {HELP}"),
        (["app:tree", "lsit"], f"unexpected 'lsit'; did you mean 'list'?; {HELP}"),
        (
            ["plan", "--format", "yaml"],
            f"--format: there is no format 'yaml'; expected one of tree, mermaid, dot, json; {HELP}",
        ),
        (["plan", "--format", "mermade"], f"--format: there is no format 'mermade'; did you mean 'mermaid'?; {HELP}"),
        (["app:tree", "--format", "dot"], "--format says how a plan is shown; 'run' has none"),
        (["list", "--format", "json"], "--format says how a plan is shown; 'list' has none"),
        (["list", "-j4"], "'list' shows all there is and runs nothing; leave out -j"),
        (["list", "-k"], "'list' shows all there is and runs nothing; leave out -k/--keep-going"),
        (["list", "--only", "x"], "'list' shows all there is and runs nothing; leave out --only"),
        (["list", "--skip=x"], "'list' shows all there is and runs nothing; leave out --skip"),
        (["list", "-n"], "'list' shows all there is and runs nothing; leave out -n/--dry-run"),
    ],
)
def test_wrong_words_are_told(project: Project, words: list[str], message: str) -> None:
    """Each mistake has its sentence, and the exit code of misuse."""
    assert project.treetask(*words).refusal == [f"treetask: {message}"]


@pytest.mark.parametrize(
    "option",
    [
        *("--from-failed", "--color"),
        *("--events", "--report", "--store", "--no-store", "--backend"),
    ],
)
def test_option_of_a_later_version_is_refused_by_name(project: Project, option: str) -> None:
    """Never accepted and ignored."""
    message = f"treetask: {option} is not available in this version; a parameter of that name needs --set"

    assert project.treetask("app:tree", option, "value").refusal == [message]
    assert project.treetask("app:tree", f"{option}=value").refusal == [message]


@pytest.mark.parametrize("command", ["resume", "rerun", "runs", "show", "replay", "report", "prune"])
def test_command_of_a_later_version_is_refused_by_name(project: Project, command: str) -> None:
    """Alone, and after a target."""
    message = f"treetask: '{command}' is not available in this version"

    assert project.treetask(command).refusal == [message]
    assert project.treetask("app:tree", command).refusal == [f"{message}; the commands are run, list, plan"]


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["app:tree", "-h"]])
def test_help_goes_to_standard_output(project: Project, words: list[str]) -> None:
    """Asked for, it is a result: every option, every exit code."""
    outcome = project.treetask(*words)

    assert (outcome.code, outcome.err) == (0, "")
    for word in (
        "TARGET [run|list|plan]",
        "-j N",
        "--keep-going",
        "--fail-fast",
        "--timeout SECONDS",
        "--display MODE",
        "124",
    ):
        assert word in outcome.out


def test_version_names_python_as_well(project: Project) -> None:
    """What a bug report needs."""
    outcome = project.treetask("--version")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("treetask ")
    assert outcome.out.endswith(f", Python {platform.python_version()}\n")
