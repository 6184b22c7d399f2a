"""Secrets: what they hold is handed on, and shown by nothing."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pprint import pformat
from typing import Any, Literal, Optional

import pytest

from tests.sentences import exactly
from treetask import Child, Secret, TaskNode, UnkeyedArgumentError
from treetask.model import mentions_secret, secrets_may_travel

HIDDEN = "hunter2"


@dataclass(frozen=True)
class Login:
    user: str
    password: Secret[str]


class Template:
    """A declaration, as far as a child needs one."""

    label = "w"

    def make_node(self, child: Child[Any], node_id: str) -> TaskNode:
        return TaskNode(node_id)


def test_value_is_revealed_where_it_is_asked_for() -> None:
    """What was put in comes out, whatever it is."""
    assert Secret(HIDDEN).reveal() == HIDDEN
    assert Secret([1]).reveal() == [1]
    assert Secret(None).reveal() is None


SHOWN: list[Callable[[Any], str]] = [
    repr,
    str,
    ascii,
    format,
    "{}".format,
    "{!r}".format,
    lambda secret: f"{secret} {secret!r} {secret:>10}",
    lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - what users may write
    lambda secret: str([secret, {secret: secret}]),
    lambda secret: repr(Login("me", secret)),
    lambda secret: pformat(asdict(Login("me", secret))),
    lambda secret: str(copy.deepcopy([secret])),
    lambda secret: json.dumps(secret, default=str),
    lambda secret: str(dir(secret)),
]


@pytest.mark.parametrize("shown", SHOWN)
def test_nothing_shows_it(shown: Callable[[Secret[str]], str]) -> None:
    """Every way to make text of it, or of what holds it, leaves the value out."""
    assert HIDDEN not in shown(Secret(HIDDEN))


def test_stars_stand_in_its_place() -> None:
    """The text that stands for it is always the same, and takes the width that is asked for."""
    assert (repr(Secret(1)), str(Secret("")), f"{Secret(HIDDEN):>5}|") == ("***", "***", "  ***|")


WRITTEN: list[Callable[[Any], object]] = [pickle.dumps, json.dumps, vars, lambda secret: secret.__getstate__()]


@pytest.mark.parametrize("written", WRITTEN)
def test_what_would_show_it_is_refused(written: Callable[[Secret[str]], object]) -> None:
    """It has no form that others could read, and the refusal does not hold it either."""
    with pytest.raises(TypeError) as caught:
        written(Secret(HIDDEN))

    assert HIDDEN not in str(caught.value)


def test_it_is_not_pickled() -> None:
    """The refusal says what to do instead."""
    message = "a Secret cannot be pickled: that would show it; hand over where it is found, and read it there"
    with pytest.raises(TypeError, match=exactly(message)):
        pickle.dumps([Secret(HIDDEN)])


def test_it_travels_to_a_process_of_the_run() -> None:
    """Where the engine says so it can be pickled, and comes out as a Secret; not so any more after that."""
    with secrets_may_travel():
        sent = pickle.dumps(Login("me", Secret(HIDDEN)))

    assert pickle.loads(sent) == Login("me", Secret(HIDDEN))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(HIDDEN))


def test_secrets_are_equal_by_value_and_type() -> None:
    """Equal values of one type make equal secrets with one hash; nothing else equals one."""
    assert Secret("é") == Secret("é")
    assert hash(Secret("é")) == hash(Secret("é"))
    assert Secret(b"a") == Secret(b"a")
    assert Secret((1, "a")) == Secret((1, "a"))
    assert Secret("\ud800") == Secret("\ud800")
    assert Secret("a") != Secret("b")
    unlike: list[object] = ["a", Secret(b"a"), Secret(("a",))]
    assert Secret("a") not in unlike
    one: object = Secret(1)
    assert one != Secret(True)


def test_secret_is_not_changed() -> None:
    """It is a value: neither its slots nor others can be set, and a copy is the same one."""
    secret = Secret("a")

    with pytest.raises(AttributeError, match=exactly("a Secret cannot be changed; make another")):
        secret.other = 1  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match=exactly("a Secret cannot be changed; make another")):
        del secret.reveal
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


def test_secret_of_a_secret_is_refused() -> None:
    """One wrapping is enough, and a second would only have to be taken off twice."""
    with pytest.raises(TypeError, match=exactly("Secret() was given a Secret; hand that one on")):
        Secret(Secret("a"))


@pytest.mark.parametrize("argument", [Secret("a"), (1, Secret("a"))])
def test_secret_is_no_part_of_a_key(argument: object) -> None:
    """Keys are shown, so an argument that is a Secret asks for a key of one's own, like others that make none."""
    message = (
        "w.child(): argument 1 is a Secret, which cannot be part of the child's key; name the child: "
        "w.child(...).keyed('...')"
    )
    with pytest.raises(UnkeyedArgumentError, match=exactly(message)):
        _ = Child(Template(), (argument,), {}).key

    assert Child(Template(), (argument,), {}).keyed("k").key == "w[k]"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Secret, True),
        (Secret[str], True),
        (Secret[str] | None, True),
        (Optional[Secret[int]], True),  # noqa: UP045 - what users may write
        (dict[str, list[Secret[str]]], True),
        (Callable[[int], Secret[str]], True),
        (str, False),
        (Literal["Secret"], False),
        ("Secret", False),
        (None, False),
    ],
)
def test_type_that_mentions_a_secret_is_told(wanted: object, expected: bool) -> None:
    """It is found wherever in a type it stands."""
    assert mentions_secret(wanted) is expected
