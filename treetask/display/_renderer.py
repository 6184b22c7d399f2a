"""A whole tree as text, as it is printed when a run is over. Knows no terminal, no width and no time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from treetask.display._standing import Standings
from treetask.display._theme import DEEPEST_PREFIX, Theme, theme_for
from treetask.display._words import NOTE_SHOWN, progress_text, retries, trouble
from treetask.model import FAILURES, TaskNode, TaskStatus, TaskTree, TreeTaskConfig
from treetask.text import number, safe_text

_NOT_RUN = (TaskStatus.SKIPPED, TaskStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class _Place:
    """A node that is still to be drawn, or None for the row that counts what its siblings hide."""

    node: TaskNode | None
    depth: int
    #: What the levels above it draw in front of it; of no use beyond `DEEPEST_PREFIX`.
    indent: str
    is_last: bool
    text: str = ""


class TreeRenderer:
    """Renders trees as text: one line a node, icon and name. Without a config the tree's own is used."""

    def __init__(self, config: TreeTaskConfig | None = None) -> None:
        self.config = config

    def render(
        self,
        tree: TaskTree,
        max_depth: int | None = None,
        show_stats: bool = False,  # noqa: FBT001, FBT002 - the printed API
    ) -> str:
        """Return the tree; with `show_stats` an empty line and `Progress: 1/4 (25%)` follow.

        `max_depth` limits how many levels below the root open; what failed is shown below it too, and a group that is
        closed, or open only in part, counts what it hides. A group that has not started is one line.
        """
        if not isinstance(tree, TaskTree):
            raise TypeError(f"TreeRenderer renders a TaskTree, not {tree!r}")
        theme = theme_for(self.config or tree.config)
        lines = list(_tree_lines(tree, theme, max_depth))
        if show_stats:
            lines += ["", progress_text(tree)]
        return "\n".join(lines)

    def render_node_line(self, node: TaskNode) -> str:
        """Return one node without the lines of the tree."""
        tree = node._tree
        config = self.config or (TreeTaskConfig() if tree is None else tree.config)
        return _label(node, tree, theme_for(config))


def _tree_lines(tree: TaskTree, theme: Theme, max_depth: int | None) -> Iterator[str]:
    opening = _Opening(tree, max_depth, theme)
    waiting = [_Place(tree.root, 0, "", is_last=True)]
    while waiting:
        place = waiting.pop()
        start = _connector(place, theme)
        node = place.node
        if node is None:
            yield start + place.text
            continue
        shown, rest = opening.of(node, place.depth)
        label = _label(node, tree, theme)
        yield f"{start}{label} {rest}" if rest and not shown else start + label
        if shown:
            waiting.extend(_places_below(place, shown, rest, theme))


class _Opening:
    """Which nodes open, and how far."""

    def __init__(self, tree: TaskTree, max_depth: int | None, theme: Theme) -> None:
        self._tree = tree
        self._max_depth = max_depth
        self._ellipsis = theme.ellipsis
        self._standings = Standings(tree)
        self._forced = _paths_of_failures(tree) if max_depth is not None else set[TaskNode]()

    def of(self, node: TaskNode, depth: int) -> tuple[list[TaskNode], str]:
        """Return the children to draw, and the words for those that are not drawn."""
        children = node.children
        if not children or node.status is TaskStatus.PENDING:
            return [], ""
        shown = list(children)
        if self._max_depth is not None and depth >= self._max_depth:
            shown = [child for child in children if child in self._forced] if node in self._forced else []
        hidden = len(children) + self._tree.folded_children(node) - len(shown)
        if not hidden:
            return shown, ""
        rest = self._standings.below(node)
        for child in shown:
            rest = rest.minus(self._standings.whole(child))
        return shown, f"{self._ellipsis} {rest.more(hidden)}"


def _paths_of_failures(tree: TaskTree) -> set[TaskNode]:
    """Return what failed with all that is above it: these are shown at any depth."""
    paths: set[TaskNode] = set()
    for failed in tree.failed:
        node: TaskNode | None = failed
        while node is not None and node not in paths:
            paths.add(node)
            node = node.parent
    return paths


def _places_below(place: _Place, shown: list[TaskNode], rest: str, theme: Theme) -> list[_Place]:
    """Return the rows below a node, the last one first."""
    indent = place.indent
    if 0 < place.depth < DEEPEST_PREFIX:
        indent += theme.empty if place.is_last else theme.vertical
    depth = place.depth + 1
    rows = [_Place(child, depth, indent, is_last=False) for child in reversed(shown)]
    if rest:
        rows.insert(0, _Place(None, depth, indent, is_last=True, text=rest))
    else:
        rows[0] = _Place(shown[-1], depth, indent, is_last=True)
    return rows


def _connector(place: _Place, theme: Theme) -> str:
    if place.depth == 0:
        return ""
    if place.depth > DEEPEST_PREFIX:
        return theme.deep_prefix(place.depth, is_last=place.is_last)
    return place.indent + (theme.last_branch if place.is_last else theme.branch)


def _label(node: TaskNode, tree: TaskTree | None, theme: Theme) -> str:
    """Return icon and name, and what little else helps: retries, a progress under way, what went wrong."""
    status = node.status
    label = f"{theme.icon(status)} {safe_text(node.name)}"
    if status in FAILURES:
        said = trouble(node)
        return f"{label}  {said}" if said else label
    if status in _NOT_RUN and node.reason:
        return f"{label}  {safe_text(node.reason, limit=NOTE_SHOWN)}"
    if status is TaskStatus.RETRYING:
        return f"{theme.icon(status)} {retries(node, tree)} {safe_text(node.name)}"
    if status is TaskStatus.WORKING and node.progress is not None and node.progress[1] > 1:
        current, total = node.progress
        return f"{label} ({number(current)}/{number(total)})"
    return label
