"""The configuration: its defaults, what is merged over them and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sentences import exactly
from treetask import TaskNode, TaskStatus, TaskTree, TreeBuilder, TreeTaskConfig
from treetask.model import DEFAULT_ICONS, DEFAULT_TREE_CHARS


def test_defaults() -> None:
    """What is valid and true without a word said."""
    config = TreeTaskConfig().validate()

    assert (config.default_max_depth, config.final_max_depth, config.refresh_interval) == (2, 3, 0.1)
    assert (config.default_parallel, config.max_retries, config.on_failure) == (True, 3, "cancel")
    assert (config.max_concurrency, config.max_threads, config.global_timeout) == (None, None, None)
    assert (config.default_task_timeout, config.grace, config.block_warning) == (None, 5.0, 0.5)


def test_printed_fields_by_position() -> None:
    """The first seven fields come in the printed order; all others are keywords."""
    config = TreeTaskConfig(1, 2, 0.5, {"done": "+"}, {"empty": "  "}, False, 0)

    assert (config.default_max_depth, config.final_max_depth, config.refresh_interval) == (1, 2, 0.5)
    assert (config.icons["done"], config.tree_chars["empty"]) == ("+", "  ")
    assert (config.default_parallel, config.max_retries) == (False, 0)
    with pytest.raises(TypeError, match="positional arguments"):
        TreeTaskConfig(1, 2, 0.5, {}, {}, True, 0, 4)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_every_status_has_an_icon() -> None:
    """Whatever becomes of a node can be shown."""
    assert set(DEFAULT_ICONS) == {status.value for status in TaskStatus}


def test_icons_are_merged_over_the_defaults() -> None:
    """Only what differs needs to be named, and the caller's dict stays as it was."""
    icons = {"done": "+"}
    config = TreeTaskConfig(icons=icons)

    assert config.icons == {**DEFAULT_ICONS, "done": "+"}
    assert icons == {"done": "+"}
    assert config.tree_chars == DEFAULT_TREE_CHARS


def test_tree_characters_are_merged_over_the_defaults() -> None:
    """Only what differs needs to be named."""
    config = TreeTaskConfig(tree_chars={"vertical": "!   "})

    assert config.tree_chars == {**DEFAULT_TREE_CHARS, "vertical": "!   "}
    assert config.icons == DEFAULT_ICONS


def test_each_config_has_signs_of_its_own() -> None:
    """Changing one config's icons changes no other."""
    first, second = TreeTaskConfig(), TreeTaskConfig()

    first.icons["done"] = "+"

    assert (second.icons["done"], DEFAULT_ICONS["done"]) == ("✅", "✅")


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"max_concurrency": 0}, ValueError, "max_concurrency is 0; expected at least 1; None means no limit"),
    ({"max_concurrency": 2.0}, TypeError, "max_concurrency is 2.0; expected a whole number or None"),
    ({"max_threads": 0}, ValueError, "max_threads is 0; expected at least 1; None means min(32, CPUs + 4)"),
    ({"max_retries": -1}, ValueError, "max_retries is -1; expected at least 0"),
    ({"max_retries": None}, TypeError, "max_retries is None; expected a whole number"),
    ({"default_max_depth": -1}, ValueError, "default_max_depth is -1; expected at least 0; None means all levels"),
    ({"final_max_depth": "3"}, TypeError, "final_max_depth is '3'; expected a whole number or None"),
    ({"refresh_interval": -1}, ValueError, "refresh_interval is -1; expected a finite number of seconds from 0"),
    ({"refresh_interval": None}, TypeError, "refresh_interval is None; expected a number of seconds"),
    ({"grace": float("inf")}, ValueError, "grace is inf; expected a finite number of seconds from 0"),
    (
        {"global_timeout": -1},
        ValueError,
        "global_timeout is -1; expected a finite number of seconds from 0; None means no limit",
    ),
    ({"default_task_timeout": "1"}, TypeError, "default_task_timeout is '1'; expected a number of seconds or None"),
    (
        {"block_warning": -0.5},
        ValueError,
        "block_warning is -0.5; expected a finite number of seconds from 0; None means no warning",
    ),
    ({"on_failure": "stop"}, ValueError, "on_failure is 'stop'; expected one of 'cancel', 'finish', 'continue'"),
    ({"default_parallel": "yes"}, TypeError, "default_parallel is 'yes'; expected True or False"),
    ({"icons": {"dne": "+"}}, ValueError, "icons has no 'dne' (did you mean 'done'?)"),
    ({"icons": {"done": 5}}, TypeError, "icons['done'] is 5; expected text"),
    (
        {"tree_chars": {"corner": "+"}},
        ValueError,
        "tree_chars has no 'corner' (there are 'branch', 'last_branch', 'vertical', 'empty')",
    ),
]


@pytest.mark.parametrize(("fields", "error", "problem"), WRONG)
def test_field_out_of_range_is_refused(fields: dict[str, Any], error: type[Exception], problem: str) -> None:
    """A config is checked as a whole when it is about to be used, also where a field was changed since."""
    with pytest.raises(error, match=exactly(f"TreeTaskConfig: {problem}")):
        TreeTaskConfig(**fields).validate()
    config = TreeTaskConfig()
    for name, value in fields.items():
        setattr(config, name, value)
    with pytest.raises(error, match=exactly(f"TreeTaskConfig: {problem}")):
        config.validate()


@pytest.mark.parametrize("name", ["icons", "tree_chars"])
def test_signs_come_in_a_dict(name: str) -> None:
    """What cannot be merged is refused when the config is made."""
    fields: dict[str, Any] = {name: None}
    with pytest.raises(TypeError, match=exactly(f"TreeTaskConfig: {name} is None; expected a dict of texts by name")):
        TreeTaskConfig(**fields)


def test_none_and_zero_are_told_apart() -> None:
    """No depth is only the root and no interval is every change; no limit is `None`."""
    TreeTaskConfig(default_max_depth=0, final_max_depth=None, refresh_interval=0, grace=0).validate()
    TreeTaskConfig(global_timeout=0, default_task_timeout=0, block_warning=0).validate()
    TreeTaskConfig(block_warning=None).validate()


def test_config_of_a_tree() -> None:
    """A tree has the config that it was given, else one of its own; nothing else will do."""
    config = TreeTaskConfig()

    assert TaskTree(TaskNode("a"), config).config is config
    assert TreeBuilder("a", config=config).build().config is config
    assert TaskTree(TaskNode("a")).config is not TaskTree(TaskNode("b")).config
    with pytest.raises(TypeError, match=exactly("the config of tree 'a' is {}; expected a TreeTaskConfig")):
        TaskTree(TaskNode("a"), {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
