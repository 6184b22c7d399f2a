"""The roots of what TreeTask raises, and the errors that need no other part of the package to be told.

Errors that carry a node, a child or a result live beside these classes, on their floor; every one derives from
`TreeTaskError`. At the end stand words that messages share.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

#: More names than this only bury the one that was meant.
_NAMES_SHOWN = 8


class TreeTaskError(Exception):
    """Everything that TreeTask itself raises."""


class DefinitionError(TreeTaskError):
    """A tree that cannot run as it was declared; found before anything ran."""


class DuplicateNodeError(DefinitionError):
    """A second node with an id that its tree already has; `first` and `second` say where, as in "at app.py:12"."""

    def __init__(self, node_id: str, first: str, second: str) -> None:
        super().__init__(f"duplicate id '{node_id}': first {first}, again {second}; give one of them another id")
        self.node_id = node_id
        self.first = first
        self.second = second


class NodeOwnedError(DefinitionError):
    """A node that was given a second parent, or made its own ancestor."""

    def __init__(self, node_id: str, owner: str, parent: str) -> None:
        super().__init__(f"node '{node_id}' cannot be added to '{parent}': {owner}; make a second TaskNode instead")
        self.node_id = node_id
        self.parent = parent


class UnknownDependencyError(DefinitionError):
    """A dependency on an id that no node of the tree has.

    `around` is what has it, where the tree is only a part of that.
    """

    def __init__(self, node_id: str, dependency: str, known: Iterable[str], around: str | None = None) -> None:
        what, fix = f"unknown task '{dependency}'", ""
        if around is None:
            fix = did_you_mean(dependency, known)
        else:
            what, fix = f"'{dependency}'", f", which is not part of this run; run '{around}', which has both"
        super().__init__(f"task '{node_id}' depends on {what}{fix}")
        self.node_id = node_id
        self.dependency = dependency


class DependencyCycleError(DefinitionError):
    """Tasks that wait for each other; `path` begins and ends with the same id."""

    def __init__(self, path: Sequence[str], why: str) -> None:
        super().__init__(f"'{path[0]}' depends on itself: {' -> '.join(path)}; {why}")
        self.path = tuple(path)


class NothingSelectedError(DefinitionError):
    """A selection that leaves nothing of a tree."""


class StatusError(TreeTaskError):
    """A status change that the transition table does not have, or that only the engine may make."""

    def __init__(self, node_id: str, old: str, new: str, why: str) -> None:
        super().__init__(f"node '{node_id}' cannot go from {old} to {new}: {why}")
        self.node_id = node_id
        self.old = old
        self.new = new


class TreeRunningError(TreeTaskError):
    """Something that cannot be done while the tree runs, such as running it a second time."""


class FinishedParentError(TreeTaskError):
    """A child added to a node that has already ended."""

    def __init__(self, parent_id: str, status: str, child_id: str) -> None:
        super().__init__(
            f"node '{child_id}' cannot be added: its parent '{parent_id}' is already {status}; "
            "add it before the parent ends, or to a node that still runs"
        )
        self.parent_id = parent_id
        self.child_id = child_id


class LeakedScopeError(TreeTaskError):
    """A body that left a cancel scope open, or a cancellation of its own task pending, when it ended."""

    def __init__(self, node_id: str) -> None:
        super().__init__(
            f"the body of '{node_id}' left a cancel scope open or cancelled its own task; close what it opens (`async "
            "with aclosing(generator)`, `with move_on_after(...)` inside one function) and cancel a scope instead"
        )
        self.node_id = node_id


class RunTimeoutError(TreeTaskError, TimeoutError):
    """A run that did not end within its `global_timeout`."""

    def __init__(self, root_id: str, seconds: float) -> None:
        super().__init__(f"'{root_id}' timed out after {seconds} s")
        self.root_id = root_id
        self.seconds = seconds


class StrayCancellationError(TreeTaskError):
    """A body that ended as cancelled, though nobody had cancelled it."""

    def __init__(self, node_id: str) -> None:
        super().__init__(
            f"the body of '{node_id}' ended as cancelled, though nothing stopped it: what it awaited was cancelled (a "
            "task, a future), or it raised the cancellation itself; catch that where it is awaited"
        )
        self.node_id = node_id


class ResourceError(TreeTaskError):
    """A resource that could not be opened, held or closed as it should; `__cause__` is what it raised, if anything."""

    def __init__(self, resource: str, problem: str) -> None:
        super().__init__(f"{resource} {problem}")
        self.resource = resource
        self.problem = problem


class InternalError(TreeTaskError):
    """TreeTask broke one of its own promises. This is a bug in TreeTask; please report it with the traceback."""


def words_of(error: BaseException) -> str:
    """Return what an error says, or of what type it is if it says nothing or cannot."""
    try:
        return str(error) or type(error).__name__
    except BaseException as broken:  # noqa: BLE001 - its own `__str__`, which may do anything, and is to end nothing
        return f"{type(error).__name__} (its text could not be had: {type(broken).__name__})"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the closest of the known names, or what names there are."""
    from difflib import get_close_matches

    names = list(known)
    close = get_close_matches(word, names)
    if close:
        # Who writes a name in short means that one, not another that is as short: 'task_fn' for 'task', not 'tags'.
        best = next((name for name in close if name.startswith(word)), close[0])
        return f" (did you mean '{best}'?)"
    if not names:
        return " (there are none)"
    shown = ", ".join(f"'{name}'" for name in names[:_NAMES_SHOWN])
    return f" (there are {shown}{', …' if len(names) > _NAMES_SHOWN else ''})"


def short_path(path: str) -> str:
    """Return a path as one would type it here: relative where it is below the current folder."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path  # the current folder is gone, or on another drive
    return path if path.startswith("<") or relative.startswith(os.pardir) else relative
