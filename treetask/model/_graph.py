"""Which node waits for which: resolves the ids of dependencies and finds what could never start.

Every node has a start and an end, and each is a vertex. Its start waits for the start of its parent (the body runs
before the children), for the end of the sibling before it under a sequential parent, and for the ends of its
dependencies. Its end waits for its start and for the ends of its children. A node that goes last waits for the end of
the rest of its group, a third vertex, which waits for each of the others: else there would be an edge for each pair.
A cycle among these can only pass through a declared dependency, so only nodes with one are searched from.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from copy import copy
from itertools import pairwise, takewhile
from typing import Final, TypeAlias

from treetask._errors import DefinitionError, DependencyCycleError, UnknownDependencyError
from treetask.model._features import Features, goes_last
from treetask.model._node import TaskNode
from treetask.model._options import DEFAULT_OPTIONS, NodeOptions
from treetask.model._tree import TaskTree

_START: Final = 0
_END: Final = 1
#: The end of all children but those that go last.
_REST: Final = 2

#: A node, and what of it is meant.
_Vertex: TypeAlias = tuple[TaskNode, int]


def dependencies_of(tree: TaskTree) -> Dependencies:
    """Return the resolved and checked dependencies of a whole tree; kept from the last time, if nothing changed.

    Raises `UnknownDependencyError` and `DependencyCycleError`; another `DefinitionError` for what `Features` refuses.
    """
    version, known = tree.resolved
    if version != tree.version or not isinstance(known, Dependencies):
        known = Dependencies(tree)
        known.include(tree.walk())
        tree.resolved = tree.version, known
    return known


class Dependencies:
    """The resolved dependencies of a tree, kept up as nodes are added."""

    def __init__(self, tree: TaskTree) -> None:
        self._tree: Final = tree
        #: What the nodes make use of.
        self.features: Final = Features()
        self._of: dict[TaskNode, tuple[TaskNode, ...]] = {}
        #: The sibling before each child of a sequential parent; filled when a search first passes there.
        self._before: dict[TaskNode, dict[TaskNode, TaskNode]] = {}
        #: The same for the sibling behind.
        self._behind: dict[TaskNode, dict[TaskNode, TaskNode]] = {}
        self._has_whole_tree = False
        #: The options of the last node that needed nothing: another one like it has nothing to be resolved or noted.
        self._plain: NodeOptions = DEFAULT_OPTIONS
        #: A group, and what waits for its end: kept while children come in below the same one.
        self._after: tuple[TaskNode, set[_Vertex]] | None = None
        #: Who depends on each node. A run takes out what is discarded.
        self.dependents: Final[dict[TaskNode, list[TaskNode]]] = {}

    def of(self, node: TaskNode) -> tuple[TaskNode, ...]:
        """Return the nodes whose ends a node waits for."""
        return self._of.get(node, ())

    def items(self) -> Iterable[tuple[TaskNode, tuple[TaskNode, ...]]]:
        """Return every node that has dependencies, with the nodes whose ends it waits for."""
        return self._of.items()

    def include_plain(self, node: TaskNode) -> bool:
        """Include a node that has just been added, if it needs nothing and is like one before; return whether it is."""
        if node._children or node.options is not self._plain:
            return False
        if self._after is not None and self._after[0] is not node.parent:
            self._after = None
        return True

    def forget(self, nodes: Iterable[TaskNode]) -> None:
        """Let go nodes that were folded, which none needs that is not done."""
        if not self._of:
            return
        needed: set[TaskNode] = set()
        for node in nodes:
            needed.update(self._of.pop(node, ()))
            self.dependents.pop(node, None)
        for node in needed:
            if node in self.dependents:
                self.dependents[node] = [dependent for dependent in self.dependents[node] if dependent in self._of]

    def include(self, nodes: Iterable[TaskNode]) -> list[TaskNode]:
        """Resolve and check the dependencies of nodes; return those that have any.

        The first time they are those of the whole tree, after that those of one branch that was just added, top first.
        Raises `UnknownDependencyError` and `DependencyCycleError`, or another `DefinitionError` for what `Features`
        refuses; nothing is included then.
        """
        came = list(nodes)
        before = copy(self.features)
        added = [node for node in came if node.options.depends_on]
        if self._after is not None and (self._after[0] is not came[0].parent or came[0].options.always):
            self._after = None
        try:
            self.features.note(came)
            for node in added:
                self._of[node] = self._resolve(node)
            if added:
                self._before.clear()
                if self._has_whole_tree:
                    self._refuse_new_cycles(came, added)
                else:
                    self._refuse_cycles(added)
        except DefinitionError:
            self.features.restore(before)
            for node in added:
                self._of.pop(node, None)
            raise
        self._has_whole_tree = True
        self._note_dependents(added)
        if not added and not came[0].options.always and not came[0].options.limits:
            self._plain = came[0].options
        return added

    def _note_dependents(self, nodes: Iterable[TaskNode]) -> None:
        for node in nodes:
            for dependency in self._of[node]:
                others = self.dependents.get(dependency)
                if others is None:
                    self.dependents[dependency] = [node]
                else:
                    others.append(node)

    def _resolve(self, node: TaskNode) -> tuple[TaskNode, ...]:
        found: list[TaskNode] = []
        for wanted in dict.fromkeys(node.options.depends_on):
            dependency = self._tree.find(wanted)
            if dependency is None and self._tree.was_folded(wanted):
                _refuse_to_look_up(node, wanted)
                continue  # it is done
            if dependency is None:
                known = (name for name in self._tree.ids() if name != node.id)
                raise UnknownDependencyError(node.id, wanted, known, _around(self._tree, wanted))
            found.append(dependency)
        return tuple(found)

    def _refuse_new_cycles(self, branch: list[TaskNode], added: list[TaskNode]) -> None:
        """Search only where a branch can have closed a cycle, so that a node costs the same in a tree of any size.

        What was there before waits for the branch at one place: the end of its parent, and the siblings that go last,
        wait for the end of its top. So a new cycle comes back from a dependency to these, or does not leave the branch.
        """
        parent = branch[0].parent
        assert parent is not None
        after = self._what_waits_for_end_of(parent)
        if any((dependency, _END) in after for node in added for dependency in self._of[node]):
            self._refuse_cycles(added)
        elif len(branch) > 1 or branch[0] in self._of.get(branch[0], ()):
            self._refuse_cycles(added, within=set(branch))

    def _what_waits_for_end_of(self, group: TaskNode) -> set[_Vertex]:
        if self._after is None:
            after: set[_Vertex] = set()
            waiting: list[_Vertex] = [(group, _END), (group, _REST)]
            while waiting:
                vertex = waiting.pop()
                if vertex not in after:
                    after.add(vertex)
                    waiting.extend(self._who_waits_for(vertex))
            self._behind.clear()
            self._after = (group, after)
        return self._after[1]

    def _refuse_cycles(self, sources: Iterable[TaskNode], within: Container[TaskNode] | None = None) -> None:
        finished: set[_Vertex] = set()
        for source in sources:
            self._search((source, _START), finished, within)

    def _search(self, source: _Vertex, finished: set[_Vertex], within: Container[TaskNode] | None) -> None:
        """Depth first along what waits for what; a vertex met again on the way down closes a cycle."""
        if source in finished:
            return
        path: dict[_Vertex, Iterator[_Vertex]] = {source: self._waits_for(source)}
        while path:
            vertex = next(reversed(path))
            for wanted in path[vertex]:
                if wanted in path:
                    vertices = list(path)
                    raise self._cycle(vertices[vertices.index(wanted) :])
                if wanted not in finished and (within is None or wanted[0] in within):
                    path[wanted] = self._waits_for(wanted)
                    break
            else:
                finished.add(vertex)
                path.popitem()  # not `del`: the gap that it leaves at the end slows `reversed` down

    def _waits_for(self, vertex: _Vertex) -> Iterator[_Vertex]:
        node, what = vertex
        if what == _END:
            yield node, _START
            for child in node._children:
                yield child, _END
            return
        if what == _REST:
            yield from ((child, _END) for child in node._children if not goes_last(child))
            return
        for dependency in self._of.get(node, ()):
            yield dependency, _END
        parent = node.parent
        if parent is not None:
            yield parent, _START
            if goes_last(node):
                yield parent, _REST
            if not parent.options.parallel:
                earlier = self._earlier_siblings(parent).get(node)
                if earlier is not None:
                    yield earlier, _END

    def _who_waits_for(self, vertex: _Vertex) -> Iterator[_Vertex]:
        """The same edges from the other side."""
        node, what = vertex
        if what == _START:
            yield node, _END
            for child in node._children:
                yield child, _START
            return
        if what == _REST:
            if self.features.has_always:
                yield from ((child, _START) for child in node._children if goes_last(child))
            return
        for dependent in self.dependents.get(node, ()):
            yield dependent, _START
        parent = node.parent
        if parent is not None:
            yield parent, _END
            if self.features.has_always and not goes_last(node):
                yield parent, _REST
            if not parent.options.parallel:
                later = self._later_siblings(parent).get(node)
                if later is not None:
                    yield later, _START

    def _later_siblings(self, parent: TaskNode) -> dict[TaskNode, TaskNode]:
        if parent not in self._behind:
            self._behind[parent] = dict(pairwise(in_turn(parent)))
        return self._behind[parent]

    def _earlier_siblings(self, parent: TaskNode) -> dict[TaskNode, TaskNode]:
        if parent not in self._before:
            self._before[parent] = {later: earlier for earlier, later in pairwise(in_turn(parent))}
        return self._before[parent]

    def _cycle(self, vertices: list[_Vertex]) -> DependencyCycleError:
        """Tell a cycle by its nodes, beginning with one that declared a dependency in it."""
        vertices = [vertex for vertex in vertices if vertex[1] != _REST]
        steps = list(zip(vertices, [*vertices[1:], vertices[0]], strict=True))
        declared = [place for place, (here, there) in enumerate(steps) if self._is_declared(here, there)]
        steps = steps[declared[0] :] + steps[: declared[0]]
        names = [steps[0][0][0].id]
        reasons: list[str] = []
        for here, there in steps:
            if there[0] is not here[0]:
                names.append(there[0].id)
                reason = self._implied(here, there)
                if reason is not None:
                    reasons.append(reason)
        if len(names) == 1 or names[-1] != names[0]:
            names.append(names[0])
        return DependencyCycleError(names, "; ".join([*dict.fromkeys(reasons), "remove one of these dependencies"]))

    def _is_declared(self, here: _Vertex, there: _Vertex) -> bool:
        return here[1] == _START and there[1] == _END and there[0] in self._of.get(here[0], ())

    def _implied(self, here: _Vertex, there: _Vertex) -> str | None:
        if self._is_declared(here, there):
            return None
        if here[1] == _END:
            return f"'{here[0].id}' ends after its child '{there[0].id}'"
        if there[1] == _END:
            parent = here[0].parent
            assert parent is not None
            if goes_last(here[0]) and not goes_last(there[0]):
                return f"'{here[0].id}' goes after all its siblings because it says always=True"
            return f"'{here[0].id}' starts after '{there[0].id}' because '{parent.id}' is sequential"
        return f"'{here[0].id}' starts after its parent '{there[0].id}'"


def _refuse_to_look_up(node: TaskNode, wanted: str) -> None:
    """Raise `DefinitionError` for a body that takes the result of a node that was folded."""
    inputs: tuple[tuple[str, str, object], ...] = getattr(node._body, "inputs", ())
    asked: tuple[tuple[str, str, object], ...] = getattr(node.options.when, "inputs", ())
    for parameter, source, _ in (*inputs, *asked):
        if source == wanted:
            raise DefinitionError(
                f"task '{node.id}' takes '{parameter}' from '{wanted}', which is done and whose result is gone: its "
                "group says keep_done='rollup'; hand the value over as an argument, or let the group keep what is done"
            )


def in_turn(parent: TaskNode) -> list[TaskNode]:
    """Return the children of a sequential parent in the order in which they run."""
    return sorted(parent._children, key=goes_last)


def _around(tree: TaskTree, wanted: str) -> str | None:
    """Return the id of what has a tree and what is wanted in it, where it was made of a part of some declarations."""
    if tree.made_from is None or wanted.startswith(f"{tree.root.id}/"):
        return None
    pairs = zip(tree.root.id.split("/"), wanted.split("/"), strict=False)
    return "/".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) or None
