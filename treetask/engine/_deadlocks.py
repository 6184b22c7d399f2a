"""Who would wait for ever: bodies that wait for each other, and who waits for a place that it keeps itself. Pure.

Of each node the start, the body and the end are vertices of a graph of who waits for whom now: the start for the
dependencies, the parent and the sibling before it in a sequence, a body for what it awaits, the end for all of it and
for the ends of the children. Dependencies alone close no cycle, which was checked when they came in; bodies that wait
may. They are refused before they do. Who keeps a place that it waits for is told to give it up (`_places.py`).

A body that waits in a task of its own, beside others, may end that wait any time. It is not taken to be stuck.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Final, TypeAlias

from treetask._errors import DependencyCycleError
from treetask.engine._group import Group
from treetask.engine._left_over import LeftOver
from treetask.engine._places import Places
from treetask.engine._repeat import may_be_repeated
from treetask.engine._waiting import Waiting
from treetask.model import CLOSED, TaskNode, TaskStatus, TreeTaskConfig, goes_last, in_turn

#: A node, and what of it is meant.
_Vertex: TypeAlias = tuple[TaskNode, int]

_START: Final = 0
_BODY: Final = 1
_END: Final = 2

_PENDING: Final = TaskStatus.PENDING
_DONE: Final = TaskStatus.DONE


class Deadlocks:
    """Who waits for whom in a run, beyond what dependencies say."""

    def __init__(self, waiting: Waiting, left_over: LeftOver, config: TreeTaskConfig) -> None:
        self._waiting: Final = waiting
        self._left_over: Final = left_over
        self._config: Final = config
        self.places: Places | None = None
        #: What the bodies await that wait: for others than their children, or while they hold children back.
        self._awaits: Final[dict[TaskNode, list[TaskNode]]] = {}
        #: The same for bodies that wait in tasks of their own.
        self._awaits_aside: Final[dict[TaskNode, list[TaskNode]]] = {}
        #: Bodies that have got children which begin only after them.
        self._hold_back: Final[set[TaskNode]] = set()
        #: Whether a sequence runs in another order than that of the children, by which dependencies were checked.
        self._is_out_of_order = False
        #: How many bodies await each node.
        self._awaited: Final[Counter[TaskNode]] = Counter()
        #: How often it has changed who waits for whom, but by starts and ends.
        self._changes = 0
        #: Tenants that would wait for their own place, and those that would not, with the number of changes then.
        self._deadlocked: Final[set[TaskNode]] = set()
        self._alive: Final[dict[TaskNode, int]] = {}
        #: A node, and all that its end waits for: kept while nothing comes to that.
        self._needs: tuple[TaskNode, set[_Vertex]] | None = None
        waiting.held.is_waited_for = self._is_waited_for

    def note_change(self) -> None:
        """Nodes have come in, or were brought back to their beginning."""
        self._changes += 1
        self._needs = None

    def forget(self, nodes: Iterable[TaskNode]) -> None:
        """Let go nodes that were folded."""
        self._needs = None
        for node in nodes:
            self._hold_back.discard(node)
            self._deadlocked.discard(node)
            self._alive.pop(node, None)

    def note_held_back(self, body: TaskNode) -> None:
        """A body that runs has got a child that begins only after it."""
        self._hold_back.add(body)

    def note_overtaking(self, body: TaskNode) -> None:
        """A body of a sequence lets a child go at once, ahead of those that begin only after it."""
        self._is_out_of_order = self._is_out_of_order or self._holds_back(body)

    def _holds_back(self, body: TaskNode) -> bool:
        """Whether a body that runs has children that begin only after it."""
        group: Group | None = body._group
        if group is None or group.gate_open:
            return False
        others = len(group.added) + len(self._left_over.of.get(body, ()))
        return body in self._hold_back or len(body._children) > others

    # -- bodies that wait --------------------------------------------------------------------------------------------

    def begin_wait(self, body: TaskNode, awaited: TaskNode, *, aside: bool) -> Callable[[], None] | None:
        """A body waits for a node, in its own task or one `aside`; return what ends that, None if nobody need know."""
        if awaited.parent is body and not self._holds_back(body):
            return None
        self.note_change()
        tenants = [] if self.places is None else self.places.begin_wait(body, awaited)
        awaits = self._awaits_aside if aside else self._awaits
        awaits.setdefault(body, []).append(awaited)
        self._awaited[awaited] += 1

        def end() -> None:
            self._needs = None
            awaits[body].remove(awaited)
            if not awaits[body]:
                del awaits[body]
            self._awaited[awaited] -= 1
            if not self._awaited[awaited]:
                del self._awaited[awaited]
            if self.places is not None:
                self.places.end_wait(tenants)

        return end

    def refuse(self, body: TaskNode, awaited: TaskNode) -> None:
        """Raise `DependencyCycleError` for a body that would wait in vain: for what waits, in the end, for it."""
        if not self._may_wait_for(body, awaited):
            return
        path = self._way_to([awaited], body)
        if path is not None:
            raise _wait_in_vain(path, body)

    def refuse_branch(self, top: TaskNode, find: Callable[[str], TaskNode | None]) -> None:
        """Raise `DependencyCycleError` for a branch that comes in and needs what waits for it.

        What dependencies alone come to, with all sequences in the order of the children, is not looked for here.
        """
        for node in top.walk() if self._awaits or self._is_out_of_order else ():
            needed = [one for one in map(find, node.options.depends_on) if one is not None]
            path = self._way_to(needed, node) if needed else None
            if path is not None:
                ids = [node.id, *dict.fromkeys(one.id for one, _ in path if one is not node), node.id]
                raise DependencyCycleError(ids, "; ".join([*_reasons(path, node), "remove one of these dependencies"]))

    def _may_wait_for(self, body: TaskNode, awaited: TaskNode) -> bool:
        """Whether it is worth a search: most bodies wait for what they have spawned, and nobody for them."""
        if awaited._status is _PENDING and (awaited._waits % CLOSED or self._holds_back(body)):
            return True
        if self._waiting.features.has_always:
            return True
        node: TaskNode | None = awaited.parent
        while node is not None and node is not body:
            node = node.parent
        if node is body:
            return bool(self._awaits)
        node = body
        while node is not None:
            is_in_sequence = node.parent is not None and not node.parent.options.parallel
            if node is awaited or is_in_sequence or node in self._waiting.dependents or node in self._awaited:
                return True
            node = node.parent
        return self._holds_back(body)

    # -- news that are held ------------------------------------------------------------------------------------------

    def _is_waited_for(self, node: TaskNode, by: TaskNode) -> bool:
        """Whether the end of a node waits for another one, which has not begun and is not below it."""
        if not self._may_be_waited_for(node, by):
            return False
        # What was waited for the last time may have ended since.
        if self._needs is None or self._needs[0] is not by or (node, _START) in self._needs[1]:
            needs: set[_Vertex] = set()

            def note(vertex: _Vertex) -> bool:
                needs.add(vertex)
                return False

            # What has ended is waited for no more in this attempt; the next one is looked at when it begins.
            self._find([(by, _END)], note, lambda _: (), is_over=TaskNode.is_done)
            self._needs = by, needs
        return (node, _START) in self._needs[1]

    def _may_be_waited_for(self, node: TaskNode, by: TaskNode) -> bool:
        if self._waiting.features.has_always:
            return True
        if any(below in self._waiting.dependents or below in self._awaited for below in node.walk()):
            return True
        above = set(by.get_ancestors())
        one = node
        while one.parent is not None and one not in above:
            if one in self._waiting.dependents or one in self._awaited or not one.parent.options.parallel:
                return True
            one = one.parent
        return False

    # -- tenants that are quiet --------------------------------------------------------------------------------------

    def is_deadlocked(self, tenant: TaskNode) -> bool:
        """Whether what a quiet tenant waits for may wait for a place in its group, or for others that do."""
        if tenant in self._deadlocked:
            return True
        if self._alive.get(tenant) == self._changes:
            return False
        group = tenant.parent
        asked: set[TaskNode] = set()

        def lacks_place(vertex: _Vertex) -> bool:
            return vertex[1] != _END and any(one.parent is group for one in self._missing(vertex[0]))

        def places(vertex: _Vertex) -> Iterator[_Vertex]:
            for one in () if vertex[1] == _END else self._missing(vertex[0]):
                if one.parent is not None and one.parent not in asked:
                    asked.add(one.parent)
                    assert self.places is not None
                    yield from ((each, _END) for each in self.places.tenants_beside(one))

        starts = [(tenant, _BODY), *((child, _END) for child in tenant._children if not child.is_done())]
        if self._find(starts, lacks_place, places) is None:
            self._alive[tenant] = self._changes
            return False
        self._deadlocked.add(tenant)
        # One that keeps its place may wait for what this one has kept.
        self._changes += 1
        return True

    def _missing(self, node: TaskNode) -> Iterator[TaskNode]:
        return iter(()) if self.places is None else self.places.missing(node)

    def _way_to(self, starts: list[TaskNode], node: TaskNode) -> list[_Vertex] | None:
        """Return the way from the ends of nodes to a node's body, or to the end of it or of one above it."""
        above = {node, *node.get_ancestors()}
        return self._find(
            [(one, _END) for one in starts],
            lambda vertex: vertex[0] in above and (vertex[1] == _END or vertex == (node, _BODY)),
        )

    # -- the graph ---------------------------------------------------------------------------------------------------

    def _find(
        self,
        starts: Iterable[_Vertex],
        is_sought: Callable[[_Vertex], bool],
        more: Callable[[_Vertex], Iterable[_Vertex]] | None = None,
        is_over: Callable[[TaskNode], bool] | None = None,
    ) -> list[_Vertex] | None:
        """Return the shortest way to a vertex that is sought, along who waits for whom; None if there is none.

        With `more`, which says what a vertex waits for besides, bodies that wait aside count as well, and those who
        wait for news that are held, which nobody has to. `is_over` says who is not waited for; by default who has ended
        for good.
        """
        is_over = is_over or self._is_over
        came_from: dict[_Vertex, _Vertex | None] = dict.fromkeys(starts)
        waiting = deque(came_from)
        turns: dict[TaskNode, dict[TaskNode, TaskNode]] = {}
        while waiting:
            vertex: _Vertex | None = waiting.popleft()
            assert vertex is not None
            if is_sought(vertex):
                path: list[_Vertex] = []
                while vertex is not None:
                    path.append(vertex)
                    vertex = came_from[vertex]
                return path[::-1]
            followed = [*self._waits_for(vertex, turns)]
            if more is not None:
                followed += more(vertex)
                followed += [(one, _END) for one in self._awaits_aside.get(vertex[0], ()) if vertex[1] == _BODY]
                held = self._waiting.held.of.get(vertex[0])
                followed += [(one, _END) for one in held.values()] if held and vertex[1] == _START else []
            for each in followed:
                if each not in came_from and not is_over(each[0]):
                    came_from[each] = vertex
                    waiting.append(each)
        return None

    def _is_over(self, node: TaskNode) -> bool:
        """Whether nobody has to wait for a node any more, whatever is repeated above it."""
        if node._status is _DONE or not node._status.is_terminal:
            return node._status is _DONE
        return not any(may_be_repeated(above, self._config) for above in node.get_ancestors())

    def _waits_for(self, vertex: _Vertex, turns: dict[TaskNode, dict[TaskNode, TaskNode]]) -> Iterator[_Vertex]:
        node, part = vertex
        if part == _END:
            # One that has ended and may come back begins anew.
            yield node, _START if node._status is _PENDING or node._status.is_terminal else _BODY
            yield from ((child, _END) for child in node._children)
        elif part == _BODY:
            yield from ((one, _END) for one in self._awaits.get(node, ()))
        else:
            yield from ((one, _END) for one in self._waiting.unmet(node))
            yield from self._waits_in_group(node, turns)

    @staticmethod
    def _waits_in_group(node: TaskNode, turns: dict[TaskNode, dict[TaskNode, TaskNode]]) -> Iterator[_Vertex]:
        """Yield what a node that has not begun waits for because of the place where it stands."""
        parent = node.parent
        if parent is None or node._waits < CLOSED:
            return
        group: Group | None = parent._group
        if parent._status is _PENDING:
            yield parent, _START
        elif group is None or not (group.gate_open or node in group.line) or goes_last(node):
            yield parent, _BODY
        if not parent.options.parallel:
            if parent not in turns:
                turns[parent] = _who_goes_before(parent)
            if node in turns[parent]:
                yield turns[parent][node], _END
        elif goes_last(node):
            yield from ((one, _END) for one in parent._children if not goes_last(one))


def _who_goes_before(parent: TaskNode) -> dict[TaskNode, TaskNode]:
    """Return, for each child of a sequence that has not ended, the one that goes before it."""
    group: Group | None = parent._group
    line = [] if group is None else [child for child in group.line if not child._status.is_terminal]
    in_line = set(line)
    left = [child for child in in_turn(parent) if not child._status.is_terminal and child not in in_line]
    running = [child for child in left if child._waits < CLOSED]
    held_back = [child for child in left if child._waits >= CLOSED]
    return {later: earlier for earlier, later in pairwise([*running, *line, *held_back])}


def _wait_in_vain(path: list[_Vertex], body: TaskNode) -> DependencyCycleError:
    """Tell a way from what a body would wait for to that body, or to the end of it or of one above it."""
    awaited = path[0][0]
    reasons = _reasons(path, body)
    if path[-1][1] == _BODY:
        # The last reason is why that body has to be over first.
        reasons[-1] += f", which would wait for '{awaited.id}'"
        held_back = path[-2][0]
        fix = "do not wait for it there" if goes_last(held_back) else "let it go ahead first: yield JOIN"
    else:
        reasons.append(f"the body of '{body.id}' would wait for '{awaited.id}'")
        fix = "do not wait for it there"
    ids = dict.fromkeys([*(node.id for node, _ in path), body.id])
    return DependencyCycleError([*ids, awaited.id], "; ".join([*reasons, fix]))


def _reasons(path: list[_Vertex], end: TaskNode) -> list[str]:
    """Say why each waits for the next, and at last for `end`, which is the last or below it."""
    reasons = [reason for reason in map(_reason, path, path[1:]) if reason is not None]
    last = path[-1][0]
    if last is not end:
        below = f"its child '{end.id}'" if end.parent is last else f"'{end.id}', which is below it"
        reasons.append(f"'{last.id}' ends after {below}")
    return reasons


def _reason(here: _Vertex, there: _Vertex) -> str | None:
    """Say why one waits for the other, where no dependency says so."""
    (one, part), (other, other_part) = here, there
    if one is other or (part == _START and other_part == _END and other.id in one.options.depends_on):
        return None
    if part == _END:
        return f"'{one.id}' ends after its child '{other.id}'"
    if part == _BODY:
        return f"the body of '{one.id}' waits for '{other.id}'"
    if other_part == _BODY:
        return f"'{one.id}' starts after the body of '{other.id}'"
    if other_part == _START:
        return f"'{one.id}' starts after its parent '{other.id}'"
    if goes_last(one) and not goes_last(other):
        return f"'{one.id}' goes after all its siblings because it says always=True"
    assert one.parent is not None
    return f"'{one.id}' starts after '{other.id}' because '{one.parent.id}' is sequential"
