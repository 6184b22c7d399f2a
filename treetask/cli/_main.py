"""The way of one command: words, target, tree, run or plan, exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import treetask
from treetask.cli._job import Job, make_job, selects_by_state
from treetask.cli._options import RECORD_COMMANDS, Options, parse_options
from treetask.cli._pipeline import load_pipeline
from treetask.cli._place import StorePlace, place_of
from treetask.cli._problem import CommandProblem, ExitCode
from treetask.cli._recording import Recording
from treetask.cli._run import run_tree
from treetask.cli._stdin import asked_input
from treetask.cli._streams import color_of_messages, flush_results, put_out, say, unbreakable_pipes
from treetask.cli._target import Target, parse_target, read_defaults
from treetask.cli._values import refuse_misspelt, values_for
from treetask.display import printed_by_nodes
from treetask.model import Endings


def main(arguments: Sequence[str] | None = None) -> int:
    """Obey one command, by default the words that this process was started with; return its exit code."""
    with unbreakable_pipes(), printed_by_nodes(), asked_input():
        color_of_messages.set("auto")
        code = _answered(sys.argv[1:] if arguments is None else arguments)
        if not flush_results() and code == ExitCode.ALL_WELL:
            return ExitCode.TASK_FAILED
        return code


def _answered(arguments: Sequence[str]) -> int:
    try:
        return _obey(parse_options(arguments))
    except CommandProblem as problem:
        say(problem.lines())
        return problem.exit_code
    except KeyboardInterrupt:
        # Before or after the run, which handles its signals itself.
        say(["treetask: interrupted"])
        return ExitCode.INTERRUPTED


def _obey(options: Options) -> int:
    color_of_messages.set(options.color)
    if options.shows_help:
        from treetask.cli._help import help_lines

        put_out(help_lines())
        return ExitCode.ALL_WELL
    if options.shows_version:
        put_out([_version()])
        return ExitCode.ALL_WELL
    folder = _current_folder()
    defaults = read_defaults(folder)
    place = place_of(options, defaults)
    if options.command in RECORD_COMMANDS:
        assert place is not None  # --no-store was refused
        return _obey_about_record(options, place)
    if options.target is None and defaults.text is None:
        # The word after it may have been meant as the TARGET.
        refuse_misspelt(options.params)
    target = defaults.target() if options.target is None else parse_target(options.target, folder)
    pipeline = load_pipeline(target)
    if options.from_failed:
        from treetask.cli._again import run_from_failed

        assert place is not None  # --no-store was refused
        return run_from_failed(target, pipeline, options, place)
    values = values_for(pipeline, options.params, defaults.params, is_own=options.target is None)
    job = make_job(target, pipeline, values, options, _endings(target, options, place))
    if options.command != "run":
        from treetask.cli._show import shown

        put_out(shown(job.tree, pipeline, options.command, options.format))
        return ExitCode.ALL_WELL
    return run_tree(job, recording=None if place is None else _recording(job, place))


def _obey_about_record(options: Options, place: StorePlace) -> int:
    """Obey what is about runs on record."""
    if options.command in {"runs", "prune"}:
        from treetask.cli._history import prune, show_runs

        return show_runs(options, place) if options.command == "runs" else prune(options, place)
    if options.command == "show":
        from treetask.cli._record import show_record

        return show_record(options, place)
    if options.command == "report":
        from treetask.cli._report import report

        return report(options, place)
    if options.command == "replay":
        from treetask.cli._replay import replay

        return replay(options, place)
    from treetask.cli._again import rerun, resume

    return resume(options, place) if options.command == "resume" else rerun(options, place)


def _recording(job: Job, place: StorePlace) -> Recording:
    """Return what records a new run. Raises `CommandProblem` for a store that cannot be used."""
    from treetask.cli._origin import origin_of
    from treetask.store import NewRun

    store = place.opened(fixes=("to run without a record: --no-store; to keep it somewhere else: --store URL",))
    origin = origin_of(job)
    left_out = () if origin.options is None else origin.options.get("left_out", ())
    return Recording(store, NewRun(store, origin), place, left_out=left_out)


def _endings(target: Target, options: Options, place: StorePlace | None) -> tuple[int, Endings] | None:
    """Return how the newest run of a target ended, where some selector asks for that."""
    if place is None or not selects_by_state(options):
        return None
    from treetask.cli._again import endings_of_newest

    return endings_of_newest(target, place)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise CommandProblem(f"the current folder cannot be found: {error.strerror}; go to another one") from error


def _version() -> str:
    import platform
    from importlib.metadata import PackageNotFoundError

    try:
        version = treetask.__version__
    except PackageNotFoundError:
        version = "(not installed)"
    return f"treetask {version}, Python {platform.python_version()}"
