"""When and after how long a failed attempt is repeated: stamina's words and their meaning."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest

from tests.sentences import exactly
from treetask import Child, Retry, TaskFailed, TaskNode
from treetask.model import RetryOn

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def waits(retry: Retry, count: int, *, chance: float = 0.0) -> list[float | None]:
    """Return the waits after the first attempts, if each fails with an OSError."""
    return [retry.wait(OSError(), attempt, chance) for attempt in range(1, count + 1)]


def failed(*errors: Exception | None) -> TaskFailed:
    """Return what a body is told of children that raised these; None is one that raised nothing."""
    children: list[Child[Any]] = []
    for number, error in enumerate(errors):
        child: Child[Any] = Child(Template(), (), {})
        child._node = TaskNode(f"child {number}", status="failed")
        child._node.exception = error
        children.append(child)
    return TaskFailed(children[0], children[1:])


class Template:
    label = "child"

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        raise AssertionError


# -- how long ----------------------------------------------------------------------------------------------------------


def test_waits_are_those_of_stamina() -> None:
    """But few attempts, and no bound: it would stop a body that takes its time and does not fail."""
    retry = Retry(on=OSError)

    assert (retry.attempts, retry.timeout) == (3, None)
    assert (retry.wait_initial, retry.wait_max, retry.wait_jitter, retry.wait_exp_base) == (0.1, 5.0, 1.0, 2.0)


def test_waits_grow_exponentially_up_to_the_longest() -> None:
    """min(wait_max, wait_initial * wait_exp_base ** (n - 1)) after attempt n."""
    retry = Retry(on=OSError, attempts=None, wait_initial=1, wait_max=50, wait_exp_base=3)

    assert waits(retry, 5) == [1, 3, 9, 27, 50]


def test_random_part_is_added_before_the_longest_wait_cuts() -> None:
    """The jitter is between 0 and wait_jitter, and never makes a wait longer than wait_max."""
    retry = Retry(on=OSError, attempts=None, wait_initial=1, wait_max=6, wait_jitter=4)

    assert waits(retry, 4, chance=0.5) == [3, 4, 6, 6]
    assert waits(retry, 4, chance=1.0) == [5, 6, 6, 6]


def test_attempts_count_all_of_them() -> None:
    """The first is one of them; after the last there is no wait."""
    assert waits(Retry(on=OSError, attempts=3, wait_initial=1), 4) == [1, 2, None, None]
    assert waits(Retry(on=OSError, attempts=1), 1) == [None]
    assert None not in waits(Retry(on=OSError, attempts=None), 100)


@pytest.mark.parametrize("base", [2, 2.0, 10.0**300])
def test_number_of_attempts_has_no_limit(base: float) -> None:
    """Where a power is too large for a number, the longest wait is what counts, and at once."""
    retry = Retry(on=OSError, attempts=None, wait_initial=0.1, wait_max=7, wait_exp_base=base)

    assert retry.wait(OSError(), 1_000_000_000, 0.5) == 7


def test_no_wait_stays_none_however_often() -> None:
    """Nothing grows from nothing; the random part stays what it is."""
    retry = Retry(on=OSError, attempts=None, wait_initial=0, wait_max=9, wait_jitter=2)

    assert [retry.wait(OSError(), attempt, 0.5) for attempt in (1, 2, 1_000_000)] == [1, 1, 1]


def test_base_of_one_is_a_constant_wait() -> None:
    """As a polling loop would have it."""
    assert waits(Retry(on=OSError, attempts=None, wait_initial=3, wait_jitter=0, wait_exp_base=1), 3) == [3, 3, 3]


# -- on what -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "error", "is_repeated"),
    [
        (OSError, OSError(), True),
        (OSError, ConnectionError(), True),
        (OSError, ValueError(), False),
        ((KeyError, ValueError), ValueError(), True),
        ((KeyError, ValueError), OSError(), False),
        (TimeoutError, TimeoutError("'a' timed out after 5 s"), True),
        # In groups each error counts, however deep.
        (OSError, ExceptionGroup("", [OSError(), ExceptionGroup("", [ConnectionError()])]), True),
        (OSError, ExceptionGroup("", [OSError(), ValueError()]), False),
        (ExceptionGroup, ExceptionGroup("", [OSError(), ValueError()]), True),
        ((ExceptionGroup, ValueError), ExceptionGroup("", [OSError()]), True),
        # Of children what they raised.
        (OSError, failed(OSError()), True),
        (OSError, failed(ValueError()), False),
        (OSError, failed(OSError(), ConnectionError()), True),
        (OSError, failed(OSError(), ValueError()), False),
        (OSError, failed(failed(ExceptionGroup("", [OSError()]))), True),
        (OSError, ExceptionGroup("", [failed(OSError()), OSError()]), True),
        (OSError, failed(None), False),
        (TaskFailed, failed(ValueError()), True),
    ],
)
def test_kinds_of_errors(on: RetryOn, error: Exception, is_repeated: bool) -> None:
    """An attempt is repeated if all that went wrong in it is of these kinds."""
    assert (Retry(on=on, wait_jitter=0).wait(error, 1, 0.0) is not None) is is_repeated


@pytest.mark.parametrize(
    ("answer", "wait"), [(True, 4.0), (False, None), (0, 0.0), (0.25, 0.25), (7, 7.0), (1_000.0, 1_000.0)]
)
def test_function_answers_yes_or_no_or_how_long(answer: float, wait: float | None) -> None:
    """A number is the wait itself, as a server may have asked for: nothing is added to it or cut off."""
    retry = Retry(on=lambda error: answer, wait_initial=3, wait_jitter=1, wait_max=9)

    assert retry.wait(OSError(), 1, 1.0) == wait


def test_function_is_not_asked_when_there_is_no_attempt_left() -> None:
    """It may have an effect, as a log line."""
    asked: list[Exception] = []
    error = OSError()

    def note(error: Exception) -> bool:
        asked.append(error)
        return True

    retry = Retry(on=note, attempts=2)

    assert [retry.wait(error, attempt, 0.0) is None for attempt in (1, 2)] == [False, True]
    assert asked == [error]


def seconds_asked_for(error: Exception) -> bool | float:
    """Answer as a client of some server would."""
    if isinstance(error, OSError):
        return error.errno or True
    return False


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (failed(OSError(8, "busy")), 8.0),
        (failed(OSError(8, "busy"), OSError(9, "busy")), 9.0),
        (ExceptionGroup("", [OSError(8, "busy"), OSError()]), 8.0),
        (ExceptionGroup("", [OSError(), OSError()]), 3.0),
        (ExceptionGroup("", [OSError(8, "busy"), ValueError()]), None),
        (failed(None), None),
    ],
)
def test_function_is_asked_for_each_error(error: Exception, wait: float | None) -> None:
    """What wraps errors is opened for it; all have to be worth it, and the longest wait counts."""
    retry = Retry(on=seconds_asked_for, wait_initial=3, wait_jitter=0)

    assert retry.wait(error, 1, 0.0) == wait


@pytest.mark.parametrize("answer", [None, "yes", -1, float("inf"), float("nan"), [1]])
def test_function_that_answers_nonsense_is_told(answer: object) -> None:
    """It is found out only when it is asked, and named then."""
    retry = Retry(on=lambda error: answer)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]

    problem = f"Retry: on returned {answer!r}; expected True, False or the seconds to wait"
    with pytest.raises(TypeError, match=exactly(problem)):
        retry.wait(OSError(), 1, 0.0)


def test_function_that_raises_is_not_hidden() -> None:
    """What it raised comes out as it is."""

    def broken(error: Exception) -> bool:
        raise KeyError("status")

    with pytest.raises(KeyError):
        Retry(on=broken).wait(OSError(), 1, 0.0)


# -- what is refused ---------------------------------------------------------------------------------------------------


async def asks_a_server(error: Exception) -> bool:
    """Answer too late."""
    return True


class AsyncAnswer:
    async def __call__(self, error: Exception) -> bool:
        return True


def with_types(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a Retry that is right but for these."""
    return {"on": OSError, **options}


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"on": OSError()}, TypeError, "on is OSError(); expected exception types or a function of the exception"),
    ({"on": int}, TypeError, "on is <class 'int'>; expected exception types or a function of the exception"),
    ({"on": ()}, TypeError, "on is (); expected exception types or a function of the exception"),
    (
        {"on": (OSError, "ValueError")},
        TypeError,
        "on is (<class 'OSError'>, 'ValueError'); expected exception types or a function of the exception",
    ),
    (
        {"on": KeyboardInterrupt},
        TypeError,
        "on is <class 'KeyboardInterrupt'>; expected exception types or a function of the exception",
    ),
    ({"on": None}, TypeError, "on is None; expected exception types or a function of the exception"),
    (
        {"on": asks_a_server},
        TypeError,
        f"on is {asks_a_server!r}; expected a plain function that answers at once",
    ),
    ({"attempts": 0}, ValueError, "attempts is 0; expected at least 1; None means any number, until the timeout"),
    ({"attempts": 2.0}, TypeError, "attempts is 2.0; expected a whole number or None"),
    (
        {"timeout": -1},
        ValueError,
        "timeout is -1; expected a finite number of seconds from 0; None means no limit",
    ),
    ({"timeout": "45"}, TypeError, "timeout is '45'; expected a number of seconds or None"),
    ({"wait_initial": -0.1}, ValueError, "wait_initial is -0.1; expected a finite number of seconds from 0"),
    ({"wait_max": float("inf")}, ValueError, "wait_max is inf; expected a finite number of seconds from 0"),
    ({"wait_max": None}, TypeError, "wait_max is None; expected a number of seconds"),
    ({"wait_jitter": True}, TypeError, "wait_jitter is True; expected a number of seconds"),
    ({"wait_exp_base": "2"}, TypeError, "wait_exp_base is '2'; expected a number"),
    ({"wait_exp_base": 0.5}, ValueError, "wait_exp_base is 0.5; expected a finite number from 1"),
    ({"wait_exp_base": float("nan")}, ValueError, "wait_exp_base is nan; expected a finite number from 1"),
]


@pytest.mark.parametrize(("options", "error", "problem"), WRONG, ids=range(len(WRONG)))
def test_nonsense_is_refused_at_once(options: dict[str, Any], error: type[Exception], problem: str) -> None:
    """Where it was written, by name, with what was expected."""
    with pytest.raises(error, match=exactly(f"Retry: {problem}")):
        Retry(**with_types(options))


def test_object_whose_call_is_async_is_refused() -> None:
    """It would answer with a coroutine, which is true."""
    on = AsyncAnswer()
    with pytest.raises(
        TypeError, match=exactly(f"Retry: on is {on!r}; expected a plain function that answers at once")
    ):
        Retry(on=on)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_retry_cannot_be_changed_in_place() -> None:
    """Many nodes share one."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Retry(on=OSError).attempts = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_function_that_cannot_be_hashed_is_taken() -> None:
    """Equal options are one object where that can be found out; where not, each node has its own."""

    class Answer:  # noqa: PLW1641 - that is what it is for
        def __eq__(self, other: object) -> bool:
            return self is other

        def __call__(self, error: Exception) -> bool:
            return True

    retry = Retry(on=Answer())

    assert TaskNode("a", retry=retry).options.retry is retry
    assert TaskNode("a", when=Answer()).options.when is not None  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
