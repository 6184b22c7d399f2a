"""The words of a command: what each option does, and what is said of those that are wrong."""

from __future__ import annotations

import platform

import pytest

from tests.cli.conftest import Project
from treetask.cli._options import Options, parse_options
from treetask.cli._words import Param
from treetask.model import OnFailure

HELP = "'treetask --help' shows how it is used"


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["resume"], Options(command="resume")),
        (
            ["resume", "12", "-j4", "-k"],
            Options(command="resume", run=12, max_concurrency=4, on_failure=OnFailure.CONTINUE),
        ),
        (["--failed", "rerun", "12"], Options(command="rerun", run=12, failed=True)),
        (["rerun", "--failed", "12", "--store=x.db"], Options(command="rerun", run=12, failed=True, store="x.db")),
        (["runs"], Options(command="runs", format="table")),
        (["runs", "--limit", "5", "--format", "json"], Options(command="runs", limit=5, format="json")),
        (["show", "7", "--format=json"], Options(command="show", run=7, format="json")),
        (["replay", "--speed", "10", "7"], Options(command="replay", run=7, speed=10)),
        (["replay", "run.jsonl", "--speed=max"], Options(command="replay", source="run.jsonl", speed=0)),
        (["prune", "--keep", "0"], Options(command="prune", keep=0)),
        (["app:tree", "--from-failed"], Options(target="app:tree", from_failed=True)),
        (["--no-store", "app:tree"], Options(target="app:tree", no_store=True)),
        (["--", "app:tree", "list"], Options(target="app:tree", command="list")),
        (
            ["resume", "12", "--token", "x"],
            Options(command="resume", run=12, params=(Param("token", "x", "--token", is_apart=True),)),
        ),
        ([], Options()),
        (["run"], Options()),
        (["app:tree"], Options(target="app:tree")),
        (["app:tree", "run"], Options(target="app:tree")),
        (["app:tree", "--color", "never"], Options(target="app:tree", color="never")),
        (["resume", "--color=always"], Options(command="resume", color="always")),
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
        (["-j"], f"-j: expected N after it; {HELP}"),
        (["--store"], f"--store: expected URL after it; {HELP}"),
        (["--only", "-k"], f"--only: expected SEL after it; {HELP}"),
        (["--keep-going=yes"], f"--keep-going: takes no value, found 'yes'; {HELP}"),
        (["--timeout", "5m"], f"--timeout: expected a number of seconds, found '5m'; {HELP}"),
        (["--timeout", "inf"], f"--timeout: expected a number of seconds, found 'inf'; {HELP}"),
        (["--display", "plan"], f"--display: there is no display 'plan'; did you mean 'plain'?; {HELP}"),
        (
            ["--display", "window"],
            f"--display: there is no display 'window'; expected one of auto, live, plain, json, quiet; {HELP}",
        ),
        (
            ["--events", "-"],
            f"--events: '-' is no file; for events on standard error write --display json; {HELP}",
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
        (
            ["app:tree", "--format", "dot"],
            "--format says how 'plan', 'runs', 'show' or 'report' puts out what it shows; 'run' has none",
        ),
        (
            ["list", "--format", "json"],
            "--format says how 'plan', 'runs', 'show' or 'report' puts out what it shows; 'list' has none",
        ),
        (["list", "-j4"], "'list' shows all there is and runs nothing; leave out -j"),
        (["list", "-k"], "'list' shows all there is and runs nothing; leave out -k/--keep-going"),
        (["list", "--only", "x"], "'list' shows all there is and runs nothing; leave out --only"),
        (["list", "--skip=x"], "'list' shows all there is and runs nothing; leave out --skip"),
        (["list", "-n"], "'list' shows all there is and runs nothing; leave out -n/--dry-run"),
        (["list", "--store", "x"], "'list' shows all there is and runs nothing; leave out --store"),
        (["--store", "x", "--no-store"], "--store and --no-store contradict each other; give one of them"),
        (["--from-failed", "--no-store"], "--from-failed and --no-store contradict each other; give one of them"),
        (
            ["--only", "+state:failed", "--no-store"],
            "'+state:failed' asks for an earlier run, which only a store has; leave out --no-store",
        ),
        (["-n", "--from-failed"], "'plan' cannot tell what would come back of an earlier run; leave out --from-failed"),
        (
            ["app:tree", "--failed"],
            "--failed belongs to 'rerun', and with a TARGET it is --from-failed; 'run' has none",
        ),
        (["app:tree", "--limit", "3"], "--limit belongs to 'runs'; 'run' has none"),
        (["runs", "--keep", "3"], "--keep belongs to 'prune'; 'runs' has none"),
        (["resume", "--only", "x"], "'resume' takes what to run from the journal; leave out --only"),
        (["rerun", "--skip", "x"], "'rerun' takes what to run from the journal; leave out --skip"),
        (
            ["resume", "--failed"],
            "--failed belongs to 'rerun', and with a TARGET it is --from-failed; 'resume' has none",
        ),
        (["runs", "--timeout", "3"], "'runs' shows what is on record and runs nothing; leave out --timeout"),
        (["show", "--no-store"], "'show' is about runs on record; leave out --no-store"),
        (["prune", "-k"], "'prune' deletes old runs and runs nothing; leave out -k/--keep-going"),
        (["runs", "--limti", "3"], f"unknown option '--limti' (did you mean --limit?); {HELP}"),
        (["show", "--pages", "3"], f"unknown option '--pages'; {HELP}"),
        (["runs", "--limit", "0"], f"--limit: expected a whole number from 1, found '0'; {HELP}"),
        (["prune", "--keep", "few"], f"--keep: expected a whole number from 0, found 'few'; {HELP}"),
        (["runs", "--format", "tree"], f"--format: there is no format 'tree'; expected one of table, json; {HELP}"),
        (["show", "--format", "jsno"], f"--format: there is no format 'jsno'; did you mean 'json'?; {HELP}"),
        (
            ["replay", "--speed", "-1"],
            f"--speed: expected a number, 1 being as fast as it was, or 'max', found '-1'; {HELP}",
        ),
        (["replay", "--pages", "3"], f"unknown option '--pages'; {HELP}"),
        (["replay", "1", "2"], f"unexpected '2'; 'replay' takes one run; {HELP}"),
        (["app:tree", "--speed", "2"], "--speed belongs to 'replay'; 'run' has none"),
        (["show", "last"], "'last' is no number of a run; 'treetask runs' shows those that there are"),
        (["show", "0"], "'0' is no number of a run; 'treetask runs' shows those that there are"),
        (["show", "1", "2"], f"unexpected '2'; 'show' takes one run; {HELP}"),
        (["runs", "1"], f"unexpected '1'; 'runs' takes no run; {HELP}"),
        (["resume", "app:tree"], "'resume' takes no TARGET, which it finds in the store; found 'app:tree'"),
        (["app:tree", "resume"], "'resume' takes no TARGET, which it finds in the store: treetask resume"),
        (["resum"], "'resum' names no attribute; did you mean 'treetask resume'?"),
    ],
)
def test_wrong_words_are_told(project: Project, words: list[str], message: str) -> None:
    """Each mistake has its sentence, and the exit code of misuse."""
    assert project.treetask(*words).refusal == [f"treetask: {message}"]


@pytest.mark.parametrize(
    "option",
    ["--backend"],
)
def test_option_of_a_later_version_is_refused_by_name(project: Project, option: str) -> None:
    """Never accepted and ignored."""
    message = f"treetask: {option} is not available in this version; a parameter of that name needs --set"

    assert project.treetask("app:tree", option, "value").refusal == [message]
    assert project.treetask("app:tree", f"{option}=value").refusal == [message]


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["app:tree", "-h"]])
def test_help_goes_to_standard_output(project: Project, words: list[str]) -> None:
    """Asked for, it is a result: every option, every exit code."""
    outcome = project.treetask(*words)

    assert (outcome.code, outcome.err) == (0, "")
    assert max(map(len, outcome.out.splitlines())) <= 79
    for word in (
        "TARGET [run|list|plan]",
        "resume|rerun|show [RUN]",
        "replay [RUN|FILE]",
        "report [RUN|FILE]",
        "--speed N",
        "--report FILE",
        "--store URL",
        "--no-store",
        "--from-failed",
        "TREETASK_STORE",
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
