"""What was declared about a node, apart from what happens to it. Frozen, so that many nodes share one object.

Every option is checked here, by the words of `_checks.py`. What only several nodes show together is refused when the
tree is built, or when a node comes in: limits of one name by `_features.py`, unknown ids and cycles by `_graph.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from typing_extensions import TypedDict

from treetask._errors import did_you_mean
from treetask.model._body import BodyKind, kind_of
from treetask.model._checks import LARGEST, check_count, check_seconds
from treetask.model._config import OnFailure
from treetask.model._limit import Limit
from treetask.model._retry import Retry

if TYPE_CHECKING:
    from treetask.model._node import TaskNode

#: How many children of a spawner may be unstarted before a yield waits.
DEFAULT_MAX_QUEUED: Final = 1_000


#: The priority of nodes that state none, nor does a node above them.
DEFAULT_PRIORITY: Final = 2


class KeepDone(str, Enum):
    """What a group does with children that are done."""

    ALL = "all"
    """They stay, with their results."""
    ROLLUP = "rollup"
    """They are folded into the group's counters and forgotten, so that any number of them fits into memory."""


@dataclass(frozen=True, slots=True)
class OptionalDependency:
    """A dependency that need not end well: the node waits for its end, however it is. Made by `optional`."""

    id: str


def optional(id: str) -> OptionalDependency:
    """Return an entry for `depends_on` that need only have ended, however it did.

    As in `depends_on=["a", optional("b")]`: not before b, but also if b failed or was skipped.
    """
    if not isinstance(id, str) or not id:
        raise TypeError(f"optional() takes the id of a node, not {id!r}")
    return OptionalDependency(id)


#: What `depends_on` may hold.
Dependency: TypeAlias = str | OptionalDependency


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
    when: Callable[[TaskNode], bool] | None = None
    #: Those of `depends_on` that need only have ended, however they did.
    optional: frozenset[str] = frozenset()
    #: When and how often a failed attempt is repeated.
    retry: Retry | None = None
    #: Whether a failure of this node is none of its parent's.
    allow_failure: bool = False
    #: The place among those that are ready: lower first, 0 is urgent.
    priority: int | None = None
    #: What the node is expected to take, in any unit: of those ready, the one with most work behind it goes first.
    cost: float | None = None
    #: What its body shares with others that name it.
    limits: tuple[Limit, ...] = ()
    #: Whether it runs whatever happened to its siblings, also after a cancel: a clean-up, a notice.
    always: bool = False
    #: What becomes of children that are done.
    keep_done: KeepDone = KeepDone.ALL
    #: How many children, with all below them, may have started and not ended.
    max_parallel: int | None = None
    #: What it can be selected by, with all below it.
    tags: frozenset[str] = frozenset()
    #: Which edition of its body it is: what another one has done is not taken for done.
    version: str | int | None = None
    #: Whether it matters when an attempt begins: it may be bounded, or is counted. Derived, as each of them asks.
    is_timed: bool = field(init=False)

    def __post_init__(self) -> None:
        is_timed = (
            self.timeout is not None
            or self.always
            or (self.retry is not None and self.retry.timeout is not None)
            or any(limit.per_second is not None for limit in self.limits)
        )
        object.__setattr__(self, "is_timed", is_timed)


class NodeKeywords(TypedDict, total=False):
    """What `TaskNode` and `TreeBuilder` take as keywords beside their printed parameters; `NodeOptions` explains it."""

    max_retries: int | None
    timeout: float | None
    depends_on: Iterable[Dependency] | None
    on_failure: OnFailure | Literal["cancel", "finish", "continue"] | None
    max_queued: int | None
    when: Callable[[TaskNode], bool] | None
    retry: Retry | None
    allow_failure: bool
    priority: int | None
    cost: float | None
    limits: Iterable[Limit]
    always: bool
    keep_done: KeepDone | Literal["all", "rollup"]
    max_parallel: int | None
    tags: Iterable[str]
    version: str | int | None


DEFAULT_OPTIONS: Final = NodeOptions()
#: The options that nodes have.
OPTION_NAMES: Final = frozenset({*NodeOptions.__dataclass_fields__} - {"optional", "is_timed"})

#: Options that nodes do not have: named when refused, so that nobody hunts for a typing error.
_REFUSED: Final[Mapping[str, str]] = {
    "backend": "is not available in this version of TreeTask",
    "cache": "is one of declared tasks: results are told by arguments, which a node is not given",
}


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
            if name in _REFUSED:
                raise TypeError(f"{owner}: option '{name}' {_REFUSED[name]}")
            raise TypeError(f"{owner} has no option '{name}'{did_you_mean(name, sorted(OPTION_NAMES | parameters))}")
    return _checked(owner, **options)


def without_dependencies(options: NodeOptions, ids: Container[str]) -> NodeOptions:
    """Return the same options without the dependencies of these ids."""
    left = tuple(wanted for wanted in options.depends_on if wanted not in ids)
    return replace(options, depends_on=left, optional=options.optional.intersection(left))


def _checked(
    owner: str,
    *,
    depends_on: Iterable[Dependency] | None = (),
    on_failure: str | OnFailure | None = None,
    max_queued: int | None = None,
    limits: Iterable[Limit] | None = (),
    keep_done: str | KeepDone = KeepDone.ALL,
    tags: Iterable[str] | None = (),
    **options: Any,  # noqa: ANN401 - the rest is kept as it is, once `_check_values` has seen it
) -> NodeOptions:
    _check_values(owner, **options)
    check_count("max_queued", max_queued, 1, owner, optional=True, none=f"the default, {DEFAULT_MAX_QUEUED:,}")
    policy = None if on_failure is None else OnFailure.parse(on_failure, owner)
    ids, optional_ids = _checked_ids(owner, depends_on)
    if options.get("always") and len(optional_ids) < len(set(ids)):
        needed = next(one for one in ids if one not in optional_ids)
        raise ValueError(
            f"{owner}: always=True runs whatever happened before, so depends_on cannot need '{needed}'; "
            f"write optional('{needed}')"
        )
    return _made(
        depends_on=ids,
        optional=optional_ids,
        on_failure=policy,
        max_queued=DEFAULT_MAX_QUEUED if max_queued is None else max_queued,
        limits=_checked_limits(owner, limits),
        keep_done=_checked_keep_done(owner, keep_done),
        tags=_checked_tags(owner, tags),
        **options,
    )


#: Equal options are one object. By keyword, which takes longer than by position: trees of many nodes share few options.
_shared: Final = functools.lru_cache(maxsize=1024)(NodeOptions)


def _made(**options: Any) -> NodeOptions:  # noqa: ANN401 - checked before
    try:
        return _shared(**options)
    except TypeError:  # a callable object that cannot be hashed
        return NodeOptions(**options)


def _check_values(
    owner: str,
    *,
    parallel: bool = True,
    max_retries: int | None = None,
    timeout: float | None = None,
    when: Callable[[TaskNode], bool] | None = None,
    retry: Retry | None = None,
    allow_failure: bool = False,
    priority: int | None = None,
    cost: float | None = None,
    always: bool = False,
    max_parallel: int | None = None,
    version: str | int | None = None,
) -> None:
    for name, flag in (("parallel", parallel), ("allow_failure", allow_failure), ("always", always)):
        if not isinstance(flag, bool):
            raise TypeError(f"{owner}: {name} is {flag!r}; expected True or False")
    check_count("max_retries", max_retries, 0, owner, optional=True, none="the config's max_retries")
    check_seconds("timeout", timeout, owner, none="the config's default_task_timeout")
    if when is not None and (not callable(when) or kind_of(when) is not BodyKind.THREAD):
        raise TypeError(f"{owner}: when is {when!r}; expected a plain function that takes the node and answers at once")
    if retry is not None and not isinstance(retry, Retry):
        raise TypeError(f"{owner}: retry is {retry!r}; expected Retry(on=..., attempts=...)")
    if retry is not None and max_retries:
        raise TypeError(f"{owner}: max_retries and retry both say how often to repeat; keep one of them")
    check_count("priority", priority, 0, owner, optional=True, none="that of the parent")
    if cost is not None:
        if isinstance(cost, bool) or not isinstance(cost, (int, float)):
            raise TypeError(f"{owner}: cost is {cost!r}; expected a number or None")
        if not 0 <= cost <= LARGEST:
            raise ValueError(f"{owner}: cost is {cost!r}; expected a finite number from 0; None means unknown")
    check_count("max_parallel", max_parallel, 1, owner, optional=True)
    if version is not None and (isinstance(version, bool) or not isinstance(version, (str, int))):
        raise TypeError(f"{owner}: version is {version!r}; expected a string or a whole number, as in version=2")


def _checked_ids(owner: str, depends_on: Iterable[Dependency] | None) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return all ids, and those that are optional: of one that is said both ways, the stricter counts."""
    if isinstance(depends_on, str):
        raise TypeError(f"{owner}: depends_on is {depends_on!r}; expected a list of ids: ['{depends_on}']")
    if depends_on is not None and not isinstance(depends_on, Iterable):
        raise TypeError(f"{owner}: depends_on is {depends_on!r}; expected a list of ids")
    ids: list[str] = []
    needed: set[str] = set()
    for wanted in depends_on or ():
        if isinstance(wanted, OptionalDependency):
            ids.append(wanted.id)
        elif isinstance(wanted, str):
            ids.append(wanted)
            needed.add(wanted)
        else:
            raise TypeError(f"{owner}: depends_on has {wanted!r}; expected ids, which are strings")
    return tuple(ids), frozenset(ids) - needed if len(needed) < len(ids) else frozenset()


def _checked_limits(owner: str, limits: Iterable[Limit] | None) -> tuple[Limit, ...]:
    fix = "expected a list of limits: [Limit('api', max_concurrency=4)]"
    if isinstance(limits, (str, Limit)) or (limits is not None and not isinstance(limits, Iterable)):
        raise TypeError(f"{owner}: limits is {limits!r}; {fix}")
    given = tuple(limits or ())
    for limit in given:
        if not isinstance(limit, Limit):
            raise TypeError(f"{owner}: limits has {limit!r} in it; {fix}")
    return tuple(dict.fromkeys(given))


def _checked_keep_done(owner: str, keep_done: str | KeepDone) -> KeepDone:
    try:
        return KeepDone(keep_done)
    except ValueError:
        names = ", ".join(repr(each.value) for each in KeepDone)
        raise ValueError(f"{owner}: keep_done is {keep_done!r}; expected one of {names}") from None


def _checked_tags(owner: str, tags: Iterable[str] | None) -> frozenset[str]:
    if isinstance(tags, str):
        raise TypeError(f"{owner}: tags is {tags!r}; expected a list of strings: [{tags!r}]")
    if tags is not None and not isinstance(tags, Iterable):
        raise TypeError(f"{owner}: tags is {tags!r}; expected a list of strings")
    given = tuple(tags or ())
    for tag in given:
        if not isinstance(tag, str) or not tag:
            raise TypeError(f"{owner}: tags has {tag!r} in it; expected strings that are not empty")
    return frozenset(given)
