"""What a task was declared with that stores ask for: its version, and by what its results are told from run to run.

Says which arguments a node's body will get, as far as they are data. Knows no store.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from treetask.dsl._bound import BoundArguments, BoundBody
from treetask.dsl._compile import declaration_of
from treetask.dsl._declaration import Cache, Given, Reference
from treetask.dsl._parameters import Parameters
from treetask.model import TaskNode


def version_of(node: TaskNode) -> str | int | None:
    """Return the version that a node was declared with."""
    return node.options.version


def cache_of(node: TaskNode) -> Cache | None:
    """Return by what the results of a node's body are told; None where they are not to be kept.

    That is so, too, while another body stands in for it, as in a test.
    """
    declared = declaration_of(node)
    return None if declared is None or declared.stand_ins else declared.cache


def key_parameters(key: Callable[..., object]) -> Parameters | None:
    """Return what the function of a cache takes; None where that cannot be seen."""
    try:
        return Parameters(inspect.signature(key).parameters.values())
    except (ValueError, TypeError):
        return None


def data_of(node: TaskNode) -> dict[str, Any]:
    """Return the arguments that a node's body will be called with, by name, once what they are of has ended.

    Defaults are among them. The node is not, nor are resources: they are what is worked with, not on.
    """
    declared, body = declaration_of(node), node.task_fn
    if declared is None or declared.body is None:
        return {}
    defaults = declared.parameters.defaults
    found = {name: each for name, each in defaults.items() if not isinstance(each, Reference)}
    if isinstance(body, BoundBody):
        found |= dict(zip(body.body.parameters.positional, body.args, strict=False))
    if isinstance(body, BoundArguments):
        found |= body.kwargs
        given = [(name, each) for name, each in body.run_inputs.given if not _is_opened(each.target)]
        found |= body.run_inputs._replace(given=tuple(given)).values(node)
    return found


def _is_opened(target: object) -> bool:
    return isinstance(target, Given) and target.is_opened
