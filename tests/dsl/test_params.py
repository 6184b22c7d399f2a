"""Parameters of a pipeline: the fields of a dataclass, given by name."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    DefinitionError,
    ExecutionResult,
    MisplacedDependencyError,
    Registry,
    Spawns,
    TreeFailed,
    TreeTaskConfig,
)

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Settings:
    """What the pipelines of these tests can be given."""

    env: Literal["dev", "prod"] = "dev"
    pages: int = 3
    ratio: float = 0.5
    folder: Path | None = None
    tags: list[str] = field(default_factory=list[str])

    @property
    def is_live(self) -> bool:
        """Whether others see it."""
        return self.env == "prod"


def pipeline() -> tuple[Registry, Any]:
    """A registry with these settings, and their handle."""
    tree = Registry("t")
    return tree, tree.params(Settings)


async def test_each_field_is_given_by_name_and_has_its_default() -> None:
    """Bodies take the whole, a field, or what the class makes of fields."""
    tree = Registry("t")
    settings = tree.params(Settings)

    @tree.task
    async def show(
        whole: Settings = settings.output, env: str = settings.output.env, live: bool = settings.output.is_live
    ) -> tuple[int, str, bool]:
        return whole.pages, env, live

    assert (await tree.run())[show] == (3, "dev", False)
    assert (await tree.run(env="prod", pages=7))[show] == (7, "prod", True)
    assert tree.build(TreeTaskConfig(max_concurrency=2), pages=8).config.max_concurrency == 2


async def test_runs_of_one_registry_have_their_own() -> None:
    """Two trees that were built before either runs."""
    tree = Registry("t")
    settings = tree.params(Settings)

    @tree.task
    async def show(pages: int = settings.output.pages) -> int:
        return pages

    trees = [tree.build(pages=number) for number in (1, 2)]

    for each in trees:
        await AsyncExecutor(each).run()

    assert [ExecutionResult(each)[show] for each in trees] == [1, 2]


async def test_spawned_children_and_groups_run_alone_have_them_too() -> None:
    """What a group is given by name is a parameter of the pipeline, where its own is that one."""
    tree = Registry("t")
    settings = tree.params(Settings)

    @tree.task
    async def fetch(number: int, env: str = settings.output.env) -> str:
        return f"{env} {number}"

    @tree.group
    async def crawl(pages: int = settings.output.pages) -> Spawns[int]:
        yield [fetch.child(number) for number in range(pages)]

    result = await crawl.run(pages=2, env="prod", config=None)
    assert sorted(result.all(fetch)) == ["prod 0", "prod 1"]
    assert len((await crawl.run(1)).all(fetch)) == 1


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"evn": "prod"}, " has no parameter 'evn' (did you mean 'env'?)"),
        ({"pages": "3"}, ": pages is '3'; expected int for {settings}"),
        ({"pages": True}, ": pages is True; expected int for {settings}"),
        ({"env": "live"}, ": env is 'live'; expected typing.Literal['dev', 'prod'] for {settings}"),
        ({"folder": "x"}, ": folder is 'x'; expected pathlib.Path | None for {settings}"),
        ({"store": 3}, ": store is 3; expected a path, a URL or a treetask.store.Store"),
        ({"backend": "dask"}, ": option 'backend' is not available in this version of TreeTask"),
    ],
)
async def test_value_that_does_not_fit_is_refused_before_the_run(values: dict[str, object], problem: str) -> None:
    """By name, with what was expected."""
    tree, settings = pipeline()
    message = "registry 't': run()" + problem.format(settings=f"'Settings' ({settings._given.place})")

    with pytest.raises(TypeError, match=exactly(message)):
        await tree.run(**values)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_annotated_field_is_of_the_type_that_is_annotated() -> None:
    """What is said besides is not looked at."""

    @dataclass
    class Some:
        number: Annotated[int, "of pages"] = 3

    tree = Registry("t")
    tree.params(Some)

    tree.build(number=4)
    with pytest.raises(TypeError, match=r"number is 'x'; expected typing\.Annotated\[int, 'of pages'\] for 'Some'"):
        tree.build(number="x")


def test_whole_numbers_are_numbers() -> None:
    """An int will do for a float."""
    tree, _ = pipeline()
    tree.build(ratio=1)


def test_field_without_a_default_has_to_be_given() -> None:
    """Whoever uses it."""

    @dataclass
    class Needed:
        token: str

    tree = Registry("t")
    tree.params(Needed)

    with pytest.raises(
        TypeError,
        match=r"^registry 't': build\(\) needs 'token' for 'Needed' \(.*\); give it: run\(token=\.\.\.\), "
        r"or give it a default$",
    ):
        tree.build()
    tree.build(token="x")


async def test_task_alone_needs_only_what_it_takes() -> None:
    """Also its resources' parameters, and theirs; a child that turns up and takes more fails by name."""

    @dataclass
    class Needed:
        token: str

    tree = Registry("t")
    needed = tree.params(Needed)

    @tree.task
    async def takes(n: int, token: str = needed.output.token) -> str:
        return f"{token} {n}"

    @tree.resource
    async def account(token: str = needed.output.token) -> AsyncGenerator[str, None]:
        yield token

    @tree.resource
    async def session(opened: str = account.output) -> AsyncGenerator[str, None]:
        yield opened

    @tree.task
    async def uses(opened: str = session.output) -> str:
        return opened

    @tree.task
    async def alone() -> int:
        return 3

    @tree.group
    async def spawns() -> Spawns[None]:
        yield takes.child(1)

    assert (await alone.run()).value == 3
    with pytest.raises(TypeError, match=r"^takes\.build\(\) needs 'token' for 'Needed'"):
        takes.build(1)
    with pytest.raises(TypeError, match=r"^uses\.build\(\) needs 'token' for 'Needed'"):
        uses.build()
    assert (await uses.run(token="x", config=None)).value == "x"
    with pytest.raises(TreeFailed) as caught:
        await spawns.run()
    assert [str(error) for error in caught.value.exceptions] == [
        "'t/spawns/takes[1]' takes 'token' from <output of 'Needed.token'>, which its tree was not given"
    ]


def test_field_that_there_is_not() -> None:
    """Refused where it is written."""
    _, settings = pipeline()

    with pytest.raises(AttributeError, match=r"^'Settings' \(.*\) has no field 'evn' \(did you mean 'env'\?\)$"):
        _ = settings.output.evn


def test_name_that_is_used_twice() -> None:
    """By two dataclasses, by a body that is the root, or by an option of `run`."""

    @dataclass
    class More:
        env: str = "x"

    @dataclass
    class Run:
        config: str = "x"

    tree, _ = pipeline()
    with pytest.raises(
        DefinitionError, match=r"^'More' \(.*\): 'Settings' \(.*\) has a field 'env' already; rename one of them$"
    ):
        tree.params(More)
    with pytest.raises(
        DefinitionError,
        match=r"^'Run' \(.*\): the field 'config' has the name of an option of run\(\); rename it, as in 'config_'$",
    ):
        tree.params(Run)

    @tree.task
    async def show(env: str = "x") -> str:
        return env

    with pytest.raises(
        DefinitionError,
        match=r"^task 't/show' \(.*\) has a parameter 'env', and so has 'Settings' \(.*\); rename one of them$",
    ):
        show.build()


def test_dataclass_that_is_not_made_from_its_fields() -> None:
    """Nobody could refer to what it is made from."""

    @dataclass
    class Once:
        first: InitVar[int]

    @dataclass(init=False)
    class Own:
        first: int

        def __init__(self, second: int) -> None:
            self.first = second

    @dataclass
    class Hidden:
        _first: int = 3

    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return 3

    @dataclass
    class Late:
        first: int = load.output

    for cls, problem in (
        (Once, ": 'first' is an InitVar, which nobody can refer to; make it a field"),
        (Own, " is not made from its fields; leave __init__ to the dataclass"),
        (
            Late,
            f": the default of 'first' is {load.output!r}, which has a value only in a run; take it in a task",
        ),
        (Hidden, ": '_first' begins with '_', so nobody can refer to it; rename it"),
    ):
        with pytest.raises(DefinitionError) as caught:
            tree.params(cls)
        assert str(caught.value).startswith(f"'{cls.__name__}' (")
        assert str(caught.value).endswith(f"){problem}")


async def test_types_that_cannot_be_looked_into_let_every_value_pass() -> None:
    """Each field by itself; and a field may be called as anything."""

    class Local:
        pass

    @dataclass
    class Loose:
        anything: Any = 1
        local: Local | None = None
        self: int = 3
        number: int = 4

    tree = Registry("t")
    loose = tree.params(Loose)

    @tree.task
    async def show(said: Loose = loose.output) -> tuple[object, ...]:
        return said.anything, said.local, said.self, said.number

    assert (await tree.run(anything="x", local=3, self=1, number=0))[show] == ("x", 3, 1, 0)
    with pytest.raises(TypeError, match=r"number is 'x'; expected int for 'Loose'"):
        tree.build(number="x")


def test_what_is_no_dataclass() -> None:
    """Refused with the way to make one."""
    tree = Registry("t")

    with pytest.raises(
        TypeError,
        match=r"^params\(<class 'dict'>\) \(.*\): expected a dataclass: @dataclass\(frozen=True\) above the class$",
    ):
        tree.params(dict)


def test_parameters_of_another_registry() -> None:
    """A run of this one is not given them."""
    _, settings = pipeline()
    tree = Registry("other")

    async def show(env: str = settings.output.env) -> str:
        return env

    with pytest.raises(
        MisplacedDependencyError,
        match=r"^task 'other/show' \(.*\) takes 'env' from the output of 'Settings', which is declared in another "
        r"registry \(.*\); declare both in one$",
    ):
        tree.task(show)


async def test_call_needs_what_a_run_would_fill_in() -> None:
    """Before the first line of the body."""
    tree, settings = pipeline()

    @tree.task
    async def show(env: str = settings.output.env) -> str:
        return env

    assert await show(env="x") == "x"
    with pytest.raises(
        TypeError,
        match=exactly(
            "show() needs 'env', which only a run takes from the output of 'Settings.env'; give it: show(env=...)"
        ),
    ):
        await show()
