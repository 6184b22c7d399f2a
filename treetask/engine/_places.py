"""The places in groups with `max_parallel`: who has one, and who gives it up while it waits for others. Pure, no I/O.

A child of such a group, here a tenant, has a place from its start to its end, with all that is below it. But a body
that waits holds nothing, and what it waits for may need that very place. So a tenant is quiet while nothing below it,
its own body included, runs, wants to run or will be repeated. Then all that is left of it waits for others, and it
gives its place up to who wants it: if a body below it awaits something that is not, or if what is waited for may never
come as long as it keeps the place. Whoever wants to run below it takes the place again, like one that starts.

What must stay true:
- A node takes the places that it lacks all at once: its own, and those of the tenants above that have given theirs up.
  Others that lack one of these wait for it no more.
- Who gives a place up does so with all tenants below, which are quiet as well. So who has a place has all above it, and
  only the nearest tenant has to be asked.
- Who waits for a place counts for nobody above, until it has it: those that have the places count.
- Who is quiet is found out when the tree is at rest, not while one thing that has happened leads to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from treetask.engine._gate import Gate, Wish
from treetask.model import TaskNode


class PlaceGate(Gate):
    """The places of one group."""

    __slots__ = ("quiet", "tenants")

    def __init__(self, group: TaskNode, rank: Callable[[TaskNode], Any]) -> None:
        assert group.options.max_parallel is not None
        super().__init__(f"a place in '{group.id}'", group.options.max_parallel, rank)
        #: Those that have a place, and those of them that are quiet.
        self.tenants: Final[dict[TaskNode, None]] = {}
        self.quiet: Final[dict[TaskNode, None]] = {}

    @property
    def wanted(self) -> int:
        """How many places are waited for; more, where some have stopped to wait."""
        return len(self.queue) + len(self.returning)


class Places:
    """All places of one run.

    `free` is called with a gate that has a place more. `is_deadlocked` says of a quiet tenant whether what it waits for
    may wait for its place.
    """

    def __init__(
        self,
        rank: Callable[[TaskNode], Any],
        free: Callable[[Gate], None],
        is_deadlocked: Callable[[TaskNode], bool],
    ) -> None:
        self._rank = rank
        self._free: Final = free
        self._is_deadlocked: Final = is_deadlocked
        self._gates: Final[dict[TaskNode, PlaceGate]] = {}
        #: The tenant at or above each node with children, where that has been asked for.
        self._tenants: Final[dict[TaskNode, TaskNode | None]] = {}
        #: Nodes whose bodies run, want to run or will be repeated, each with the tenant that has a place for it.
        self._active: Final[dict[TaskNode, TaskNode]] = {}
        #: The tenants with places nearest below each; how many of them are not quiet, its active nodes added.
        self._below: Final[dict[TaskNode, dict[TaskNode, None]]] = {}
        self._busy: Final[dict[TaskNode, int]] = {}
        #: Who waits for the place of a tenant above, and those that need not any more.
        self._parked: Final[dict[TaskNode, list[TaskNode | Wish]]] = {}
        self._released: list[TaskNode | Wish] = []
        #: Tenants that may be quiet.
        self._resting: Final[dict[TaskNode, None]] = {}
        #: How often a body below each tenant awaits something that is not.
        self._awaiting: Final[dict[TaskNode, int]] = {}
        #: Gates where a quiet tenant may have to give its place up; and those where none has, though it is wanted.
        self._unsettled: Final[dict[PlaceGate, None]] = {}
        self._stalled: Final[dict[PlaceGate, None]] = {}

    # -- taking and leaving ------------------------------------------------------------------------------------------

    def waited_for(self, node: TaskNode) -> Gate | None:
        """Return the same; nothing changes, whatever thread asks."""
        above: TaskNode | None = node
        while above is not None and above.parent is not None:
            gate = self._gates.get(above.parent)
            if gate is not None and gate.free <= 0 and above not in gate.tenants:
                return gate
            above = above.parent
        return None

    def missing(self, node: TaskNode) -> Iterator[TaskNode]:
        """Yield the tenants without a place that a node belongs to, from below."""
        tenant = self._tenant_of(node)
        while tenant is not None and not self._has_place(tenant):
            yield tenant
            tenant = self._tenant_of(tenant.parent)

    def _has_place(self, node: TaskNode) -> bool:
        return node in self._busy

    def tenants_beside(self, tenant: TaskNode) -> list[TaskNode]:
        """Return those that have the places of a tenant's group."""
        return list(self._gate_of(tenant).tenants)

    def park(self, node: TaskNode, wish: Wish | None = None) -> bool:
        """Let a node wait where it lacks a place, to begin or, with a wish, to go on; return whether it lacks one."""
        for tenant in self.missing(node):
            gate = self._gate_of(tenant)
            if gate.free <= 0:
                self.calm(node)
                if wish is None:
                    gate.queue.push(node)
                else:
                    gate.returning.append(wish)
                if tenant is not node:
                    self._parked.setdefault(tenant, []).append(node if wish is None else wish)
                self._look_at(gate)
                return True
        return False

    def take(self, node: TaskNode) -> None:
        """Let a node, which goes on by itself, have all places that it lacks, which are free."""
        missing = list(self.missing(node))
        for tenant in missing:
            gate = self._gate_of(tenant)
            gate.free -= 1
            gate.tenants[tenant] = None
            self._busy[tenant] = 0
            self._released.extend(self._parked.pop(tenant, ()))
        for tenant in missing:
            above = self._tenant_of(tenant.parent)
            if above is not None:
                self._below.setdefault(above, {})[tenant] = None
                self._add(above)
        if missing:
            self.calm(node)
        self.rouse(node)

    def take_released(self) -> list[TaskNode | Wish]:
        """Return who has waited for a place that it need not wait for any more, and forget them."""
        released, self._released = self._released, []
        return released

    def leave(self, node: TaskNode) -> None:
        """Take the place of a node back, which has ended."""
        self.calm(node)
        if self._has_place(node):
            self._vacate(node)
        for books in (self._gates, self._tenants, self._below, self._parked):
            books.pop(node, None)

    def _vacate(self, top: TaskNode) -> None:
        """Take a place back, and those of all tenants below."""
        leaving = [top]
        while leaving:
            tenant = leaving.pop()
            leaving += self._below.get(tenant, ())
            gate = self._gate_of(tenant)
            del gate.tenants[tenant], self._busy[tenant]
            above = self._tenant_of(tenant.parent)
            if above is not None:
                del self._below[above][tenant]
                if tenant not in gate.quiet:
                    self._subtract(above)
            gate.quiet.pop(tenant, None)
            self._free(gate)

    # -- who is quiet ------------------------------------------------------------------------------------------------

    def rouse(self, node: TaskNode) -> None:
        """A body runs, wants to run or will be repeated."""
        if node not in self._active:
            tenant = self._tenant_of(node)
            while tenant is not None and not self._has_place(tenant):
                tenant = self._tenant_of(tenant.parent)
            if tenant is not None:
                self._active[node] = tenant
                self._add(tenant)

    def calm(self, node: TaskNode) -> None:
        """It does not any more, or not before it has a place."""
        tenant = self._active.pop(node, None)
        if tenant is not None:
            self._subtract(tenant)

    def _add(self, tenant: TaskNode | None) -> None:
        """Something more goes on below a tenant, and so below those above that were quiet."""
        while tenant is not None:
            self._busy[tenant] += 1
            quiet = self._gate_of(tenant).quiet
            if tenant not in quiet:
                return
            del quiet[tenant]
            tenant = self._tenant_of(tenant.parent)

    def _subtract(self, tenant: TaskNode) -> None:
        self._busy[tenant] -= 1
        if not self._busy[tenant]:
            self._resting[tenant] = None

    def _note_quiet(self) -> None:
        """The tree is at rest: tenants below which nothing goes on are quiet, and so may be those above."""
        while self._resting:
            tenant, _ = self._resting.popitem()
            if self._busy.get(tenant, 1) == 0 and tenant not in self._gate_of(tenant).quiet:
                self._gate_of(tenant).quiet[tenant] = None
                self._look_at(self._gate_of(tenant))
                above = self._tenant_of(tenant.parent)
                if above is not None:
                    self._subtract(above)

    def begin_wait(self, body: TaskNode, awaited: TaskNode) -> list[TaskNode]:
        """A body waits for a node: return the tenants that it belongs to and the node does not."""
        above: TaskNode | None = awaited
        around: set[TaskNode] = set()
        while above is not None:
            around.add(above)
            above = above.parent
        tenants: list[TaskNode] = []
        tenant = self._tenant_of(body)
        while tenant is not None and tenant not in around:
            self._awaiting[tenant] = self._awaiting.get(tenant, 0) + 1
            tenants.append(tenant)
            tenant = self._tenant_of(tenant.parent)
        return tenants

    def end_wait(self, tenants: list[TaskNode]) -> None:
        """The wait is over that `begin_wait` was told of."""
        for tenant in tenants:
            self._awaiting[tenant] -= 1
            if not self._awaiting[tenant]:
                del self._awaiting[tenant]

    # -- giving up ---------------------------------------------------------------------------------------------------

    @property
    def is_unsettled(self) -> bool:
        """Whether somebody may have to give a place up."""
        return bool(self._resting) or bool(self._unsettled)

    def _look_at(self, gate: PlaceGate) -> None:
        """Somebody waits at a gate, or has become quiet there."""
        if gate.quiet and gate.wanted:
            self._unsettled[gate] = None

    def look_again(self) -> None:
        """Something waits that did not, or for something else: who kept a place may have to give it up now."""
        self._unsettled.update(self._stalled)
        self._stalled.clear()

    def settle(self) -> bool:
        """Let quiet tenants give up the places that are wanted; return whether any did."""
        has_given_up = False
        self._note_quiet()
        while self._unsettled:
            gate, _ = self._unsettled.popitem()
            while gate.wanted > gate.free and gate.quiet:
                tenant = next(filter(self._gives_up, gate.quiet), None)
                if tenant is None:
                    self._stalled[gate] = None
                    break
                self._vacate(tenant)
                has_given_up = True
        return has_given_up

    def _gives_up(self, tenant: TaskNode) -> bool:
        return tenant in self._awaiting or self._is_deadlocked(tenant)

    # -- books -------------------------------------------------------------------------------------------------------

    def sort_by(self, rank: Callable[[TaskNode], Any]) -> Iterable[Gate]:
        """From now on make gates that go by these ranks; return all that there are."""
        self._rank = rank
        return self._gates.values()

    def _gate_of(self, tenant: TaskNode) -> PlaceGate:
        group = tenant.parent
        assert group is not None
        gate = self._gates.get(group)
        if gate is None:
            gate = self._gates[group] = PlaceGate(group, self._rank)
        return gate

    def _tenant_of(self, node: TaskNode | None) -> TaskNode | None:
        """Return the nearest tenant at or above a node."""
        path: list[TaskNode] = []
        found: TaskNode | None = None
        while node is not None and node not in self._tenants:
            if node.parent is not None and node.parent.options.max_parallel is not None:
                found = node
                break
            if node._children:
                path.append(node)
            node = node.parent
        else:
            found = None if node is None else self._tenants[node]
        for each in path:
            self._tenants[each] = found
        return found
