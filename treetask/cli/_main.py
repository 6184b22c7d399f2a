"""The way of one command: words, target, tree, run or plan, exit code."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import treetask
from treetask.cli._options import Options, parse_options
from treetask.cli._pipeline import build_tree, load_pipeline, select
from treetask.cli._problem import CommandProblem, ExitCode
from treetask.cli._relay import relayed_terminals
from treetask.cli._run import run_tree
from treetask.cli._show import shown
from treetask.cli._streams import flush_results, put_out, say, unbreakable_pipes
from treetask.cli._target import parse_target, read_defaults
from treetask.cli._values import refuse_misspelt, values_for
from treetask.model import TaskTree


def main(arguments: Sequence[str] | None = None) -> int:
    """Obey one command, by default the words that this process was started with; return its exit code."""
    with unbreakable_pipes(), relayed_terminals():
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
    if options.help is not None:
        put_out(options.help.splitlines())
        return ExitCode.ALL_WELL
    if options.shows_version:
        put_out([_version()])
        return ExitCode.ALL_WELL
    folder = _current_folder()
    defaults = read_defaults(folder)
    if options.target is None:
        # The word after it may have been meant as the TARGET.
        refuse_misspelt(options.params)
    target = defaults.target() if options.target is None else parse_target(options.target, folder)
    pipeline = load_pipeline(target)
    is_own = options.target is None
    values = values_for(pipeline, options.params, defaults.params, is_own=is_own)
    tree = build_tree(pipeline, values)
    select(tree, options.only, options.skip)
    _configure(tree, options)
    if options.command == "run":
        return run_tree(tree, display=options.display)
    put_out(shown(tree, pipeline, options.command, options.format))
    return ExitCode.ALL_WELL


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise CommandProblem(f"the current folder cannot be found: {error.strerror}; go to another one") from error


def _configure(tree: TaskTree, options: Options) -> None:
    """Give the tree a config of its own, in which the options replace what the pipeline had."""
    config = replace(tree.config)
    if options.max_concurrency is not None:
        config.max_concurrency = options.max_concurrency
    if options.on_failure is not None:
        config.on_failure = options.on_failure
    if options.timeout is not None:
        config.global_timeout = options.timeout
    try:
        tree.config = config.validate()
    except (TypeError, ValueError) as error:
        raise CommandProblem(str(error)) from error


def _version() -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        version = treetask.__version__
    except PackageNotFoundError:
        version = "(not installed)"
    return f"treetask {version}, Python {platform.python_version()}"
