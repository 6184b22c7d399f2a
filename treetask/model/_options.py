"""What was declared about a node, apart from what happens to it. Frozen, so that many nodes share one object."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from typing_extensions import TypedDict

from treetask._errors import did_you_mean
from treetask.model._body import BodyKind, kind_of
from treetask.model._config import OnFailure, check_count, check_seconds

if TYPE_CHECKING:
    from treetask.model._node import TaskNode

#: How many children of a spawner may be unstarted before a yield waits.
DEFAULT_MAX_QUEUED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """The options of one or many nodes. None leaves the decision to the parent, then to the tree's config."""

    #: Whether the children run at the same time.
    parallel: bool = True
    #: Attempts after the first.
    max_retries: int | None = None
    #: Seconds that one attempt may take, children included.
    timeout: float | None = None
    #: Ids whose subtrees have to be done first.
    depends_on: tuple[str, ...] = ()
    #: What happens to the other children when one fails.
    on_failure: OnFailure | None = None
    #: How many spawned children may be unstarted before a yield waits.
    max_queued: int = DEFAULT_MAX_QUEUED
    #: Asked with the node when nothing else keeps it from starting; if the answer is false, it is skipped.
    when: Callable[[TaskNode], object] | None = None


class NodeKeywords(TypedDict, total=False):
    """What `TaskNode` and `TreeBuilder` take as keywords beside their printed parameters; `NodeOptions` explains it."""

    max_retries: int | None
    timeout: float | None
    depends_on: Iterable[str] | None
    on_failure: OnFailure | Literal["cancel", "finish", "continue"] | None
    max_queued: int | None
    when: Callable[[TaskNode], object] | None


DEFAULT_OPTIONS: Final = NodeOptions()
#: The options that nodes have.
OPTION_NAMES: Final = frozenset(NodeOptions.__dataclass_fields__)

#: Options of the design that this version does not have: named when refused, so that nobody hunts for a typing error.
_NOT_YET: Final = frozenset(
    [
        "retry",
        "allow_failure",
        "priority",
        "cost",
        "tags",
        "limits",
        "cache",
        "version",
        "always",
        "keep_done",
        "backend",
        "max_parallel",
    ]
)


def node_options(
    owner: str,
    parameters: frozenset[str] = frozenset(),
    /,
    **options: Any,  # noqa: ANN401 - `_checked` knows the type of each
) -> NodeOptions:
    """Return the checked options, one shared object for equal ones.

    Raises `TypeError` for an option that does not exist (with the closest that does, or of the `parameters` that the
    caller takes beside them) and for a value of the wrong kind, `ValueError` for one out of range; all name `owner`.
    """
    for name in options:
        if name not in OPTION_NAMES:
            refuse_later_option(owner, name)
            raise TypeError(f"{owner} has no option '{name}'{did_you_mean(name, sorted(OPTION_NAMES | parameters))}")
    return _checked(owner, **options)


def refuse_later_option(owner: str, name: str, *more: str) -> None:
    """Raise `TypeError` naming `owner` for an option that is none yet, nor are `more`; do nothing for other names."""
    if name in _NOT_YET or name in more:
        raise TypeError(f"{owner}: option '{name}' is not available in this version of TreeTask")


def _checked(
    owner: str,
    *,
    parallel: bool = True,
    max_retries: int | None = None,
    timeout: float | None = None,
    depends_on: Iterable[str] | None = (),
    on_failure: str | OnFailure | None = None,
    max_queued: int | None = None,
    when: Callable[[TaskNode], object] | None = None,
) -> NodeOptions:
    if not isinstance(parallel, bool):
        raise TypeError(f"{owner}: parallel is {parallel!r}; expected True or False")
    check_count("max_retries", max_retries, 0, owner, optional=True, none="the config's max_retries")
    check_count("max_queued", max_queued, 1, owner, optional=True, none=f"the default, {DEFAULT_MAX_QUEUED:,}")
    check_seconds("timeout", timeout, owner, none="the config's default_task_timeout")
    if when is not None and (not callable(when) or kind_of(when) is not BodyKind.THREAD):
        raise TypeError(f"{owner}: when is {when!r}; expected a plain function that takes the node and answers at once")
    policy = None if on_failure is None else OnFailure.parse(on_failure, owner)
    return _shared(
        parallel,
        max_retries,
        timeout,
        _checked_ids(owner, depends_on),
        policy,
        DEFAULT_MAX_QUEUED if max_queued is None else max_queued,
        when,
    )


def _checked_ids(owner: str, depends_on: Iterable[str] | None) -> tuple[str, ...]:
    if isinstance(depends_on, str):
        raise TypeError(f"{owner}: depends_on is {depends_on!r}; expected a list of ids: ['{depends_on}']")
    if depends_on is not None and not isinstance(depends_on, Iterable):
        raise TypeError(f"{owner}: depends_on is {depends_on!r}; expected a list of ids")
    ids = tuple(depends_on or ())
    for wanted in ids:
        if not isinstance(wanted, str):
            raise TypeError(f"{owner}: depends_on has {wanted!r}; expected ids, which are strings")
    return ids


@functools.lru_cache(maxsize=1024)
def _shared(  # noqa: PLR0917 - a cache is quicker by position
    parallel: bool,  # noqa: FBT001 - the key of the cache
    max_retries: int | None,
    timeout: float | None,
    depends_on: tuple[str, ...],
    on_failure: OnFailure | None,
    max_queued: int,
    when: Callable[[TaskNode], object] | None,
) -> NodeOptions:
    return NodeOptions(
        parallel=parallel,
        max_retries=max_retries,
        timeout=timeout,
        depends_on=depends_on,
        on_failure=on_failure,
        max_queued=max_queued,
        when=when,
    )
