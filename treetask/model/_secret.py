"""A value that is handed on and never shown. Knows nothing of where values are printed or written."""

from __future__ import annotations

import typing
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Generic, NoReturn, cast, final

from typing_extensions import TypeVar

T_co = TypeVar("T_co", covariant=True)

#: What stands where a secret would be shown.
HIDDEN: Final = "***"

_may_travel: Final[ContextVar[bool]] = ContextVar("_may_travel", default=False)


@final
class Secret(Generic[T_co]):
    """A value that nothing shows: a token, a password. `reveal()` returns it, where it is used.

    `repr`, `str`, f-strings, JSON and whatever else is made of it say `***`. It is never written to a store, so a
    result that holds one is made again, and a child that was given one runs again, when a run is resumed. It can be no
    part of a child's key: name such a child with `.keyed('...')`. It cannot be pickled, which would be to show it.

    Secrets are equal if their values are, of the same type; text and bytes are compared in a time that tells nothing of
    where they differ. An error that a body raises is shown as it is: it may hold what the body revealed.
    """

    __slots__ = ("__value", "__weakref__")

    def __init__(self, value: T_co) -> None:
        if isinstance(value, Secret):
            raise TypeError("Secret() was given a Secret; hand that one on")
        object.__setattr__(self, "_Secret__value", value)

    def reveal(self) -> T_co:
        """Return the value."""
        return cast("T_co", object.__getattribute__(self, "_Secret__value"))

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine: object = self.reveal()
        its = cast("Secret[object]", other).reveal()
        if type(mine) is not type(its):
            return False
        if isinstance(mine, str):
            mine, its = _as_bytes(mine), _as_bytes(cast("str", its))  # of text, only ASCII would be compared
        if isinstance(mine, (bytes, bytearray)):
            from hmac import compare_digest

            return compare_digest(mine, cast("bytes", its))
        return bool(mine == its)

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    if not typing.TYPE_CHECKING:
        # The type checkers know what cannot be set; to them, these would say that everything can.

        def __setattr__(self, name: str, value: object) -> NoReturn:
            raise AttributeError("a Secret cannot be changed; make another")

        def __delattr__(self, name: str) -> NoReturn:
            raise AttributeError("a Secret cannot be changed; make another")

    def __copy__(self) -> Secret[T_co]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret[T_co]:
        return self  # as `dataclasses.asdict` asks for: what is wrapped stays so

    def __getstate__(self) -> NoReturn:
        raise TypeError(_NO_PICKLE)

    def __reduce_ex__(self, protocol: typing.SupportsIndex) -> tuple[type[Secret[T_co]], tuple[T_co]]:
        if not _may_travel.get():
            raise TypeError(_NO_PICKLE)
        return Secret, (self.reveal(),)


_NO_PICKLE: Final = "a Secret cannot be pickled: that would show it; hand over where it is found, and read it there"


@contextmanager
def secrets_may_travel() -> Generator[None, None, None]:
    """Let secrets be pickled, inside: on their way to another process of the run. Never to what is kept."""
    token = _may_travel.set(True)
    try:
        yield
    finally:
        _may_travel.reset(token)


def mentions_secret(wanted: object) -> bool:
    """Whether a type is a `Secret`, or one is among its arguments, as in `Secret[str] | None`."""
    waiting = [wanted]
    while waiting:
        one = waiting.pop()
        if one is Secret or typing.get_origin(one) is Secret:
            return True
        if typing.get_origin(one) is not typing.Literal:
            waiting += [each for each in typing.get_args(one) if not isinstance(each, (str, int, bytes))]
    return False


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
