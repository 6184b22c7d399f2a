"""The list of a node's children: to be read by everybody, changed by `add_child` and `remove_child` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from treetask.model._node import TaskNode


class Children(list["TaskNode"]):
    """The children of a node: a list to read; `add_child` and `remove_child` change it."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("the list of children is read-only; use node.add_child(child) or node.remove_child(child)")

    append = extend = insert = remove = pop = clear = reverse = _refuse
    sort = _refuse  # pyright: ignore[reportAssignmentType] - it does not see that no overload ever returns
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


class RolledChildren(Children):
    """The children that are left of a group after others were folded into it: true, even if none is."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


# What `Children` refuses to others.
append: Final = list["TaskNode"].append
remove: Final = list["TaskNode"].remove

#: What every node without children has: one object for all of them.
NO_CHILDREN: Final = Children()
