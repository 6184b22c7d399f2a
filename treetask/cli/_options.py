"""The words of a command line, read and checked. Knows no files and no trees."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from treetask.cli._problem import CommandProblem, closest, suggestion
from treetask.model import OnFailure

DISPLAYS: Final = ("auto", "live", "plain", "quiet")
FORMATS: Final = ("tree", "mermaid", "dot", "json")
COMMANDS: Final = ("run", "list", "plan")

#: Options of a run that `list`, which shows what there is whatever is run, would ignore.
_OF_RUNS: Final = (
    "-j",
    "-k/--keep-going",
    "-x/--fail-fast",
    "--timeout",
    "--display",
    "-n/--dry-run",
    "--only",
    "--skip",
)

#: What the design has and this version has not: refused by name, so that nobody hunts for a typing error.
_LATER_OPTIONS: Final = frozenset(
    [
        *("--from-failed", "--color"),
        *("--events", "--report", "--store", "--no-store", "--backend"),
    ]
)
_LATER_COMMANDS: Final = frozenset(
    ["resume", "rerun", "runs", "show", "replay", "report", "prune"],
)
_LATER_DISPLAYS: Final = frozenset(["json"])
_EXPECTED: Final = f"; expected TARGET [{'|'.join(COMMANDS)}]"
#: A word that begins like an option and is a value.
_NUMBER: Final = re.compile(r"-\.?\d")
#: What `--set ` becomes for argparse.
_MARK: Final = "--set\0"
#: At the end of a parameter that another option follows, which argparse takes away: what comes next is no value of it.
_NO_VALUE: Final = "\0"
_HELP: Final = "'treetask --help' shows how it is used"

# Help is read on terminals of 80 columns.
_DESCRIPTION: Final = """\
  run    run a pipeline, which is also what happens without a command: the
         tree of its tasks is shown on standard error while it runs, standard
         output has what the tasks print
  list   show what there is in it, with the ids of tasks and their tags
  plan   show what would run, and what waits for what; nothing runs

TARGET is module:attribute or path/file.py:attribute. The attribute is a
Registry, a group or a task (dotted: app:tree.crawl), a TaskTree, a
TreeBuilder, or a function without arguments that returns one of these.
Without a TARGET it is 'target' in [tool.treetask] of the nearest
pyproject.toml."""

_EPILOG: Final = """\
SEL is checks/lint (a task, with all below it), checks/*, **/fetch[*], tag:net,
+publish (with what it needs) or crawl+ (with what needs it). What holds a
selected task runs as well; what is spawned and not selected is skipped.

Ctrl-C cancels the run and lets its tasks clean up; a second one hurries them,
a third leaves at once.

exit codes: 0 all well, 1 a task failed, 2 wrong usage or a pipeline that
cannot run, 5 nothing selected, 124 the run's timeout; 129, 130 and 143 after
SIGHUP, SIGINT (Ctrl-C) and SIGTERM"""


class Param(NamedTuple):
    """A parameter of the pipeline, or what else is no option."""

    name: str
    #: Its value; None for a flag.
    text: str | None
    #: As it was written, for messages.
    option: str
    #: Whether the value is a word of its own, which may have been meant otherwise.
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What a command asks for. None leaves the decision to the pipeline."""

    target: str | None = None
    max_concurrency: int | None = None
    on_failure: OnFailure | None = None
    timeout: float | None = None
    display: str = "auto"
    command: str = "run"
    #: Selectors.
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    #: How a plan is shown.
    format: str = "tree"
    shows_version: bool = False
    #: In the order in which they were given.
    params: tuple[Param, ...] = ()
    #: The whole help text, where it was asked for.
    help: str | None = None


def parse_options(arguments: Sequence[str]) -> Options:
    """Return what the words ask for. Raises `CommandProblem` for the first that is wrong."""
    parser = _parser()
    # Words and unknown options come back together, in their order: argparse alone would take a command between two
    # options for an option's value, and would not say which option was meant.
    known, rest = parser.parse_known_args(_marked(arguments))
    words, params = _told_apart(rest)
    if known.keep_going and known.fail_fast:
        raise CommandProblem("-k/--keep-going and -x/--fail-fast contradict each other; give one of them")
    policy = OnFailure.CONTINUE if known.keep_going else OnFailure.CANCEL if known.fail_fast else None
    # Help and version answer whatever else is in the line.
    target, command = (None, "run") if known.help or known.version else _target(words)
    if command == "list":
        given = (
            *(known.jobs, known.keep_going, known.fail_fast, known.timeout, known.display, known.dry_run),
            *(known.only, known.skip),
        )
        for option, value in zip(_OF_RUNS, given, strict=True):
            if value is not None and value is not False:
                raise CommandProblem(f"'list' shows all there is and runs nothing; leave out {option}")
    elif known.dry_run:
        command = "plan"
    if known.format is not None and command != "plan":
        raise CommandProblem(f"--format says how a plan is shown; '{command}' has none")
    return Options(
        target=target,
        max_concurrency=known.jobs,
        on_failure=policy,
        timeout=known.timeout,
        display=known.display or "auto",
        command=command,
        only=tuple(known.only or ()),
        skip=tuple(known.skip or ()),
        format=known.format or "tree",
        shows_version=known.version,
        params=tuple(params),
        help=parser.format_help() if known.help else None,
    )


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong as a `CommandProblem`, instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise CommandProblem(f"{message.removeprefix('argument ')}; {_HELP}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="treetask",
        usage="treetask TARGET [run|list|plan] [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    option = parser.add_argument
    option("--only", metavar="SEL", action="append", help="run what SEL selects; may be repeated")
    option("--skip", metavar="SEL", action="append", help="leave out what SEL selects; may be repeated")
    option("-j", dest="jobs", metavar="N", type=_at_least_one, help="run at most N bodies at once")
    option("-k", "--keep-going", action="store_true", help="after a failure, run all that does not depend on it")
    option("-x", "--fail-fast", action="store_true", help="after a failure, cancel what runs; start nothing new")
    option("--timeout", metavar="SECONDS", type=_seconds, help="give the whole run at most so long")
    option("--display", metavar="MODE", type=_display, help=f"{', '.join(DISPLAYS)} (default: auto)")
    option("-n", "--dry-run", action="store_true", help="show the plan instead of running it")
    option("--format", metavar="FORMAT", type=_format, help=f"of a plan: {', '.join(FORMATS)} (default: tree)")
    parameter = "give a parameter of the pipeline; so does --NAME VALUE, unless an option has that name"
    option("--set", metavar="NAME=VALUE", action="append", help=parameter)
    option("--version", action="store_true", help="show the version and leave")
    option("-h", "--help", action="store_true", help="show this and leave")
    return parser


def _target(words: list[str]) -> tuple[str | None, str]:
    """Return the target among the words that are no options, and the command, which may follow it or stand alone."""
    if words and words[0] in _LATER_COMMANDS:
        raise CommandProblem(f"'{words[0]}' is not available in this version")
    target = None if not words or words[0] in COMMANDS else words.pop(0)
    for place, word in enumerate(words):
        if word in _LATER_COMMANDS:
            raise CommandProblem(f"'{word}' is not available in this version; the commands are {', '.join(COMMANDS)}")
        if place or word not in COMMANDS:
            hint = suggestion(word, COMMANDS) if not place else ""
            raise CommandProblem(f"unexpected '{word}'{hint or _EXPECTED}; {_HELP}")
    return target, words[0] if words else "run"


def option_names() -> list[str]:
    """Return all options that have a long name, for whoever finds out that a parameter is none."""
    return [name for action in _parser()._actions for name in action.option_strings if name.startswith("--")]


def _marked(arguments: Sequence[str]) -> list[str]:
    """Return the words with each `--set NAME=VALUE` in one that argparse does not know, and so leaves in its place.

    A parameter that an option follows is marked as one without a value.
    """
    words: list[str] = []
    known = option_names()
    waiting = list(arguments)[::-1]
    while waiting:
        word = waiting.pop()
        if word == "--":
            return [*words, word, *waiting[::-1]]
        if word == "--set" and not waiting:
            raise CommandProblem(f"--set: expected NAME=VALUE; {_HELP}")
        if word == "--set":
            words.append(_MARK + waiting.pop())
        elif word.startswith("--set="):
            words.append(_MARK + word.removeprefix("--set="))
        else:
            is_bare = word.startswith("--") and "=" not in word and word not in known
            words.append(word + _NO_VALUE if is_bare and waiting and not _is_value(waiting[-1]) else word)
    return words


def _is_value(word: str) -> bool:
    return not word.startswith("-") or _NUMBER.match(word) is not None


def _told_apart(rest: list[str]) -> tuple[list[str], list[Param]]:
    """Tell the words from what may be parameters of the pipeline: `--env=prod`, `--env prod`, or a flag."""
    words: list[str] = []
    params: list[Param] = []
    waiting = rest[::-1]
    while waiting:
        marked = waiting.pop()
        word = marked.removesuffix(_NO_VALUE)
        name, is_whole, value = word.partition("=")
        if word == "--":
            return [*words, *waiting[::-1]], params
        if word == "-" or not word.startswith("-"):
            words.append(word)
        elif word.startswith(_MARK):
            params.append(_setting(word.removeprefix(_MARK)))
        elif name in _LATER_OPTIONS:
            raise CommandProblem(f"{name} is not available in this version; a parameter of that name needs --set")
        elif not name.startswith("--"):
            raise CommandProblem(f"unknown option '{name}'; {_HELP}")
        else:
            text: str | None = value if is_whole else None
            is_apart = not is_whole and word == marked and bool(waiting) and _is_value(waiting[-1])
            if is_apart:
                text = waiting.pop()
            # `--max-pages` is `max_pages`.
            params.append(Param(name.removeprefix("--").replace("-", "_"), text, name, is_apart))
    return words, params


def _setting(text: str) -> Param:
    name, is_whole, value = text.partition("=")
    if not is_whole or not name.isidentifier():
        raise CommandProblem(f"--set: expected NAME=VALUE, found '{text}'")
    return Param(name, value, f"--set {name}")


def _at_least_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found '{text}'")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, found '{text}'")
    return seconds


def _display(text: str) -> str:
    return _one_of("display", text, DISPLAYS, _LATER_DISPLAYS)


def _format(text: str) -> str:
    return _one_of("format", text, FORMATS)


def _one_of(what: str, text: str, known: Sequence[str], later: Container[str] = ()) -> str:
    if text in later:
        raise argparse.ArgumentTypeError(f"'{text}' is not available in this version; there are {', '.join(known)}")
    if text not in known:
        close = closest(text, known)
        hint = f"did you mean '{close}'?" if close else f"expected one of {', '.join(known)}"
        raise argparse.ArgumentTypeError(f"there is no {what} '{text}'; {hint}")
    return text
