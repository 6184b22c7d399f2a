"""Results as bytes: what comes back as it was, what is refused, and in which words."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import typing
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from tests.sentences import exactly
from treetask import Secret
from treetask.store._codec import (
    NotReadable,
    NotStorable,
    decode_params,
    decode_result,
    encode_params,
    encode_result,
)

MOMENT = dt.datetime(2026, 5, 17, 12, 30, tzinfo=dt.timezone.utc)
NAIVE = dt.datetime(2026, 5, 17, 12, 30)  # noqa: DTZ001 - what users may return
NAN = float("nan")


class Color(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    A = "a"


class Level(enum.IntEnum):
    LOW = 1


class Perm(enum.Flag):
    R = 1
    W = 2


class Odd(enum.Enum):
    HALF = 0.5


class Pair(NamedTuple):
    one: int
    other: str


class Row(TypedDict):
    a: int


@dataclass
class Point:
    x: float
    label: str = "p"
    more: object = None
    made: list[int] = field(default_factory=list[int], init=False)


class Sized(msgspec.Struct):
    n: int


@dataclass(eq=False)
class Unequal:
    n: int


@dataclass
class Broken:
    n: int

    def __eq__(self, other: object) -> bool:
        raise SystemExit("broken")

    def __hash__(self) -> int:
        return self.n


@dataclass
class Arrays:
    n: int

    def __eq__(self, other: object) -> Any:  # noqa: ANN401 - as numpy has it
        return [True]

    def __hash__(self) -> int:
        return self.n


@dataclass
class Refusing:
    n: int

    def __post_init__(self) -> None:
        raise KeyError("again")


class Text(str):
    __slots__ = ()


def same(value: object, back: object) -> bool:
    """Whether the texts of two values are equal, which their types are part of."""
    return type(value) is type(back) and repr(value) == repr(back)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 1, -(2**63), 2**64 - 1, 1.0, -0.0, NAN, "", "a\0é", b"", b"\xff", MOMENT),
        *([], {}, [1, True, 1.0, "1", None], {"a": [1, {"b": b"c"}]}, {1: "a", None: 2, False: 3, (1, 2): 4}),
        *([NAN, [NAN]], {"a": NAN}, [[0]] * 1000, [{"n": n, "name": "x" * 9, "ratio": n / 7} for n in range(200)]),
    ],
)
def test_plain_value_comes_back_unannotated(value: object) -> None:
    """Numbers, texts, bytes, moments, lists and dicts need no declared type."""
    assert same(value, decode_result(encode_result(value)))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        *((1, int), (None, type(None)), (None, int | None), ("a", str | int), ({"a": 1}, object)),
        *(((1, "a"), tuple[int, str]), ((1, 2, 3), tuple[int, ...]), ([(1, 2)], list[tuple[int, int]])),
        *(({1, 2}, set[int]), (frozenset("a"), frozenset[str]), ({(1,), (2,)}, set[tuple[int, ...]])),
        *((Color.RED, Color), (Word.A, Word), ([Level.LOW], list[Level]), (Perm.R | Perm.W, Perm)),
        *((Pair(1, "a"), Pair), ([Pair(1, "a")], list[Pair]), ({"a": 1}, Row), (Sized(3), Sized)),
        *((Point(1.5), Point), (Point(1.5, more=[1, {"a": None}]), Point), ([Point(0.5)] * 3, list[Point])),
        *((Path("a/b"), Path), ([PurePosixPath("a")], list[PurePosixPath]), (PureWindowsPath("c:/a"), PureWindowsPath)),
        *((NAIVE, dt.datetime), (NAIVE.date(), dt.date), (NAIVE.time(), dt.time), (dt.timedelta(1, 2), dt.timedelta)),
        *((decimal.Decimal("1.50"), decimal.Decimal), (uuid.UUID(int=5), uuid.UUID), (bytearray(b"a"), bytearray)),
        *(({"a": 1}, Mapping[str, int]), ([1], Sequence[int]), ({1: 2.5}, dict[int, float])),
        *(("a", str | Path), ([1], Iterable[int]), ("a", "Nowhere"), ([1], typing.Annotated[list[int], []])),
    ],
)
def test_value_comes_back_as_it_is_declared(value: object, wanted: object) -> None:
    """What has a form of its own comes back by the declared type; a type that is no help does no harm."""
    assert same(value, decode_result(encode_result(value, wanted), wanted))


def test_int_may_stand_for_a_float() -> None:
    """As type checkers have it: where a float is declared, a whole number comes back as one, if it is the same."""
    assert same(decode_result(encode_result(1, float), float), 1.0)
    assert decode_result(encode_result([1, 0.5], list[float]), list[float]) == [1.0, 0.5]
    with pytest.raises(
        NotStorable, match=exactly("an int comes back as a float; it is declared as float; declare closer what it is")
    ):
        encode_result(2**53 + 1, float)


HERE = __name__


@pytest.mark.parametrize(
    ("value", "wanted", "message"),
    [
        ((1, 2), Any, "a tuple comes back as a list; annotate what the body returns, as in `-> tuple[int, str]`"),
        (
            {"a": [0, (1, 2)]},
            Any,
            (
                "a tuple comes back as a list at ['a'][1]; annotate what the body returns, "
                "as in `-> dict[str, tuple[int, str]]`"
            ),
        ),
        ({1}, Any, "a set comes back as a list; annotate what the body returns, as in `-> set[str]`"),
        (Word.A, Any, f"a {HERE}.Word comes back as a str; annotate what the body returns, as in `-> Word`"),
        (Point(1), Any, f"a {HERE}.Point comes back as a dict; annotate what the body returns, as in `-> Point`"),
        (
            NAIVE,
            Any,
            "a datetime.datetime comes back as a str; annotate what the body returns, as in `-> datetime`",
        ),
        (
            PurePosixPath("a"),
            Any,
            "a pathlib.PurePosixPath comes back as a str; annotate what the body returns, as in `-> Path`",
        ),
        (
            bytearray(b"a"),
            Any,
            "a bytearray comes back as a bytes; annotate what the body returns, as in `-> bytearray`",
        ),
        (
            ["x" * 2000, bytearray(b"a")],
            Any,
            (
                "a bytearray comes back as a bytes at [1]; annotate what the body returns, "
                "as in `-> list[tuple[int, str]]`"
            ),
        ),
        (
            Counter("a"),
            Any,
            "a collections.Counter comes back as a dict; annotate what the body returns, as in `-> Counter`",
        ),
        (Word.A, str, f"a {HERE}.Word comes back as a str; it is declared as str; declare closer what it is"),
        (
            [Level.LOW],
            list[int],
            f"a {HERE}.Level comes back as an int at [0]; it is declared as list[int]; declare closer what it is",
        ),
        (
            Point(1.5, more=(1,)),
            Point,
            f"a tuple comes back as a list at .more; it is declared as {HERE}.Point; declare closer what it is",
        ),
        (True, int, "it cannot be read again as what is declared, int: Expected `int`, got `bool`"),
        (None, int, "it cannot be read again as what is declared, int: Expected `int`, got `None`"),
        (
            {"a": 1, "b": 2},
            Row,
            f"a dict comes back with more or fewer keys; it is declared as {HERE}.Row; declare closer what it is",
        ),
        (
            Unequal(1),
            Unequal,
            (
                f"a {HERE}.Unequal has no __eq__, so nobody can tell whether it comes back; "
                "give it one, as @dataclass does"
            ),
        ),
        (Broken(1), Broken, "it cannot be compared with what comes back: broken"),
        (
            Arrays(1),
            Arrays,
            f"a {HERE}.Arrays does not come back equal; it is declared as {HERE}.Arrays; declare closer what it is",
        ),
        (
            object(),
            Any,
            (
                "there is an object in it, which cannot be written; return numbers, texts, lists, dicts, or a "
                "dataclass of these"
            ),
        ),
        ([Text("a")], Any, f"there is a {HERE}.Text in it, which cannot be written; return str(...) of it"),
        (2**64, Any, "there is a whole number in it of more than 64 bits; return it as text"),
        ("\ud800", Any, "there is a text in it that is no Unicode; return it as bytes"),
        (
            Odd.HALF,
            Odd,
            (
                f"a {HERE}.Odd comes back as a float; its declared type does not help: Enums must contain either all "
                "str or all int values - type `<enum 'Odd'>` is not supported"
            ),
        ),
    ],
)
def test_value_that_would_come_back_as_another_is_refused(value: object, wanted: object, message: str) -> None:
    """Types count at every depth; the refusal says what differs, where, and what to do."""
    with pytest.raises(NotStorable, match=exactly(message)) as caught:
        encode_result(value, wanted)

    assert caught.value.why == message


def test_class_that_is_made_anew_with_an_error_is_refused() -> None:
    """What a class raises while it is read is a reason like others."""
    made = Refusing.__new__(Refusing)
    made.n = 1

    with pytest.raises(
        NotStorable, match=exactly(f"it cannot be read again as what is declared, {HERE}.Refusing: 'again'")
    ):
        encode_result(made, Refusing)


def test_value_that_holds_itself_is_refused() -> None:
    """Depth without end, or with too much of it, ends in a refusal and no crash."""
    round_about: list[object] = []
    round_about.append(round_about)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    for value in (round_about, deep):
        with pytest.raises(
            NotStorable, match=exactly("it is nested too deep, or holds itself; return something flatter")
        ):
            encode_result(value)
    while deep:
        deep = deep.pop()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Secret("x"), Secret[str]),
        ([{"a": Secret("x")}], Any),
        ({Secret("x"): 1}, Any),
        (Point(1, more=(Secret("x"),)), Point),
        ((1, {"a": Secret("x")}), tuple[int, dict[str, Secret[str]]]),
    ],
)
def test_secret_is_never_stored(value: object, wanted: object) -> None:
    """Wherever it is in a result, the result is not stored."""
    message = "there is a Secret in it, which is never stored; return what was done with it"
    with pytest.raises(NotStorable, match=exactly(message)):
        encode_result(value, wanted)


def test_size_is_told_where_it_is_limited() -> None:
    """There is no limit by default; one that is given is named with the size."""
    assert len(encode_result("x" * 100_000)) > 100_000
    message = "it takes 2,003 bytes, more than the 1,000 that are kept; write it to a file and return its path"
    with pytest.raises(NotStorable, match=exactly(message)):
        encode_result("x" * 2000, max_bytes=1000)


def test_what_is_of_another_type_by_now_is_not_read() -> None:
    """A type that was changed since is named, with what stands in the way."""
    stored = encode_result("a", str)

    with pytest.raises(NotReadable, match=exactly("it is no int any more: Expected `int`, got `str`")):
        decode_result(stored, int)


@pytest.mark.slow
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats()
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
        max_leaves=30,
    )
)
def test_whatever_is_stored_comes_back(value: object) -> None:
    """Any value that is accepted without a type is the same when it comes back; these all are accepted."""
    assert same(value, decode_result(encode_result(value)))


def test_parameters_come_back_and_secrets_are_left_out() -> None:
    """What has a form in JSON is kept; secrets and the rest are named, not written."""
    values = {
        "pages": 5,
        "since": NAIVE,
        "folder": Path("a"),
        "names": ("a", "b"),
        "token": Secret("hunter2"),
        "plain": "hunter2",
        "nested": {"a": [Secret("hunter2")]},
        "call": print,
        "ratio": NAN,
        "loose": (1, 2),
        "zero": "\0",
    }
    types = {"since": dt.datetime, "folder": Path, "names": tuple[str, ...], "plain": Secret[str] | None}

    text, left_out = encode_params(values, types)

    assert left_out == ("token", "plain", "nested", "call", "ratio", "loose")
    assert "hunter2" not in text
    assert "\0" not in text
    kept = {name: value for name, value in values.items() if name not in left_out}
    assert decode_params(text, types) == kept


def test_parameter_of_another_type_by_now_is_named() -> None:
    """Whoever resumes with a changed pipeline is told which parameter does not fit."""
    text, _ = encode_params({"pages": "many"}, {})

    with pytest.raises(NotReadable, match=exactly("parameter 'pages' is no int any more: Expected `int`, got `str`")):
        decode_params(text, {"pages": int})
    with pytest.raises(NotReadable, match=exactly("the parameters cannot be read: Input data was truncated")):
        decode_params("{", {})
