"""The words of a command line, checked: which command, which options it has, and what contradicts itself.

Knows no files, no trees and no stores.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from treetask.cli._problem import CommandProblem, closest, suggestion
from treetask.cli._words import USAGE_HINT, Option, Param, Reader, Words
from treetask.model import OnFailure

__all__ = ["COMMANDS", "OPTIONS", "RECORD_COMMANDS", "Options", "Param", "option_names", "parse_options"]

COLORS: Final = ("auto", "always", "never")
DISPLAYS: Final = ("auto", "live", "plain", "json", "quiet")
#: What is given a TARGET, or stands alone.
COMMANDS: Final = ("run", "list", "plan")
#: What is about runs on record.
RECORD_COMMANDS: Final = ("resume", "rerun", "runs", "show", "replay", "report", "prune")
#: Those of them that are about one run.
_OF_ONE_RUN: Final = frozenset({"resume", "rerun", "show", "replay", "report"})
#: And those that take a file of its events as well.
_OF_FILES: Final = frozenset({"replay", "report"})
#: The forms in which something is put out, the usual one first.
_FORMATS: Final[Mapping[str, Sequence[str]]] = {
    "plan": ("tree", "mermaid", "dot", "json"),
    "runs": ("table", "json"),
    "show": ("tree", "json"),
    "report": ("html", "mermaid", "dot", "chrome-trace", "json"),
}

#: What the design has and this version has not: refused by name, so that nobody hunts for a typing error.
_LATER_OPTIONS: Final = ("--backend",)

#: How a run is to go, and what it is.
_HOW: Final = frozenset(
    {"jobs", "keep_going", "fail_fast", "timeout", "display", "color", "events", "report", "no_keys"}
)
_WHAT: Final = frozenset({"only", "skip", "dry_run"})
#: The options that a command has.
_ACCEPTED: Final[Mapping[str, frozenset[str]]] = {
    "run": _HOW | _WHAT | {"store", "no_store", "from_failed"},
    "list": frozenset(),
    "plan": _HOW | _WHAT | {"store", "no_store", "format"},
    "resume": _HOW | {"store"},
    "rerun": _HOW | {"store", "failed"},
    "runs": frozenset({"store", "limit", "format"}),
    "show": frozenset({"store", "format"}),
    "report": frozenset({"store", "format", "output"}),
    "replay": frozenset({"store", "display", "color", "speed"}),
    "prune": frozenset({"store", "keep"}),
}
#: Why it has no others.
_REASONS: Final[Mapping[str, str]] = {
    "run": "runs a pipeline",
    "list": "shows all there is and runs nothing",
    "plan": "cannot tell what would come back of an earlier run",
    "resume": "takes what to run from the journal",
    "rerun": "takes what to run from the journal",
    "runs": "shows what is on record and runs nothing",
    "show": "shows what is on record and runs nothing",
    "report": "tells of what is on record and runs nothing",
    "replay": "shows a run again and runs nothing",
    "prune": "deletes old runs and runs nothing",
}
#: Options of one command or two.
_OWNERS: Final[Mapping[str, str]] = {
    "format": "--format says how 'plan', 'runs', 'show' or 'report' puts out what it shows",
    "output": "-o belongs to 'report', and beside a run it is --report",
    "failed": "--failed belongs to 'rerun', and with a TARGET it is --from-failed",
    "speed": "--speed belongs to 'replay'",
    "limit": "--limit belongs to 'runs'",
    "keep": "--keep belongs to 'prune'",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a command asks for. None leaves the decision to the pipeline."""

    target: str | None = None
    max_concurrency: int | None = None
    on_failure: OnFailure | None = None
    timeout: float | None = None
    display: str = "auto"
    color: str = "auto"
    #: The file that is to have the events of the run, whatever the current folder is by then.
    events: str | None = None
    #: The file that is to have a page of it, in the same way.
    report: str | None = None
    #: Whether the live display obeys no keys.
    no_keys: bool = False
    command: str = "run"
    #: Selectors.
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    #: How a plan or a record is shown.
    format: str = "tree"
    #: The number of a run on record.
    run: int | None = None
    #: A file of events in its place, and where the report of it goes.
    source: str | None = None
    output: str | None = None
    #: How many times as fast a run is shown again as it was; 0 is at once.
    speed: float = 1.0
    #: The store that was named, and whether there is to be none.
    store: str | None = None
    no_store: bool = False
    #: Whether what was done in an earlier run comes back: in the newest of the TARGET, or in that of 'rerun'.
    from_failed: bool = False
    failed: bool = False
    #: How many runs are shown, or kept.
    limit: int | None = None
    keep: int | None = None
    shows_version: bool = False
    shows_help: bool = False
    #: In the order in which they were given.
    params: tuple[Param, ...] = ()


def parse_options(arguments: Sequence[str]) -> Options:
    """Return what the words ask for. Raises `CommandProblem` for the first that is wrong."""
    words = Reader(OPTIONS, _LATER_OPTIONS).read(arguments)
    given = words.given
    if "help" in given or "version" in given:
        # They answer whatever else is in the line.
        return Options(shows_help="help" in given, shows_version="version" in given)
    target, run, source, command = _command(words.others)
    _refuse_contradictions(given)
    if "dry_run" in given and command == "run":
        command = "plan"
    _refuse_others(command, words)
    policy = OnFailure.CONTINUE if "keep_going" in given else OnFailure.CANCEL if "fail_fast" in given else None
    return Options(
        target=target,
        max_concurrency=given.get("jobs"),
        on_failure=policy,
        timeout=given.get("timeout"),
        display=given.get("display", "auto"),
        color=given.get("color", "auto"),
        events=given.get("events"),
        report=given.get("report"),
        no_keys="no_keys" in given,
        command=command,
        only=tuple(given.get("only", ())),
        skip=tuple(given.get("skip", ())),
        format=_format(command, given.get("format")),
        run=run,
        source=source,
        output=given.get("output"),
        speed=given.get("speed", 1.0),
        store=given.get("store"),
        no_store="no_store" in given,
        from_failed="from_failed" in given,
        failed="failed" in given,
        limit=given.get("limit"),
        keep=given.get("keep"),
        params=tuple(words.params),
    )


def option_names() -> list[str]:
    """Return all options that have a long name, for whoever finds out that a parameter is none."""
    return [name for option in OPTIONS for name in option.names if name.startswith("--")]


def _command(words: list[str]) -> tuple[str | None, int | None, str | None, str]:
    """Return what the words that are no options name: a target, the number of a run, a file of one; and the command."""
    if words and words[0] in RECORD_COMMANDS:
        if words[0] in _OF_FILES and len(words) == 2 and _whole(words[1]) is None:  # noqa: PLR2004 - a command, a file
            return None, None, words[1], words[0]
        return None, _run_number(words[0], words[1:]), None, words[0]
    target = None if not words or words[0] in COMMANDS else words.pop(0)
    expected = f"; expected TARGET [{'|'.join(COMMANDS)}]"
    for place, word in enumerate(words):
        if word in RECORD_COMMANDS and not place and target is not None:
            raise CommandProblem(f"'{word}' takes no TARGET, which it finds in the store: treetask {word}")
        if place or word not in COMMANDS:
            hint = suggestion(word, COMMANDS) if not place else ""
            raise CommandProblem(f"unexpected '{word}'{hint or expected}; {USAGE_HINT}")
    return target, None, None, words[0] if words else "run"


def _run_number(command: str, words: list[str]) -> int | None:
    wanted = 1 if command in _OF_ONE_RUN else 0
    if len(words) > wanted:
        takes = "one run" if wanted else "no run"
        raise CommandProblem(f"unexpected '{words[wanted]}'; '{command}' takes {takes}; {USAGE_HINT}")
    if not words:
        return None
    word = words[0]
    if ":" in word:
        raise CommandProblem(f"'{command}' takes no TARGET, which it finds in the store; found '{word}'")
    number = _whole(word)
    if number is None or number < 1:
        raise CommandProblem(f"'{word}' is no number of a run; 'treetask runs' shows those that there are")
    return number


def _refuse_contradictions(given: Mapping[str, Any]) -> None:
    for one, other in (("keep_going", "fail_fast"), ("store", "no_store"), ("from_failed", "no_store")):
        if one in given and other in given:
            names = {option.key: option.shown for option in OPTIONS}
            raise CommandProblem(f"{names[one]} and {names[other]} contradict each other; give one of them")
    if given.get("events", "") == given.get("report"):
        raise CommandProblem(f"--events and --report name the same file, '{given['report']}'; give each its own")
    for text in (*given.get("only", ()), *given.get("skip", ())):
        if text.removeprefix("+").startswith("state:") and "no_store" in given:
            raise CommandProblem(f"'{text}' asks for an earlier run, which only a store has; leave out --no-store")


def _refuse_others(command: str, words: Words) -> None:
    """Refuse what a command has no use for, rather than ignore it."""
    for option in OPTIONS:
        if option.key not in words.given or option.key in _ACCEPTED[command]:
            continue
        if option.key in _OWNERS:
            raise CommandProblem(f"{_OWNERS[option.key]}; '{command}' has none")
        if option.key == "no_store" and command in RECORD_COMMANDS:
            raise CommandProblem(f"'{command}' is about runs on record; leave out --no-store")
        raise CommandProblem(f"'{command}' {_REASONS[command]}; leave out {option.shown}")
    if words.params and command in RECORD_COMMANDS and "jobs" not in _ACCEPTED[command]:
        option_given = words.params[0].option
        close = closest(option_given, option_names())
        hint = "" if close is None else f" (did you mean {close}?)"
        raise CommandProblem(f"unknown option '{option_given}'{hint}; {USAGE_HINT}")


def _format(command: str, text: str | None) -> str:
    known = _FORMATS.get(command, ("tree",))
    if text is None:
        return known[0]
    try:
        return _one_of("format", text, known)
    except CommandProblem as problem:
        raise CommandProblem(f"--format: {problem}; {USAGE_HINT}") from None


# -- values -----------------------------------------------------------------------------------------------------------


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _at_least_one(text: str) -> int:
    number = _whole(text)
    if number is None or number < 1:
        raise CommandProblem(f"expected a whole number from 1, found '{text}'")
    return number


def _at_least_zero(text: str) -> int:
    number = _whole(text)
    if number is None:
        raise CommandProblem(f"expected a whole number from 0, found '{text}'")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise CommandProblem(f"expected a number of seconds, found '{text}'")
    return seconds


def _speed(text: str) -> float:
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not 0 <= speed < math.inf:
        raise CommandProblem(f"expected a number, 1 being as fast as it was, or 'max', found '{text}'")
    return speed


def _display(text: str) -> str:
    return _one_of("display", text, DISPLAYS)


def _events(text: str) -> str:
    return _file(text, "for events on standard error write --display json")


def _report(text: str) -> str:
    return _file(text, "for one on standard output write 'treetask report -o -' afterwards")


def _file(text: str, instead: str) -> str:
    if text == "-":
        raise CommandProblem(f"'-' is no file; {instead}")
    return os.path.abspath(text)  # noqa: PTH100 - only text: no file is looked at


def _color(text: str) -> str:
    return _one_of("color", text, COLORS)


def _one_of(what: str, text: str, known: Sequence[str]) -> str:
    if text not in known:
        close = closest(text, known)
        hint = f"did you mean '{close}'?" if close else f"expected one of {', '.join(known)}"
        raise CommandProblem(f"there is no {what} '{text}'; {hint}")
    return text


def _formats_told() -> str:
    return "; ".join(f"{command}: {', '.join(forms)}" for command, forms in _FORMATS.items())


#: In the order in which the help shows them.
OPTIONS: Final = (
    Option("only", ("--only",), "run what SEL selects; may be repeated", "SEL", repeats=True),
    Option("skip", ("--skip",), "leave out what SEL selects; may be repeated", "SEL", repeats=True),
    Option("from_failed", ("--from-failed",), "take over what was done in the newest run of TARGET"),
    Option("jobs", ("-j",), "run at most N bodies at once", "N", _at_least_one),
    Option("keep_going", ("-k", "--keep-going"), "after a failure, run all that does not depend on it"),
    Option("fail_fast", ("-x", "--fail-fast"), "after a failure, cancel what runs; start nothing new"),
    Option("timeout", ("--timeout",), "give the whole run at most so long", "SECONDS", _seconds),
    Option("display", ("--display",), f"{', '.join(DISPLAYS)} (default: auto)", "MODE", _display),
    Option("color", ("--color",), f"colours: {', '.join(COLORS)} (default: auto)", "WHEN", _color),
    Option("events", ("--events",), "write the events of the run there, as lines of JSON", "FILE", _events),
    Option("report", ("--report",), "write a report of the run there, a page for a browser", "FILE", _report),
    Option("no_keys", ("--no-keys",), "leave what is typed to the tasks, and to what they run"),
    Option("dry_run", ("-n", "--dry-run"), "show the plan instead of running it"),
    Option("store", ("--store",), "keep runs there: a path, sqlite:///… or postgresql://…", "URL"),
    Option("no_store", ("--no-store",), "keep no record of this run"),
    Option("failed", ("--failed",), "of rerun: take over what was done, run all else"),
    Option("limit", ("--limit",), "of runs: show the newest N (default: 20)", "N", _at_least_one),
    Option("keep", ("--keep",), "of prune: keep the newest N (default: 50)", "N", _at_least_zero),
    Option("format", ("--format",), _formats_told(), "FORMAT"),
    Option("output", ("-o",), "of report: write it there; - is standard output", "FILE"),
    Option("speed", ("--speed",), "of replay: go N times as fast; max: show it at once", "N", _speed),
    Option(
        "set",
        ("--set",),
        "give a parameter of the pipeline; so does --NAME VALUE, unless an option has that name",
        "NAME=VALUE",
    ),
    Option("version", ("--version",), "show the version and leave"),
    Option("help", ("-h", "--help"), "show this and leave"),
)
