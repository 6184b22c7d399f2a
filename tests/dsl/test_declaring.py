"""Registries, tasks and groups, nested by their handles; ids, options and what is refused at once."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from tests.dsl.sentences import at, exactly
from treetask import DefinitionError, DuplicateNodeError, Group, Registry, Task, TaskNode, TreeTaskError
from treetask.dsl import AsyncGroup, AsyncTask, BodyError, SyncGroup, SyncTask
from treetask.dsl._decorators import BareGroupOptions, GroupOptions, TaskOptions
from treetask.model import Spawns, SyncSpawns


def ids(tree: Registry) -> list[str]:
    """The ids of the tree that a registry compiles to."""
    return tree.build().ids()


async def nothing() -> None:
    """A body."""


def test_nesting_follows_the_handles() -> None:
    """A declaration stands below the handle that it was made with; ids are paths from the registry down."""
    tree = Registry("nightly")

    @tree.task
    async def extract() -> None: ...

    @tree.group
    async def crawl() -> None: ...

    @crawl.group(parallel=False)
    async def deep() -> None: ...

    @deep.task(id="fetch")
    async def fetch_pages() -> None: ...

    with crawl.group("checks") as checks:

        @checks.task()
        def lint() -> None: ...

    assert ids(tree) == [
        "nightly",
        "nightly/extract",
        "nightly/crawl",
        "nightly/crawl/deep",
        "nightly/crawl/deep/fetch",
        "nightly/crawl/checks",
        "nightly/crawl/checks/lint",
    ]


def test_handles_are_found_by_id() -> None:
    """What was declared below a registry or group can be looked up, not changed."""
    tree = Registry("nightly")
    first = tree.task(nothing)
    checks = tree.group("checks")

    assert dict(tree.handles) == {"nothing": first, "checks": checks}
    assert dict(checks.handles) == {}
    with pytest.raises(TypeError, match="does not support item assignment"):
        tree.handles["other"] = first  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def test_handle_is_of_the_kind_of_its_function() -> None:
    """A handle is called like its function; that of a spawner has a type that cannot be called."""
    tree = Registry("t")

    @tree.task
    async def awaited() -> None: ...

    @tree.task
    def called() -> None: ...

    @tree.task
    async def spawner() -> Spawns[None]:
        yield awaited.child()

    @tree.task
    def stepper() -> SyncSpawns[None]:
        yield awaited.child()

    @tree.group
    async def awaited_group() -> None: ...

    @tree.group
    def called_group() -> None: ...

    @tree.group
    async def spawner_group() -> Spawns[None]:
        yield awaited.child()

    kinds: list[type[Any]] = [type(handle) for handle in tree.handles.values()]
    assert kinds == [AsyncTask, SyncTask, Task, Task, AsyncGroup, SyncGroup, Group]


def test_handle_looks_like_its_function() -> None:
    """Name, docstring and the signature without the node are the function's own; `fn` is the function."""
    tree = Registry("t")

    @tree.task(id="get")
    async def fetch(node: TaskNode, url: str, *, tries: int = 3) -> bytes:
        """Fetch a page."""
        return b""

    shown = [getattr(fetch, name) for name in ("label", "__name__", "__doc__")]
    assert shown == ["get", "fetch", "Fetch a page."]
    assert list(inspect.signature(fetch).parameters) == ["url", "tries"]
    assert list(inspect.signature(fetch.fn).parameters) == ["node", "url", "tries"]
    assert repr(fetch) == f"<AsyncTask 't/get' at {at(fetch)}>"
    assert re.fullmatch(r"<Registry 't' at .*test_declaring\.py:\d+>", repr(tree))


def test_group_without_a_body_has_no_fn() -> None:
    """There is no function to get; the group is named."""
    checks = Registry("t").group("checks")

    with pytest.raises(AttributeError, match=exactly("group 't/checks' has no body, so it has no fn")):
        _ = checks.fn


def test_second_sibling_of_an_id_is_refused_with_both_places() -> None:
    """At once, both named as file:line."""
    tree = Registry("nightly")

    @tree.task
    async def fetch() -> None: ...

    async def other() -> None: ...

    with pytest.raises(
        DuplicateNodeError,
        match=exactly(
            f"duplicate id 'nightly/fetch': first at {at(fetch)}, again at {at(other)}; give one of them another id"
        ),
    ) as refused:
        tree.task(id="fetch")(other)
    assert isinstance(refused.value, TreeTaskError)
    assert ids(tree) == ["nightly", "nightly/fetch"]


def test_group_by_name_knows_its_line() -> None:
    """A group without a body stands where it was written."""
    tree = Registry("nightly")
    tree.group("checks")

    with pytest.raises(DuplicateNodeError) as refused:
        tree.group("checks")
    first, second = (
        re.fullmatch(r"at .*test_declaring\.py:(\d+)", place) for place in (refused.value.first, refused.value.second)
    )
    assert first is not None
    assert second is not None
    assert int(second[1]) == int(first[1]) + 3


def test_same_id_below_another_group_is_another_task() -> None:
    """Ids are unique among siblings only."""
    tree = Registry("t")
    tree.task(nothing)
    tree.group("g").task(nothing)

    assert ids(tree) == ["t", "t/nothing", "t/g", "t/g/nothing"]


def test_registries_know_nothing_of_each_other() -> None:
    """Several registries of a module are several trees."""
    first, second = Registry("a"), Registry("b")
    first.task(nothing)
    second.task(nothing)

    assert (ids(first), ids(second)) == (["a", "a/nothing"], ["b", "b/nothing"])


@pytest.mark.parametrize(
    ("label", "error", "problem"),
    [
        ("", ValueError, "the id is ''; expected one that is not empty and has no '/', which paths use"),
        ("a/b", ValueError, "the id is 'a/b'; expected one that is not empty and has no '/', which paths use"),
        (3, TypeError, "the id is 3; expected a string"),
    ],
)
def test_id_that_cannot_stand_in_a_path_is_refused(label: object, error: type[Exception], problem: str) -> None:
    """For a registry, a group and a task alike."""
    options: dict[str, Any] = {"id": label}
    tree = Registry("t")

    with pytest.raises(error, match=rf"^registry \(.*\): {re.escape(problem)}$"):
        Registry(options["id"])
    with pytest.raises(error, match=exactly(f"task '{label}' ({at(nothing)}): {problem}")):
        tree.task(**options)(nothing)
    if isinstance(label, str):
        with pytest.raises(error, match=rf"^task '{label}' \(.*\): {re.escape(problem)}$"):
            tree.group(label)
    assert ids(tree) == ["t"]


def test_options_reach_the_nodes() -> None:
    """What a declaration says is what its node has; declared tasks are not retried unless they say so."""
    tree = Registry("t", name="Tree", parallel=False, on_failure="continue", timeout=60, max_retries=2)

    @tree.task(name="Fetch", timeout=3, max_retries=4)
    async def fetch() -> None: ...

    @tree.group(parallel=False, on_failure="finish", max_queued=7)
    async def crawl() -> None: ...

    tree.group("checks", name="Checks", timeout=None)
    root, one, two, three = tree.build().walk()

    options = root.options
    assert (root.name, options.parallel, options.on_failure, options.timeout, options.max_retries) == (
        "Tree",
        False,
        "continue",
        60,
        2,
    )
    assert (one.name, one.options.timeout, one.options.max_retries, one.options.parallel) == ("Fetch", 3, 4, True)
    assert (two.name, two.options.parallel, two.options.on_failure) == ("crawl", False, "finish")
    assert (two.options.max_queued, two.options.max_retries) == (7, 0)
    assert (three.name, three.options.timeout, three.options.max_retries) == ("Checks", None, 0)


def test_options_may_be_given_step_by_step() -> None:
    """A decorator with options is one that can be used for many functions, and be given more."""
    tree = Registry("t")
    patient = tree.task(timeout=60)
    patient(nothing)
    patient(id="often", max_retries=5)(nothing)

    _, one, two = tree.build().walk()
    assert [(node.options.timeout, node.options.max_retries) for node in (one, two)] == [(60, 0), (60, 5)]


CACHE = "expected 'inputs', or a function of the task's arguments that returns what tells its results"


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"timeuot": 3}, TypeError, " has no option 'timeuot' (did you mean 'timeout'?)"),
        ({"nmae": "x"}, TypeError, " has no option 'nmae' (did you mean 'name'?)"),
        ({"nmae": "x", "timeuot": 3, "idd": "y"}, TypeError, " has no option 'nmae' (did you mean 'name'?)"),
        ({"parallel": False}, TypeError, " has no option 'parallel'; it is one of a group"),
        ({"max_queued": 3}, TypeError, " has no option 'max_queued'; it is one of a group with a body"),
        (
            {"when": nothing},
            DefinitionError,
            ": when=nothing cannot be asked: it is no plain function; write it as a `def` that answers at once",
        ),
        ({"cache": "input"}, TypeError, f": cache is 'input'; {CACHE}"),
        ({"cache": True}, TypeError, f": cache is True; {CACHE}"),
        ({"version": 1.5}, TypeError, ": version is 1.5; expected a string or a whole number, as in version=2"),
        ({"timeout": "3"}, TypeError, ": timeout is '3'; expected a number of seconds or None"),
        (
            {"timeout": -1},
            ValueError,
            ": timeout is -1; expected a finite number of seconds from 0; None means the config's default_task_timeout",
        ),
        (
            {"max_retries": -1},
            ValueError,
            ": max_retries is -1; expected at least 0; None means the config's max_retries",
        ),
        ({"name": 3}, TypeError, ": name is 3; expected a string that is not empty"),
        ({"static": "yes"}, TypeError, ": static is 'yes'; expected True or False"),
        (
            {"depends_on": "extract"},
            TypeError,
            ": depends_on is 'extract'; expected a list of handles, as in depends_on=[crawl]",
        ),
        (
            {"depends_on": ["extract"]},
            TypeError,
            ": depends_on has 'extract' in it; expected a list of handles, as in depends_on=[crawl]",
        ),
    ],
)
def test_bad_option_is_refused_where_it_stands(options: dict[str, Any], error: type[Exception], problem: str) -> None:
    """The task, its place, what was found and what was expected; nothing is declared then."""
    tree = Registry("t")

    with pytest.raises(error, match=exactly(f"task 't/nothing' ({at(nothing)}){problem}")):
        tree.task(**options)(nothing)
    assert ids(tree) == ["t"]


def test_single_handle_for_depends_on_is_refused() -> None:
    """One handle is no list; the message shows how to write it."""
    tree = Registry("t")
    first = tree.task(nothing)

    with pytest.raises(
        TypeError, match=r"depends_on is <AsyncTask 't/nothing' at .*>; expected a list of handles, as in"
    ):
        tree.task(id="second", depends_on=first)(nothing)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


def test_bad_option_of_a_group_or_registry_is_refused() -> None:
    """They have options of their own."""
    tree = Registry("t")

    with pytest.raises(
        TypeError, match=r"^task 't/g' \(.*\) has no option 'max_queued'; it is one of a group with a body$"
    ):
        tree.group("g", max_queued=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"has no option 'id' \(there are 'allow_failure', 'always', 'cost', "):
        tree.group("g", id="h")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    with pytest.raises(
        ValueError, match=r"t/nothing' .*: on_failure is 'stop'; expected one of 'cancel', 'finish', 'continue'$"
    ):
        tree.group(on_failure="stop")(nothing)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"^registry 'u' \(.*\) has no option 'paralel' \(did you mean 'parallel'\?\)$"):
        Registry("u", paralel=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_typed_options_are_those_that_are_read() -> None:
    """What the type checker offers is what exists at run time."""
    common = {"name", "static", "depends_on", "max_retries", "retry", "timeout"}
    common |= {"allow_failure", "always", "cost", "priority", "tags", "when"}
    of_bodies = {"backend", "id", "limits", "keep_done", "version"}
    of_groups = {"parallel", "on_failure", "max_parallel"}

    assert TaskOptions.__optional_keys__ == common | of_bodies | {"cache"}
    assert BareGroupOptions.__optional_keys__ == common | of_groups
    assert GroupOptions.__optional_keys__ == common | of_bodies | of_groups | {"max_queued"}


def test_what_can_be_iterated_once_is_kept() -> None:
    """Options are read when they are written, and used for every node."""
    tree = Registry("t", tags=iter(["all"]))
    task = tree.task(tags=(tag for tag in ("net", "slow")), limits=iter([tree.limit("api", per_second=1)]))(nothing)

    nodes = [tree.build().root, *task.nodes_in(tree.build()), *task.nodes_in(tree.build())]

    assert [node.options.tags for node in nodes] == [{"all"}, {"net", "slow"}, {"net", "slow"}]
    assert [len(node.options.limits) for node in nodes] == [0, 1, 1]


def test_decorator_that_is_given_no_function_says_so() -> None:
    """A name where the function belongs, or both at once."""
    tree = Registry("t")
    hint = "expected a function and nothing else; options go by name, in a call of their own: task(id='...')"

    with pytest.raises(TypeError, match=rf"^task\('fetch'\) \(.*test_declaring\.py:\d+\): {re.escape(hint)}$"):
        tree.task("fetch")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(TypeError, match=re.escape(hint)):
        tree.task(nothing, timeout=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def test_handle_cannot_be_declared_again() -> None:
    """A function may be declared twice, a handle may not."""
    tree = Registry("t")
    first = tree.task(nothing)

    with pytest.raises(
        BodyError,
        match=exactly(
            f"'nothing' ({at(nothing)}) cannot be a task: it is 't/nothing' already; decorate the function: handle.fn"
        ),
    ):
        tree.group("g").task(first)


def test_place_is_short_for_files_below_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path from here where that is short, the whole path elsewhere."""
    from treetask.dsl._place import Place

    monkeypatch.chdir(tmp_path)

    assert str(Place(str(tmp_path / "jobs" / "app.py"), 12)) == f"{Path('jobs') / 'app.py'}:12"
    assert str(Place(str(tmp_path.parent / "app.py"), 3)) == f"{tmp_path.parent / 'app.py'}:3"
