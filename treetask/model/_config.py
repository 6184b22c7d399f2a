"""The configuration of a tree: how it is shown and the defaults of how it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from typing_extensions import Self

from treetask._errors import did_you_mean
from treetask.model._checks import check_count, check_seconds

DEFAULT_ICONS: Final[dict[str, str]] = {
    "pending": "⏳",
    "working": "🔄",
    "done": "✅",
    "failed": "❌",
    "retrying": "🔁",
    "cancelled": "🚫",
    "skipped": "⏩",
    "timed_out": "⏰",
}
DEFAULT_TREE_CHARS: Final[dict[str, str]] = {
    "branch": "├── ",
    "last_branch": "└── ",
    "vertical": "│   ",
    "empty": "    ",
}


class OnFailure(str, Enum):
    """What a group does with its other children when one of them fails."""

    CANCEL = "cancel"
    """Running siblings are cancelled, the rest is not started."""
    FINISH = "finish"
    """What runs finishes with its subtree, nothing new starts."""
    CONTINUE = "continue"
    """Everything that does not depend on the failed child runs."""

    @classmethod
    def parse(cls, value: str | OnFailure, owner: str) -> OnFailure:
        """Return the policy of that name. Raises `ValueError` naming `owner`, the value and the names there are."""
        try:
            return cls(value)
        except ValueError:
            names = ", ".join(repr(policy.value) for policy in cls)
            raise ValueError(f"{owner}: on_failure is {value!r}; expected one of {names}") from None


@dataclass
class TreeTaskConfig:
    """How a tree is shown and, where a node does not say otherwise, how it runs.

    May be changed until a run starts; it is read and checked then. `icons` and `tree_chars` need to name only what
    differs from the defaults. Durations are seconds.
    """

    #: Levels below the root that open while the run lasts.
    default_max_depth: int | None = 2
    #: Levels below the root that open in the final tree.
    final_max_depth: int | None = 3
    #: Least time between two frames.
    refresh_interval: float = 0.1
    icons: dict[str, str] = field(default_factory=dict[str, str])
    tree_chars: dict[str, str] = field(default_factory=dict[str, str])
    #: Whether the children of a node that does not say so run at the same time.
    default_parallel: bool = True
    #: Attempts after the first one, for nodes that do not say so.
    max_retries: int = 3

    # The keyword-only rest is what the printed API does not have.
    #: Bodies that may run at once; None is no limit.
    max_concurrency: int | None = field(default=None, kw_only=True)
    #: The policy of groups that state none, nor does a group above them.
    on_failure: str = field(default="cancel", kw_only=True)
    #: Bound of a whole run.
    global_timeout: float | None = field(default=None, kw_only=True)
    #: Bound of one attempt, for nodes with a body that do not say so; what it spawns or adds counts in it.
    default_task_timeout: float | None = field(default=None, kw_only=True)
    #: How long a body that was stopped may clean up before it is reported by name; and how long what always runs may
    #: take after a cancel before it is stopped.
    grace: float = field(default=5.0, kw_only=True)
    #: How long a body may keep the event loop from turning before it is reported by name; None turns that off.
    block_warning: float | None = field(default=0.5, kw_only=True)
    #: Bodies that may run in threads at once; None is min(32, CPUs + 4).
    max_threads: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("icons", "tree_chars"):
            signs = getattr(self, name)
            if not isinstance(signs, dict):
                raise TypeError(f"TreeTaskConfig: {name} is {signs!r}; expected a dict of texts by name")
        self.icons = {**DEFAULT_ICONS, **self.icons}
        self.tree_chars = {**DEFAULT_TREE_CHARS, **self.tree_chars}

    def validate(self) -> Self:
        """Return the config itself. Raises `ValueError` for the first field that is out of range."""
        owner = "TreeTaskConfig"
        check_count("max_concurrency", self.max_concurrency, 1, owner, optional=True)
        check_count("max_threads", self.max_threads, 1, owner, optional=True, none="min(32, CPUs + 4)")
        check_count("max_retries", self.max_retries, 0, owner)
        check_count("default_max_depth", self.default_max_depth, 0, owner, optional=True, none="all levels")
        check_count("final_max_depth", self.final_max_depth, 0, owner, optional=True, none="all levels")
        for name in ("refresh_interval", "grace"):
            check_seconds(name, getattr(self, name), owner, optional=False)
        for name in ("global_timeout", "default_task_timeout"):
            check_seconds(name, getattr(self, name), owner)
        check_seconds("block_warning", self.block_warning, owner, none="no warning")
        OnFailure.parse(self.on_failure, owner)
        if not isinstance(self.default_parallel, bool):
            raise TypeError(f"{owner}: default_parallel is {self.default_parallel!r}; expected True or False")
        _check_signs("icons", self.icons, DEFAULT_ICONS)
        _check_signs("tree_chars", self.tree_chars, DEFAULT_TREE_CHARS)
        return self


def _check_signs(name: str, signs: dict[str, str], known: dict[str, str]) -> None:
    """Refuse a sign for something that is never drawn, and what is no text."""
    for key, sign in signs.items():
        if key not in known:
            raise ValueError(f"TreeTaskConfig: {name} has no '{key}'{did_you_mean(str(key), known)}")
        if not isinstance(sign, str):
            raise TypeError(f"TreeTaskConfig: {name}['{key}'] is {sign!r}; expected text")
