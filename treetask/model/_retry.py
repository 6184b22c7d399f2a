"""When a failed attempt is repeated, and after how long. Knows the rule, not the clock.

The words and their meaning are those of stamina (https://stamina.hynek.me): waits grow exponentially, bounded by
`wait_max`, and a random part keeps many that failed together from coming back together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from treetask.model._body import BodyKind, kind_of
from treetask.model._checks import LARGEST, check_count, check_seconds
from treetask.model._spawn import TaskFailed

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

#: Kinds of errors that are worth another attempt, or a function that says so; a number it returns is the wait.
RetryOn: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float]


@dataclass(frozen=True)
class Retry:
    """How often and when the attempts of a node are repeated. Durations are seconds.

    Before attempt n + 1 a node waits `wait_initial * wait_exp_base ** (n - 1)`, plus a random part of `wait_jitter`, at
    most `wait_max`. It holds no slot meanwhile. An attempt that ran out of time counts as `TimeoutError`; one that
    children failed, as what these raised; a group of exceptions, as each of those in it. All of them have to be worth
    another attempt.

    Raises `TypeError` and `ValueError` for values of the wrong kind or out of range.
    """

    #: The errors that are worth another attempt; or a function of the error that answers True or False, or with the
    #: seconds to wait, as a server may have asked for: these are waited as they are.
    on: RetryOn
    #: All attempts, the first one included; None is any number, until `timeout`.
    attempts: int | None = 3
    #: Bound of all attempts and the waits between them, from the first start, which stops the attempt that runs then.
    #: None is no bound: what takes its time without failing is not to be stopped unasked.
    timeout: float | None = None
    wait_initial: float = 0.1
    wait_max: float = 5.0
    wait_jitter: float = 1.0
    wait_exp_base: float = 2.0

    def __post_init__(self) -> None:
        owner = "Retry"
        on: object = self.on
        kinds = cast("tuple[object, ...]", on) if isinstance(on, tuple) else (on,)
        if not kinds or not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
            if isinstance(on, (tuple, type)) or not callable(on):
                raise TypeError(f"{owner}: on is {on!r}; expected exception types or a function of the exception")
            if kind_of(on) is not BodyKind.THREAD:
                raise TypeError(f"{owner}: on is {on!r}; expected a plain function that answers at once")
        check_count("attempts", self.attempts, 1, owner, optional=True, none="any number, until the timeout")
        check_seconds("timeout", self.timeout, owner)
        for name in ("wait_initial", "wait_max", "wait_jitter"):
            check_seconds(name, getattr(self, name), owner, optional=False)
        base: object = self.wait_exp_base
        if isinstance(base, bool) or not isinstance(base, (int, float)):
            raise TypeError(f"{owner}: wait_exp_base is {base!r}; expected a number")
        if not 1 <= base <= LARGEST:
            raise ValueError(f"{owner}: wait_exp_base is {base!r}; expected a finite number from 1")

    def wait(self, error: Exception, attempt: int, chance: float) -> float | None:
        """Return the seconds before the attempt after this one, or None if there is to be none.

        `attempt` counts from 1; `chance`, from 0 to 1, decides the random part. Raises what `on` raises.
        """
        if self.attempts is not None and attempt >= self.attempts:
            return None
        verdict = self._verdict(error)
        if verdict is False:
            return None
        if verdict is not True:
            return verdict
        return min(self.wait_max, self._grown(attempt) + chance * self.wait_jitter)

    def _grown(self, attempt: int) -> float:
        if not self.wait_initial:
            return 0.0
        try:
            return self.wait_initial * float(self.wait_exp_base) ** (attempt - 1)
        except OverflowError:
            return self.wait_max

    def _verdict(self, error: Exception) -> bool | float:
        on: Any = self.on
        if isinstance(on, (tuple, type)):
            kinds = cast("tuple[type[Exception], ...] | type[Exception]", on)
            return all(isinstance(one, kinds) for one in _causes(error, kinds))
        seconds: list[float] = []
        for one in _causes(error, ()):
            answer: Any = isinstance(one, Exception) and on(one)
            if answer is False:
                return False
            if answer is not True:
                if not isinstance(answer, (int, float)) or not 0 <= answer <= LARGEST:
                    raise TypeError(f"Retry: on returned {answer!r}; expected True, False or the seconds to wait")
                seconds.append(float(answer))
        return max(seconds, default=True)


def _causes(error: BaseException, wanted: type[Exception] | tuple[type[Exception], ...]) -> Iterator[BaseException]:
    """Yield what went wrong in the end: of groups and of children that failed, unless that itself is wanted."""
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, wanted):
            if isinstance(one, BaseExceptionGroup):
                waiting.extend(cast("BaseExceptionGroup[BaseException]", one).exceptions)
                continue
            if isinstance(one, TaskFailed):
                causes = [one.__cause__, *(other.node.exception for other in one.others)]
                raised = [cause for cause in causes if cause is not None]
                if len(raised) == len(causes):
                    waiting.extend(raised)
                    continue
        yield one
