"""A run as lines of JSON: what happened, in order, without the objects it happened to.

The first key of a line, `event`, says what kind it is. Every line has `seq`, which counts from 1 without a gap, `at`,
seconds since the run began on a clock that is never set, and `wall`, seconds since the epoch. Nodes are named by their
ids: unique in the tree, the same in every run, and a path for what was declared. A key that is left out has its
default. Readers skip keys that they do not know; a `version` that they do not know they refuse.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

#: The form of the lines. Raised when a reader of the last form would misunderstand the new one.
FORMAT_VERSION: Final = 1


#: Seconds of a run, before or after its beginning; and since the epoch. What is read is some decades at most, and in
#: the calendar's first ten thousand years: whoever shows it can count on that.
Seconds: TypeAlias = Annotated[float, Meta(ge=-1e9, le=1e9)]
Moment: TypeAlias = Annotated[float, Meta(ge=-6e10, le=2.5e11)]
#: Of a progress, as it was given.
Number: TypeAlias = int | float


class Frame(Struct, frozen=True, omit_defaults=True, gc=False):
    """A place in the user's own code that an exception passed."""

    file: str
    line: int
    function: str
    #: The text of the line, where it is known.
    source: str = ""


class Fault(Struct, frozen=True, omit_defaults=True, gc=False):
    """What went wrong: one exception that was raised, or an error without one."""

    #: The name of the exception's class; empty where there is no exception.
    kind: str
    #: As it was said, of any number of lines.
    message: str
    frames: tuple[Frame, ...] = ()
    #: What caused it, what caused that, and so on.
    causes: tuple[Fault, ...] = ()


class _Line(Struct, frozen=True, tag_field="event", omit_defaults=True, kw_only=True, gc=False):
    seq: int
    at: Seconds
    wall: Moment


class StartLine(_Line, frozen=True, tag="run_started", gc=False):
    """The first line. Those of the nodes that the tree has now follow, parents first."""

    version: int
    #: The root's id and name.
    root: str
    name: str
    #: The number of the run in its store; None where it is not recorded.
    run: int | None = None
    #: What the command line was told to run.
    target: str | None = None


class NodeLine(_Line, frozen=True, tag="node_added", gc=False):
    """A node is in the tree, from the beginning or from now on."""

    node: str
    name: str
    #: The id of the parent; None for the root.
    parent: str | None = None
    #: Whether it has a body, or only children.
    has_body: bool = True
    #: The ids of what it waits for, and those of them that need only have ended.
    depends_on: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    #: The most retries that there may be; None where there is no bound.
    max_retries: int | None = 0
    #: What it came in with, where an earlier run left it so: seconds since this run began, mostly below zero.
    status: str = "pending"
    started_at: Seconds | None = None
    ended_at: Seconds | None = None
    #: The attempt that is or was the last; 0 where none has begun.
    attempt: int = 0
    progress: tuple[Number, Number] | None = None
    reason: str | None = None
    faults: tuple[Fault, ...] = ()


class StatusLine(_Line, frozen=True, tag="status_changed", gc=False):
    """A node went from one status to another."""

    node: str
    #: The attempt that begins or is over; counts from 1, and from 1 again where a node around it is repeated.
    attempt: int
    old: str
    new: str
    #: Why it was skipped or cancelled, or waits.
    reason: str | None = None
    #: Where it failed: the exceptions that are not groups of others, or an error that was set.
    faults: tuple[Fault, ...] = ()
    #: Whether it has failed because a node below it has, and not of itself.
    failed_below: bool = False


class ProgressLine(_Line, frozen=True, tag="progress_changed", gc=False):
    """A node told how far it is; None takes back what it had said.

    Of one node at most ten a second are written, and the last.
    """

    node: str
    attempt: int
    progress: tuple[Number, Number] | None


class LogLine(_Line, frozen=True, tag="log_extended", gc=False):
    """Lines were put out, without their ends: by a node's body, or by nobody knows whom."""

    lines: tuple[str, ...]
    node: str | None = None
    attempt: int = 0


class RemovalLine(_Line, frozen=True, tag="node_removed", gc=False):
    """A node, and all below it, left the tree: of an attempt that was given up, say."""

    node: str


class MessageLine(_Line, frozen=True, tag="message", gc=False):
    """What TreeTask itself has to say of the run as a whole: that it was interrupted, what a resource raised."""

    lines: tuple[str, ...]


class EndLine(_Line, frozen=True, tag="run_ended", gc=False):
    """The last line of a run that came to its end. A file without it was broken off."""

    status: str
    #: Seconds from the start of the run.
    elapsed: Seconds
    #: How many tasks ended in each status: nodes without children, those included that were folded into their groups.
    counts: dict[str, int]


Line: TypeAlias = StartLine | NodeLine | StatusLine | ProgressLine | LogLine | RemovalLine | MessageLine | EndLine
