"""What is kept as JSON: all of a value, or a refusal that says what in it cannot be."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetask.store import NotJsonError
from treetask.store._json_text import from_json_text, is_small, json_text

FIX = (
    ", which has no form in JSON; use dicts with strings as keys, lists, strings, finite numbers, True, False and None"
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Unshown:
    """What cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


@given(json_values)
def test_value_comes_back_equal(value: object) -> None:
    """And its text is ASCII, with no character that a database could refuse."""
    text = json_text(value, "task 'a'", "inputs")

    assert from_json_text(text) == value
    assert text.isascii()
    assert "\0" not in text


def test_tuple_comes_back_as_list() -> None:
    """JSON knows one kind of sequence."""
    assert from_json_text(json_text({"a": (1, (2,))}, "task 'a'", "inputs")) == {"a": [1, [2]]}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({1: 2}, "inputs has the key 1"),
        ({"a": [0, {2}]}, "inputs['a'][1] is {2} (a set)"),
        ({"a": {"b": b"c"}}, "inputs['a']['b'] is b'c' (a bytes)"),
        ([math.nan], "inputs[0] is nan"),
        ({"a": -math.inf}, "inputs['a'] is -inf"),
        ({"a": Unshown()}, "inputs['a'] is a Unshown"),
        ({"a": set(range(100))}, "inputs['a'] is a set"),
    ],
)
def test_value_without_a_form_is_refused_with_its_place(value: object, problem: str) -> None:
    """What `json.dumps` would change or write all the same is refused as well."""
    with pytest.raises(NotJsonError, match=f"^{re.escape(f'task {chr(39)}a{chr(39)}: {problem}{FIX}')}$"):
        json_text(value, "task 'a'", "inputs")


def test_value_that_is_nested_too_deep_is_refused() -> None:
    """One that holds itself is."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    around: list[Any] = []
    around += [around, around]

    for value in (deep, around):
        with pytest.raises(NotJsonError, match=f"^task 'a': inputs is nested too deep{FIX}$"):
            json_text(value, "task 'a'", "inputs")


@pytest.mark.parametrize("value", [None, 1, "text", [1] * 100, {"a": {"b": [1, 2]}}])
def test_little_is_small(value: object) -> None:
    """It is written down where it is."""
    assert is_small(value)


@pytest.mark.parametrize(
    "value", [[0] * 10_000, {str(number): 0 for number in range(10_000)}, "x" * 1_000_000, [["x" * 1_000] * 600]]
)
def test_much_is_not_small(value: object) -> None:
    """It is written down in a thread, and gives the same."""
    assert not is_small(value)
    assert json.loads(json_text(value, "task 'a'", "inputs")) == value
