"""Names, parameters, defaults and attributes of the printed API: our own table, and the document where it is there."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from typing import Any

import pytest

import treetask
from tests.printed_api.reading import (
    defaults_of,
    fields_of,
    name_of,
    parameters_of,
    printed_document,
    printed_methods,
    read_signatures,
)
from treetask import (
    AsyncExecutor,
    ExecutionResult,
    LiveDisplay,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeRenderer,
    TreeTaskConfig,
)

REQUIRED: Any = ...
"""A parameter without a default."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "TaskNode": {
        "id": REQUIRED,
        "name": None,
        "status": "pending",
        "children": None,
        "parent": None,
        "data": None,
        "progress": None,
        "retry_count": 0,
        "error": None,
        "parallel": True,
        "task_fn": None,
    },
    "TaskNode.add_child": {"child": REQUIRED},
    "TaskNode.get_depth": {},
    "TaskNode.is_leaf": {},
    "TaskNode.get_ancestors": {},
    "TaskNode.remove_child": {"child": REQUIRED},
    "TaskNode.get_root": {},
    "TaskNode.find_child": {"child_id": REQUIRED},
    "TaskNode.walk": {},
    "TaskNode.is_done": {},
    "TaskNode.is_successful": {},
    "TaskNode.reset": {},
    "TaskTree": {"root": REQUIRED, "config": None},
    "TaskTree.find": {"node_id": REQUIRED},
    "TaskTree.walk": {"depth_first": True},
    "TaskTree.get_stats": {},
    "TaskTree.get_leaf_stats": {},
    "TaskTree.get_work_node_stats": {},
    "TaskTree.get_progress_stats": {},
    "TaskTree.register_node": {"node": REQUIRED},
    "TaskTree.collect_results": {},
    "TaskTree.get_failed_nodes": {},
    "TaskTree.get_timing_stats": {},
    "TreeBuilder": {"root_id": REQUIRED, "name": None, "parallel": True, "data": None},
    "TreeBuilder.add_node": {"id": REQUIRED, "name": None, "parallel": None, "task": None, "data": None},
    "TreeBuilder.add_child": {"id": REQUIRED, "name": None, "parallel": None, "task": None, "data": None},
    "TreeBuilder.up": {},
    "TreeBuilder.build": {},
    "AsyncExecutor": {"tree": REQUIRED, "on_update": None, "on_node_start": None, "on_node_complete": None},
    "AsyncExecutor.run": {},
    "AsyncExecutor.cancel": {"reason": None},
    "AsyncExecutor.pause": {},
    "AsyncExecutor.resume": {},
    "ExecutionResult": {"tree": REQUIRED},
    "TreeRenderer": {"config": None},
    "TreeRenderer.render": {"tree": REQUIRED, "max_depth": None, "show_stats": False},
    "TreeRenderer.render_node_line": {"node": REQUIRED},
    "LiveDisplay": {"renderer": None, "config": None, "output": None},
    "LiveDisplay.update": {"tree": REQUIRED, "max_depth": None, "force": False},
    "LiveDisplay.finalize": {"tree": REQUIRED, "max_depth": None, "show_stats": True},
    "LiveDisplay.clear": {},
    "LiveDisplay.print_message": {"message": REQUIRED},
    "LiveDisplay.hide_cursor": {},
    "LiveDisplay.show_cursor": {},
    "TreeTaskConfig": {
        "default_max_depth": 2,
        "final_max_depth": 3,
        "refresh_interval": 0.1,
        "icons": REQUIRED,
        "tree_chars": REQUIRED,
        "default_parallel": True,
        "max_retries": 3,
    },
}

ATTRIBUTES = {
    "TaskNode": ["id", "name", "status", "children", "parent", "data", "progress", "retry_count", "error", "parallel"],
    "TaskTree": ["root", "config"],
    "ExecutionResult": ["tree", "success", "failed_nodes", "stats"],
    "AsyncExecutor": ["is_cancelled", "is_paused"],
    "TreeTaskConfig": [
        "default_max_depth",
        "final_max_depth",
        "refresh_interval",
        "icons",
        "tree_chars",
        "max_retries",
    ],
}

EXAMPLES: dict[str, Callable[[], object]] = {
    "TaskNode": lambda: TaskNode("a"),
    "TaskTree": lambda: TaskTree(TaskNode("a")),
    "TreeBuilder": lambda: TreeBuilder("a"),
    "AsyncExecutor": lambda: AsyncExecutor(TaskTree(TaskNode("a"))),
    "ExecutionResult": lambda: ExecutionResult(TaskTree(TaskNode("a"))),
    "TreeRenderer": TreeRenderer,
    "LiveDisplay": lambda: LiveDisplay(output=io.StringIO()),
    "TreeTaskConfig": TreeTaskConfig,
}


def real_parameters(path: str) -> dict[str, Any]:
    """What can be handed over by position to a class or to a method of it, each with its default."""
    owner, _, method = path.partition(".")
    function = getattr(treetask, owner)
    signature = inspect.signature(getattr(function, method) if method else function)
    return {
        parameter.name: ... if parameter.default is parameter.empty else parameter.default
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    }


def check(path: str, expected: dict[str, Any]) -> None:
    """Compare names and order; and each default that the other side states."""
    real = real_parameters(path)
    assert list(real) == list(expected)
    for name, default in expected.items():
        if default is not REQUIRED:
            assert real[name] == default


def document() -> str:
    """The printed document; without it the test is skipped."""
    text = printed_document()
    if text is None:
        pytest.skip("TREETASK_SHARED names no folder with the printed API")
    return text


@pytest.mark.parametrize("path", PARAMETERS)
def test_parameters_are_as_promised(path: str) -> None:
    """Names, order and defaults of everything that may be handed over by position; what was added is a keyword."""
    check(path, PARAMETERS[path])
    for name, default in PARAMETERS[path].items():
        if default is REQUIRED and name not in {"icons", "tree_chars"}:
            assert real_parameters(path)[name] is REQUIRED


@pytest.mark.parametrize(("owner", "names"), ATTRIBUTES.items())
def test_attributes_are_as_promised(owner: str, names: list[str]) -> None:
    """Every object has them from the start."""
    example = EXAMPLES[owner]()
    for name in names:
        getattr(example, name)


def test_display_is_a_context_manager() -> None:
    """`with display` gives the display."""
    display = LiveDisplay(output=io.StringIO())
    with display as entered:
        assert entered is display


def test_run_is_awaited() -> None:
    """Of all methods only the run takes the event loop's time."""
    assert inspect.iscoroutinefunction(AsyncExecutor.run)
    assert not inspect.iscoroutinefunction(AsyncExecutor.cancel)


def test_printed_heads_are_ours() -> None:
    """Every class and every call that the document writes out has our parameters, or our object has its fields."""
    heads = read_signatures(document())
    assert [name_of(head) for head in heads] == [
        "TaskNode",
        "TaskTree",
        "TreeBuilder",
        "AsyncExecutor",
        "ExecutionResult",
        "TreeRenderer",
        "LiveDisplay",
        "TreeTaskConfig",
    ]
    for head in heads:
        name = name_of(head)
        if "class " not in head:
            check(name, defaults_of(parameters_of(head)))
            continue
        example = EXAMPLES[name]()
        for field, default in fields_of(head).items():
            value = getattr(example, field)
            assert default is REQUIRED or value == default
        if head.startswith("@dataclass"):
            check(name, fields_of(head))


def test_printed_methods_are_ours() -> None:
    """Every method that the document lists exists, with the parameters and defaults that are printed."""
    methods = list(printed_methods(document()))
    assert len(methods) > 20
    for owner, method, arguments in methods:
        check(f"{owner}.{method}", defaults_of(arguments))
