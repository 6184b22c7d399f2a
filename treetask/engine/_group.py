"""What the scheduler remembers of a node that has begun and has, or may get, children."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from treetask._errors import InternalError
from treetask.model import (
    BAD_ENDINGS,
    CLOSED,
    FAILURES,
    Child,
    OnFailure,
    TaskNode,
    TaskStatus,
    TreeTaskConfig,
)

#: What is empty of a group's lists, as most are: one object for all. Nothing is appended to it, see `Group.note_bad`.
_NONE: Final[Any] = ()


class Group:
    """One attempt of a node, as far as its children are concerned."""

    __slots__ = (
        "added",
        "bad",
        "body_ended",
        "gate_open",
        "is_cleaning_up",
        "is_final",
        "is_watched",
        "kept_by",
        "line",
        "live",
        "node",
        "policy",
        "stopped",
        "stopping",
        "undelivered",
        "unstarted",
        "verdict",
        "watch",
    )

    def __init__(self, node: TaskNode) -> None:
        self.node = node
        #: Whether the body is over; groups without one are born so.
        self.body_ended = False
        #: Whether the children that were there before the body may run.
        self.gate_open = False
        #: Children that were let go ahead and have not ended.
        self.live = 0
        #: Children of a sequential parent whose turn has not come.
        self.line: deque[TaskNode] = _NONE
        #: Children that this attempt added; a failed attempt takes them with it.
        self.added: list[TaskNode] = _NONE
        #: Children that failed, timed out or were cancelled.
        self.bad: list[TaskNode] = _NONE
        #: Failures that the body of a spawner has not been told of.
        self.undelivered: list[TaskNode] = _NONE
        #: What this group does on a failure; None until it was asked for.
        self.policy: OnFailure | None = None
        #: The policy that keeps further children from starting.
        self.stopped: OnFailure | None = None
        #: Why this node itself is being stopped: its body is interrupted once its children are down.
        self.stopping: str | None = None
        #: Whether the attempt is the last whatever comes: it was stopped from outside.
        self.is_final = False
        #: Whether all else is down, and what always runs may go.
        self.is_cleaning_up = False
        #: How the attempt ends, whatever the children do; None leaves it to them.
        self.verdict: TaskStatus | None = None
        #: Whether the body yields children and has to know how they stand.
        self.is_watched = False
        #: Children that were let go ahead and have not started; counted where that is watched.
        self.unstarted = 0
        #: Called when a child of a watched group has started or ended, as long as the body waits for such.
        self.watch: Callable[[], None] | None = None
        #: Who kept the node, which is done, from being folded with all below it, when that was looked at last.
        self.kept_by: TaskNode | None = None

    @property
    def is_down(self) -> bool:
        """Whether no child runs or waits for its turn."""
        return not self.live and not self.line

    def let_go(self, count: int) -> None:
        """Count children that may go ahead from now on."""
        self.live += count
        if self.is_watched:
            self.unstarted += count

    def line_up(self, children: Iterable[TaskNode]) -> None:
        """Let children wait for their turn."""
        self.line = self.line or deque()
        self.line.extend(children)

    def note_added(self, child: TaskNode) -> None:
        """A child came in while the body ran."""
        if self.added:
            self.added.append(child)
        else:
            self.added = [child]

    def note_bad(self, children: Iterable[TaskNode]) -> None:
        """Children failed, timed out or were cancelled."""
        self.bad = self.bad or []
        self.bad.extend(children)

    def note_undelivered(self, child: TaskNode) -> None:
        """A child failed, and the body is to be told."""
        self.undelivered = self.undelivered or []
        self.undelivered.append(child)

    def unclaimed(self, *statuses: TaskStatus) -> TaskNode | None:
        """Return the first child in one of the statuses that no body has taken responsibility for."""
        for child in self.bad:
            if child.status in statuses and not is_claimed(child):
                return child
        return None

    def unclaimed_failures(self) -> list[TaskNode]:
        """Return the children that failed or timed out and that no body has taken responsibility for."""
        return [child for child in self.bad if child._status in FAILURES and not is_claimed(child)]

    def claim_failures(self, *, told: bool = False) -> list[TaskNode]:
        """Return the failures that the body was not told of; from now on it has them, and the group may go on.

        With `told`, the body has just been told of one by itself. What the policy stopped because of what it has been
        told is the body's affair as well.
        """
        failures = [child for child in self.undelivered if not is_claimed(child)]
        if told:
            self.undelivered, failures = failures, []
        else:
            self.undelivered = _NONE
        for child in failures:
            claim(child)
        if self.stopped is not None and self.unclaimed(*FAILURES) is None:
            for child in [*self.bad, *(self.entered() if self.stopped is OnFailure.CANCEL else ())]:
                claim(child)
            self.stopped = None
        return failures

    def entered(self) -> list[TaskNode]:
        """Return the children that have not ended and were let go ahead or wait in line, but not what always runs."""
        line = set(self.line)
        return [
            child
            for child in self.node._children
            if not child._status.is_terminal
            and (self.gate_open or child._waits < CLOSED or child in line)
            and not child.options.always
        ]

    def clear_line(self) -> None:
        """Let nobody go ahead any more but what always runs."""
        if self.line:
            always = [child for child in self.line if child.options.always]
            self.line.clear()
            self.line.extend(always)


def because(node: TaskNode) -> str:
    """Return the reason that an ended node is for another one's end."""
    if node._tree is None:
        return f"'{node.id}' was discarded"
    return f"'{node.id}' {BAD_ENDINGS.get(node._status, node._status)}"


def is_allowed(node: TaskNode) -> bool:
    """Whether a node's failure is none of its parent's."""
    return node.options.allow_failure and node._status in FAILURES


def is_claimed(node: TaskNode) -> bool:
    """Whether a body has caught this node's failure, or has caused its end."""
    return node._child is not None and node._child.claimed


def handle_of(node: TaskNode) -> Child[Any]:
    """Return the handle of a node; one that was not spawned gets it now."""
    if node._child is None:
        child = _Handle(_Placed(node.name), (), {})
        child._node = node
        node._child = child
    return node._child  # type: ignore[no-any-return]


def claim(node: TaskNode) -> None:
    """Note that a body has taken responsibility for how a node ends."""
    handle_of(node).claimed = True


class _Handle(Child[Any]):
    """The handle of a node that is in the tree already."""

    __slots__ = ()

    makes_its_node = False


class _Placed:
    """The template of a node that is in the tree already."""

    __slots__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label

    def make_node(self, child: Child[Any], node_id: str) -> NoReturn:
        raise InternalError(f"'{node_id}' is made only once")


def policy_of(node: TaskNode, config: TreeTaskConfig) -> OnFailure:
    """Return what a group does on a failure: what it says, or one above it, or the config."""
    asked: list[Group] = []
    policy: OnFailure | None = None
    above: TaskNode | None = node
    while above is not None and policy is None:
        group: Group | None = above._group
        policy = above.options.on_failure
        if policy is None and group is not None:
            policy = group.policy
            asked.append(group)
        above = above.parent
    if policy is None:
        policy = OnFailure(config.on_failure)
    for group in asked:
        # A failure that goes up a deep tree asks at every level.
        group.policy = policy
    return policy
