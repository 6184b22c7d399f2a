"""What tells the arguments of children apart in every process, and the code of a function from what it was."""

from __future__ import annotations

import datetime as dt
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, Flag
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest

from treetask import Child, Secret, TaskNode
from treetask.store._fingerprint import arguments_fingerprint, code_digest

ROOT = Path(__file__).resolve().parent.parent.parent


class Template:
    """A declaration, as far as a child needs one."""

    label = "w"

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        return TaskNode(node_id)


class Color(Enum):
    RED = 1


class Shade(Enum):
    RED = 1


class Perm(Flag):
    R = 1
    W = 2


class Pair(NamedTuple):
    one: int
    other: int


@dataclass(frozen=True)
class Point:
    x: object
    y: int = 0


@dataclass(frozen=True)
class Place:
    x: object
    y: int = 0


class Grown(Point):
    def __init__(self) -> None:
        super().__init__(1)


class Plain:
    pass


def child(*args: object, **kwargs: object) -> Child[Any]:
    """A child of `w` with these arguments."""
    return Child(Template(), args, kwargs)


def of(value: object) -> str | None:
    """The fingerprint of a child that was given a key beside its argument."""
    return arguments_fingerprint(child(value).keyed("k"))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (child(), "()"),
        (child("a"), "str"),
        (child(1), "int"),
        (child(True), "bool"),
        (child(None), "NoneType"),
        (child(1, "a"), "(int,str)"),
        (child(1, b="x", a=2.5), "(int,float,str) a b"),
        (child((1, ("a",))), "((int,(str)))"),
        (child(PurePosixPath("a")), "(pathlib.PurePosixPath)"),
        (child(dt.date(2026, 5, 17)), "(datetime.date)"),
        (child(Color.RED), f"({__name__}.Color)"),
        (child(Pair(1, 2)), f"({__name__}.Pair(int,int))"),
    ],
)
def test_types_are_told_where_the_key_tells_the_values(made: Child[Any], expected: str) -> None:
    """A short text stands beside most keys, so that `1` is not taken for `"1"`."""
    assert arguments_fingerprint(made) == expected


def test_values_are_told_where_the_key_does_not() -> None:
    """A given key, and arguments that run into each other, get a digest of the arguments themselves."""
    given = [arguments_fingerprint(child(n).keyed("k")) for n in (1, 2, 1)]
    unclear = [arguments_fingerprint(child(*args)) for args in (("a,b", "c"), ("a", "b,c"))]

    assert given[0] == given[2] != given[1]
    assert len({*given, *unclear}) == 4
    assert all(text is not None and text.startswith("#") and len(text) == 33 for text in (*given, *unclear))


def test_all_differ_that_are_not_the_same() -> None:
    """Values of different types, or with anything different in them, have different fingerprints."""
    folded = dt.datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    values: list[object] = [
        *(None, True, 1, 1.0, "1", b"1", Decimal(1), Decimal("1.0"), 2**80, -1),
        *(
            [],
            (),
            {},
            set[int](),
            [1],
            (1,),
            [True],
            [1.0],
            ["1"],
            [[1]],
            [1, []],
            {1},
            frozenset({1}),
            {1: 1},
            {"1": 1},
        ),
        *({"a": 1, "b": 2}, {"a": 2, "b": 1}, Color.RED, Shade.RED, Perm.R, Perm.R | Perm.W, Pair(1, 1), (1, 1)),
        *(Point(1), Point(1, 1), Point((1,)), Point([1]), Place(1), PurePosixPath("a"), "a"),
        *(dt.date(2026, 1, 1), dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)),  # noqa: DTZ001
        *(folded, folded.replace(fold=1), dt.timedelta(1), dt.time(1)),
    ]

    found = [of(value) for value in values]

    assert None not in found
    assert len(set(found)) == len(values)


@pytest.mark.parametrize(
    "value",
    [
        *(object(), Plain(), print, Point(Plain()), Grown(), type("Text", (str,), {})("a"), bytearray(b"a")),
        *(Secret("a"), [Secret("a")], Point(Secret("a")), {Secret("a"): 1}),
    ],
)
def test_what_cannot_be_told_has_none(value: object) -> None:
    """Objects that may hold more than is seen, and secrets, are never taken for those of another process."""
    assert of(value) is None


def test_endless_value_has_none() -> None:
    """A list that holds itself ends in no fingerprint and no crash."""
    endless: list[object] = []
    endless.append(endless)

    assert of(endless) is None


PROGRAM = """
from treetask import Child
from treetask.store._fingerprint import arguments_fingerprint, code_digest

class Template:
    label = "w"

def body(x):
    "doc"
    return x in {"a", "b", "c", 1, None} and (lambda y: y or 1j)(x)

value = [{"a": {"x", "y", "z"}, "b": frozenset({(1, "p"), (2, "q")})}, {1, 2.5, "3", None}]
print(arguments_fingerprint(Child(Template(), (value,), {}).keyed("k")), code_digest(body))
"""


@pytest.mark.slow
def test_other_process_finds_the_same() -> None:
    """Neither the order of sets nor anything else of one process is in it."""
    found: set[str] = set()
    for seed in ("1", "2", "3"):
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)

    assert len(found) == 1
    assert "None" not in found.pop()


def test_fingerprint_is_what_it_has_always_been() -> None:
    """Journals of earlier versions are read: what is in them must be found again."""
    assert of([1, "a", {"b": (None, 2.5)}]) == "#de9d4c89dbd548c8168f42f4d8f14a23"


def made(source: str) -> Callable[..., Any]:
    """The function `f` of a source."""
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[..., Any] = names["f"]
    return function


@pytest.mark.parametrize(
    ("source", "is_same"),
    [
        ("def f(a, b=1):\n    'doc'\n    return [a + x for x in (1, 2)] or 'p'", True),
        ("\n\n\ndef f(a, b=1):\n    'other'\n    # why\n    return [a + x for x in (1, 2)] or 'p'", True),
        ("def f(a, b=2):\n    'doc'\n    return [a + x for x in (1, 2)] or 'p'", False),
        ("def f(a, b=1):\n    'doc'\n    return [a - x for x in (1, 2)] or 'p'", False),
        ("def f(a, b=1):\n    'doc'\n    return [a + x for x in (1, 3)] or 'p'", False),
        ("def f(a, b=1):\n    'doc'\n    return [a + x for x in (1, 2.0)] or 'p'", False),
        ("def f(a, b=1):\n    'doc'\n    return [a + x for x in (1, 2)] or b'p'", False),
        ("def f(a, b=1):\n    'doc'\n    return [a + y for y in (1, 2)] or 'p'", False),
        ("def f(a, b=1, *, c=1):\n    'doc'\n    return [a + x for x in (1, 2)] or 'p'", False),
    ],
)
def test_code_differs_if_it_may_do_another_thing(source: str, is_same: bool) -> None:
    """What is compiled counts, and defaults; comments, docstrings and line numbers do not."""
    original = made("def f(a, b=1):\n    'doc'\n    return [a + x for x in (1, 2)] or 'p'")

    assert (code_digest(original) == code_digest(made(source))) is is_same


def test_code_is_found_behind_what_is_around_it() -> None:
    """Both a decorator's code and that of the function count; what has no code has no digest."""

    def add(a: int) -> int:
        return a + 1

    def take(a: int) -> int:
        return a - 1

    def around(fn: Callable[[int], int]) -> Callable[[int], int]:
        @functools.wraps(fn)
        def call(a: int) -> int:
            return fn(a)

        return call

    assert code_digest(functools.partial(add, 1)) == code_digest(add)
    assert code_digest(functools.lru_cache(add)) == code_digest(add)
    assert len({code_digest(each) for each in (add, take, around(add), around(take))}) == 4
    assert code_digest(len) == code_digest(Plain()) == ""


def test_code_with_a_text_that_is_no_unicode_has_a_digest() -> None:
    """And another one than with another text."""

    def one() -> str:
        return "\udcff"

    def other() -> str:
        return "\udcfe"

    assert code_digest(one) != code_digest(other)
