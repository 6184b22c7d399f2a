"""What the body of a spawner may yield, and what it hears about its children.

A `Child` is an inert description of a node to be. Yielded or spawned it becomes one and stays its handle. How children
are run, and how a body is stopped and resumed at a yield, is the engine's affair.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, Protocol, TypeAlias

from typing_extensions import ParamSpec, Self, TypeVar

from treetask._errors import TreeTaskError
from treetask.model._arguments import are_same, arguments_key, in_brackets, shape_of
from treetask.model._status import BAD_ENDINGS, TaskStatus

if TYPE_CHECKING:
    from treetask.model._node import TaskNode

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class _Join(Enum):
    JOIN = "join"

    def __repr__(self) -> str:
        return "JOIN"


#: Yielded by a spawner: run the static children, then wait for all children so far; their results come back.
JOIN: Final = _Join.JOIN


class _Gone(Enum):
    GONE = "gone"

    def __repr__(self) -> str:
        return "<gone>"


#: The result of a node that was folded with one, when it comes back to a body that is repeated.
GONE: Final = _Gone.GONE


@dataclass(frozen=True, slots=True)
class Return(Generic[R_co]):
    """Yielded by an async spawner: the result of the body. Only clean-up may follow."""

    value: R_co


class DuplicateChildError(TreeTaskError):
    """A second child with the key of a sibling."""

    def __init__(self, key: str, parent_id: str) -> None:
        super().__init__(
            f"'{parent_id}' already has a child '{key}'; spawn it once, or tell the two apart: .child(...).keyed('...')"
        )
        self.key = key


class UnplacedChildError(TreeTaskError):
    """A child that was awaited, or asked for its result, before it was yielded or spawned."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"child '{key}' was not started; write `yield child` (or node.spawn) before you use its result"
        )
        self.key = key


class TaskFailed(TreeTaskError):
    """A child did not end well. `child` is it; `__cause__` is what it raised, if it did.

    Where several had failed when the body was told, `others` are the rest of them.
    """

    def __init__(self, child: Child[Any], others: Iterable[Child[Any]] = ()) -> None:
        node = child.node
        why = node.error or (node.reason if node.status is TaskStatus.SKIPPED else None)
        said = f": {why}" if why else ""
        self.others: Final = tuple(others)
        more = f" (and {len(self.others)} more)" if self.others else ""
        super().__init__(f"child '{node.id}' {BAD_ENDINGS.get(node.status, node.status)}{said}{more}")
        self.child: Final = child
        self.__cause__ = node.exception


class Template(Protocol):
    """What a child is made from: a declaration."""

    @property
    def label(self) -> str:
        """The name that keys and messages use."""
        ...

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        """Return a new node, in no tree yet, that will run the body with the child's arguments."""
        ...


class Spawnable(Protocol[P, R_co]):
    """A declaration that children can be made from."""

    def child(self, *args: P.args, **kwargs: P.kwargs) -> Child[R_co]:
        """Return an inert description of a node to be."""
        ...


_NO_OPTIONS: Final[Mapping[str, Any]] = {}


class _GivenKey(str):
    """A key that was not made from the arguments."""

    __slots__ = ()


class Child(Generic[R_co]):
    """A node to be: a declaration with its arguments.

    `yield child`, `node.spawn(...)` or a place in a yielded list makes it a node, once. `await child` gives its result
    or raises `TaskFailed`, which claims the failure: the group can still end well. Raises `UnplacedChildError` when
    used before it was started.
    """

    __slots__ = ("_key", "_node", "args", "claimed", "kwargs", "options", "template")

    #: Whether the node comes of it; else it is the handle of a node that was there.
    makes_its_node: ClassVar[bool] = True

    def __init__(self, template: Template, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.template: Final = template
        self.args: Final = args
        self.kwargs: Final = kwargs
        self.options: Mapping[str, Any] = _NO_OPTIONS
        #: Whether the body has been told of this child's failure, or caused it.
        self.claimed = False
        self._key: str | None = None
        self._node: TaskNode | None = None

    def keyed(self, key: str, /) -> Self:
        """Return the same child with a key of your choice, which must be unique among its siblings.

        A body that is retried takes over what its child of that key has done if the arguments are equal values: those
        that keys are made of, and what else is hashable by what it holds, as a frozen dataclass is. A list may have
        been changed meanwhile, so a child that was given one runs again; give it a tuple.
        """
        if not isinstance(key, str) or not key:
            raise TypeError(f"{self.template.label}.child().keyed(): the key is {key!r}; expected a non-empty string")
        copy = self._copy()
        copy._key = _GivenKey(self.template.label + in_brackets(key))
        return copy

    def with_options(self, **options: object) -> Self:
        """Return the same child with other options, as `timeout=` or `max_retries=`, than its declaration has."""
        copy = self._copy()
        copy.options = {**self.options, **options}
        return copy

    def _copy(self) -> Self:
        if self._node is not None:
            raise TreeTaskError(f"child '{self.key}' has been started; key and options come before that")
        copy = type(self)(self.template, self.args, self.kwargs)
        copy._key, copy.options = self._key, self.options
        return copy

    @property
    def key(self) -> str:
        """The child's name among its siblings: the declaration's, and its arguments where it has any.

        Raises `UnkeyedArgumentError` for an argument that is no str, number, bool, None, date, Path, Enum or tuple of
        these.
        """
        return self._key or self._named()

    def _named(self) -> str:
        """Return the key, which was not asked for before."""
        label = self.template.label
        key = self._key = label + arguments_key(label, self.args, self.kwargs)
        return key

    def is_same_as(self, other: Child[Any]) -> bool:
        """Whether another child is of the same declaration, with the same key and the same arguments."""
        if self.template is not other.template or self.key != other.key:
            return False
        return are_same(self.args, other.args) and are_same(_by_name(self.kwargs), _by_name(other.kwargs))

    @property
    def shape(self) -> object | None:
        """What has to be known beside the key to tell of which arguments it is; None if they cannot be told by both."""
        return None if isinstance(self._key, _GivenKey) else shape_of(self.args, _by_name(self.kwargs))

    @property
    def node(self) -> TaskNode:
        """The node that the child became."""
        if self._node is None:
            raise UnplacedChildError(self.key)
        return self._node

    @property
    def result(self) -> R_co:
        """What the child's body returned.

        Raises `TaskFailed` if it did not end well, `TreeTaskError` before its end, and where an earlier attempt of its
        parent has done it under `keep_done="rollup"`, if it was not None.
        """
        node = self.node
        if node.result is GONE:
            raise TreeTaskError(
                f"the result of child '{node.id}' is gone: an earlier attempt has done it, under keep_done='rollup'; "
                "say keep_done='all', or let the child write its result where the next attempt finds it"
            )
        if node.status is TaskStatus.DONE:
            return node.result  # type: ignore[no-any-return]
        if node.status.is_terminal:
            raise TaskFailed(self)
        raise TreeTaskError(f"child '{node.id}' is still {node.status}; await it first (in a plain `def`: yield JOIN)")

    def __await__(self) -> Generator[Any, Any, R_co]:
        node = self.node
        tree = node._tree
        if not node.status.is_terminal and tree is not None and tree._driver is not None:
            yield from tree._driver.wait_for(self).__await__()
        elif node.status.is_terminal:
            self.claimed = True
        return self.result

    def __repr__(self) -> str:
        return f"<Child {self.key if self._node is None else self._node.id}>"


Yieldable: TypeAlias = Child[Any] | Iterable[Child[Any]] | Literal[_Join.JOIN] | Return[R]
#: The return type of an async spawner whose result is an R.
Spawns: TypeAlias = AsyncGenerator[Yieldable[R], Any]
#: The return type of a sync spawner whose result is an R.
SyncSpawns: TypeAlias = Generator[Child[Any] | Iterable[Child[Any]] | Literal[_Join.JOIN], Any, R]


def _by_name(kwargs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(kwargs.items(), key=lambda item: item[0])) if kwargs else ()
