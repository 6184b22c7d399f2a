"""Parameters of a pipeline that nothing shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import pytest

from treetask import DefinitionError, ExecutionResult, Registry, Secret

pytestmark = pytest.mark.anyio

HIDDEN = "hunter2"
NOTHING = Secret("")


@dataclass(frozen=True)
class Access:
    token: Secret[str]
    pin: Secret[int] | None = None
    either: Secret[str] | int = 0
    noted: Annotated[Secret[str], "from the vault"] = NOTHING
    loose: Secret[Any] = field(default_factory=lambda: Secret(None))


def pipeline() -> Registry:
    """A registry whose one task returns what it was given."""
    tree = Registry("t")
    access = tree.params(Access)

    @tree.task
    async def take(access: Access = access.output) -> Access:
        return access

    return tree


def taken(result: ExecutionResult[Any]) -> object:
    """What the task was given."""
    (node,) = result.tree.root.children
    return node.result


@pytest.mark.parametrize("token", [HIDDEN, Secret(HIDDEN)])
async def test_value_is_wrapped_where_a_secret_is_wanted(token: object) -> None:
    """Given plain or wrapped, the body gets a Secret."""
    result = await pipeline().run(token=token)

    assert taken(result) == Access(Secret(HIDDEN))
    assert HIDDEN not in str(result.tree.to_dict())


async def test_each_form_of_a_secret_is_wrapped() -> None:
    """In a union a value that another member takes stays as it is."""
    result = await pipeline().run(token="", pin=1, either=3, noted="n", loose=[1])
    other = await pipeline().run(token="", pin=None, either="e")

    assert taken(result) == Access(Secret(""), Secret(1), 3, Secret("n"), Secret([1]))
    assert taken(other) == Access(Secret(""), None, Secret("e"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"token": 12345}, "registry 't': build(): token is ***; expected Secret[str] for 'Access' ({place})"),
        ({"token": Secret(12345)}, "registry 't': build(): token is ***; expected Secret[str] for 'Access' ({place})"),
        ({"token": "", "noted": 1}, "registry 't': build(): noted is ***; expected {noted} for 'Access' ({place})"),
    ],
)
def test_value_of_another_type_is_refused_and_not_shown(values: dict[str, Any], message: str) -> None:
    """The message names the parameter and its type, and has stars for the value."""
    tree = pipeline()

    with pytest.raises(TypeError) as caught:
        tree.build(**values)

    place = str(caught.value).rpartition("(")[2][:-1]
    assert str(caught.value) == message.format(place=place, noted="typing.Annotated[Secret[str], 'from the vault']")


def test_class_that_raises_does_not_show_it() -> None:
    """What the class was given is told with stars."""

    @dataclass
    class Picky:
        token: Secret[str]
        pages: int = 3

        def __post_init__(self) -> None:
            raise KeyError("no")

    tree = Registry("t")
    tree.params(Picky)

    with pytest.raises(
        DefinitionError, match=r"^registry 't': build\(\): Picky\(token=\*\*\*\) raised KeyError: 'no' \(.*\)$"
    ):
        tree.build(token=HIDDEN)


def test_default_that_is_no_secret_is_refused() -> None:
    """It would be shown wherever the parameters are; the refusal does not."""

    @dataclass
    class Careless:
        token: Secret[str] = field(default_factory=lambda: cast("Any", HIDDEN))

    tree = Registry("t")
    tree.params(Careless)

    with pytest.raises(
        DefinitionError,
        match=r"^'Careless' \(.*\): the default of 'token' is \*\*\*, no Secret; expected Secret\[str\]; "
        r"write Secret\(\.\.\.\)$",
    ):
        tree.build()
    assert tree.build(token=HIDDEN)


def test_unresolvable_annotation_that_says_secret_is_one() -> None:
    """Rather wrapped in vain than shown."""

    @dataclass
    class Odd:
        token: Secret[Nowhere] = NOTHING  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]

    tree = Registry("t")
    tree.params(Odd)

    assert [repr(each) for each in tree.build(token=HIDDEN).given.values()] == [f"{Odd.__qualname__}(token=***)"]


def test_missing_one_is_named() -> None:
    """Like any parameter without a default."""
    with pytest.raises(
        TypeError, match=r"^registry 't': build\(\) needs 'token' for 'Access' \(.*\); give it: run\(token=\.\.\."
    ):
        pipeline().build()


def test_body_takes_a_secret_as_an_argument() -> None:
    """A parameter of its own takes what it is given."""
    tree = Registry("t")

    @tree.task(static=False)
    async def fetch(token: Secret[str]) -> int:
        return len(token.reveal())

    assert fetch.run_sync(Secret(HIDDEN)).value == len(HIDDEN)
