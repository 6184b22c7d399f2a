"""What one command is to run: a pipeline with its parameters, and the tree of it, selected and configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from treetask.cli._options import Options
from treetask.cli._pipeline import Pipeline, build_tree, select
from treetask.cli._problem import CommandProblem
from treetask.cli._target import Target
from treetask.model import Endings, TaskTree


@dataclass(frozen=True, slots=True)
class Job:
    """A pipeline that is ready to run."""

    target: Target
    pipeline: Pipeline
    values: Mapping[str, Any]
    options: Options
    tree: TaskTree
    #: The number of the earlier run that its selectors go by.
    endings_of: int | None = None


def make_job(
    target: Target,
    pipeline: Pipeline,
    values: Mapping[str, Any],
    options: Options,
    endings: tuple[int, Endings] | None = None,
) -> Job:
    """Return what is to be run. Raises `CommandProblem` for what cannot be built, selected or configured so."""
    tree = build_tree(pipeline, values)
    number, known = (None, None) if endings is None else endings
    select(tree, options.only, options.skip, known)
    _configure(tree, options)
    return Job(target, pipeline, values, options, tree, number)


def selects_by_state(options: Options) -> bool:
    """Whether some selector asks how nodes ended in an earlier run."""
    return any(text.removeprefix("+").startswith("state:") for text in (*options.only, *options.skip))


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
