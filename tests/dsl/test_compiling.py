"""What compiles to which nodes, in which order they have to run, and what is refused before."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.dsl.sentences import at, exactly
from treetask import (
    DefinitionError,
    DependencyCycleError,
    MisplacedDependencyError,
    Registry,
    Spawns,
    TaskNode,
    TaskTree,
    TreeTaskConfig,
    TreeTaskError,
)


def shape(tree: TaskTree) -> dict[str, list[str]]:
    """The ids of a tree, each with what it waits for."""
    return {node.id: list(node.options.depends_on) for node in tree.walk()}


async def nothing() -> None:
    """A body."""


# -- templates --------------------------------------------------------------------------------------------------------


def test_task_that_nothing_binds_is_a_template() -> None:
    """With a required parameter it is only spawned; a default or a reference binds one."""
    tree = Registry("t")

    @tree.task
    async def template(url: str) -> None: ...

    @tree.task
    async def by_name(*, url: str) -> None: ...

    @tree.task
    async def placed(url: str = "u") -> bytes:
        return url.encode()

    @tree.task
    async def filled(node: TaskNode, raw: bytes = placed.output, **more: str) -> None: ...

    assert tree.build().ids() == ["t", "t/placed", "t/filled"]


def test_static_false_makes_a_template() -> None:
    """Of any task, and of any group with all that is below it."""
    tree = Registry("t")
    tree.task(id="spawned", static=False)(nothing)
    tree.task(id="placed", static=True)(nothing)
    with tree.group("folder", static=False) as folder:
        folder.task(nothing)

    assert tree.build().ids() == ["t", "t/placed"]


def test_group_that_nothing_binds_is_a_template_with_all_below_it() -> None:
    """What is below a template comes with each node of it, not before."""
    tree = Registry("t")

    @tree.group
    async def folder(name: str) -> None: ...

    folder.task(nothing)

    assert tree.build().ids() == ["t"]


def test_static_task_that_nothing_binds_is_refused() -> None:
    """static=True says that it is placed, so everything has to be bound."""
    tree = Registry("t")

    async def fetch(url: str, *, tries: int) -> None: ...

    with pytest.raises(
        DefinitionError,
        match=exactly(
            f"task 't/fetch' ({at(fetch)}) is declared with static=True, but nothing binds 'url' and 'tries'; "
            "give a default, or remove static=True and spawn it"
        ),
    ):
        tree.task(static=True)(fetch)


# -- the tree ---------------------------------------------------------------------------------------------------------


def test_nodes_have_path_ids_and_short_names() -> None:
    """Ids are paths; what people see is the name, or the id among siblings."""
    tree = Registry("nightly", name="Nightly")
    with tree.group("crawl", name="Crawl") as crawl:
        crawl.task(id="fetch")(nothing)

    root, group, task = tree.build().walk()

    assert [(node.id, node.name) for node in (root, group, task)] == [
        ("nightly", "Nightly"),
        ("nightly/crawl", "Crawl"),
        ("nightly/crawl/fetch", "fetch"),
    ]
    assert (root.task_fn, group.task_fn) == (None, None)
    assert task.task_fn is not None


def test_each_build_is_a_tree_of_its_own() -> None:
    """A registry can be built again, and what is declared later is in the later tree only."""
    tree = Registry("t")
    tree.task(nothing)
    first = tree.build()
    tree.task(id="later")(nothing)

    assert first.ids() == ["t", "t/nothing"]
    assert tree.build().ids() == ["t", "t/nothing", "t/later"]


def test_config_belongs_to_the_tree_that_is_built() -> None:
    """By position or by name; anything else is refused."""
    config = TreeTaskConfig(max_concurrency=3)
    tree = Registry("t")
    task = tree.task(nothing)

    assert tree.build(config).config is config
    assert task.build(config=config).config is config
    with pytest.raises(TypeError, match=r"^registry 't': build\(\): config is 'fast'; expected a TreeTaskConfig$"):
        tree.build("fast")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"^nothing\.build\(\): config is 3; expected a TreeTaskConfig$"):
        task.build(config=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


def test_group_or_task_can_be_the_root() -> None:
    """The ids are those that it has in the whole; the rest is left out."""
    tree = Registry("t")
    tree.task(nothing)
    with tree.group("outer") as outer, outer.group("inner", parallel=False) as inner:
        task = inner.task(nothing)

    assert outer.build().ids() == ["t/outer", "t/outer/inner", "t/outer/inner/nothing"]
    assert inner.build().ids() == ["t/outer/inner", "t/outer/inner/nothing"]
    assert inner.build().root.parallel is False
    assert task.build().ids() == ["t/outer/inner/nothing"]


def test_template_can_be_the_root() -> None:
    """Its arguments are given; what is declared below it comes with it."""
    tree = Registry("t")

    @tree.group
    async def folder(node: TaskNode, name: str) -> str:
        return f"{node.id} {name}"

    folder.task(nothing)
    built = folder.build("docs")

    assert built.ids() == ["t/folder", "t/folder/nothing"]
    assert built.root.task_fn is not None
    assert "docs" in repr(built.root.task_fn.args)  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]


def test_deeply_nested_groups_compile() -> None:
    """Nothing recurses; deeper than Python's own limit."""
    tree = Registry("t")
    group = tree.group("g")
    for _ in range(2_000):
        group = group.group("g")
    group.task(nothing)

    built = tree.build()

    assert len(built) == 2_003
    assert built.ids()[-1].count("/") == 2_002


# -- edges ------------------------------------------------------------------------------------------------------------


def test_order_and_data_become_dependencies() -> None:
    """A reference needs what it refers to; `depends_on` is order without data; each id stands once."""
    tree = Registry("t")

    @tree.task
    async def extract() -> bytes:
        return b""

    checks = tree.group("checks")

    @checks.task
    def lint() -> float:
        return 9.5

    @tree.task(depends_on=(handle for handle in (checks, extract)))
    async def publish(raw: bytes = extract.output, *, score: float = lint.output) -> None: ...

    assert shape(tree.build()) == {
        "t": [],
        "t/extract": [],
        "t/checks": [],
        "t/checks/lint": [],
        "t/publish": ["t/extract", "t/checks/lint", "t/checks"],
    }


def test_given_argument_needs_nothing() -> None:
    """A parameter that is filled does not take the output, so there is no edge; run alone, a task can be given it."""
    tree = Registry("t")

    @tree.task
    async def extract() -> bytes:
        return b""

    @tree.task
    async def parse(raw: bytes = extract.output) -> int:
        return len(raw)

    assert shape(parse.build(b"mine")) == {"t/parse": []}
    assert shape(parse.build(raw=b"mine")) == {"t/parse": []}


def test_cycle_through_implied_edges_is_refused() -> None:
    """A child that waits for its own group can never start; the path and the reason are told."""
    tree = Registry("t")
    with tree.group("outer") as outer:
        outer.task(depends_on=[outer])(nothing)

    with pytest.raises(
        DependencyCycleError,
        match=exactly(
            "'t/outer/nothing' depends on itself: t/outer/nothing -> t/outer -> t/outer/nothing; "
            "'t/outer' ends after its child 't/outer/nothing'; remove one of these dependencies"
        ),
    ):
        tree.build()


def test_groups_that_wait_for_each_other_are_refused() -> None:
    """Across two groups; no declared edge alone goes backwards."""
    tree = Registry("t")
    first, second = tree.group("first"), tree.group("second")
    first.task(depends_on=[second])(nothing)
    second.task(depends_on=[first])(nothing)

    message = (
        "'t/first/nothing' depends on itself: "
        "t/first/nothing -> t/second -> t/second/nothing -> t/first -> t/first/nothing; "
        "'t/second' ends after its child 't/second/nothing'; "
        "'t/first' ends after its child 't/first/nothing'; "
        "remove one of these dependencies"
    )
    with pytest.raises(DependencyCycleError, match=exactly(message)):
        tree.build()


def test_edge_to_another_registry_is_refused() -> None:
    """Two registries are two trees."""
    other = Registry("other")
    source = other.task(nothing)
    tree = Registry("t")

    async def later(raw: None = source.output) -> None: ...

    why = f"which is declared in another registry ({at(nothing)}); declare both in one"
    with pytest.raises(
        MisplacedDependencyError, match=exactly(f"task 't/nothing' ({at(nothing)}) depends on 'other/nothing', {why}")
    ):
        tree.task(depends_on=[source])(nothing)
    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(f"task 't/later' ({at(later)}) takes 'raw' from the output of 'other/nothing', {why}"),
    ) as refused:
        tree.task(later)
    assert isinstance(refused.value, TreeTaskError)
    assert (refused.value.task_id, refused.value.dependency, refused.value.parameter) == (
        "t/later",
        "other/nothing",
        "raw",
    )
    assert tree.build().ids() == ["t"]


def test_edge_to_a_template_is_refused() -> None:
    """It has no node in the tree, or many; the fix says how it could get one."""
    tree = Registry("t")

    @tree.task
    async def fetch(url: str) -> bytes:
        return b""

    spawned = tree.task(id="spawned", static=False)(nothing)

    async def parse(raw: bytes = fetch.output) -> None: ...

    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(
            f"task 't/parse' ({at(parse)}) takes 'raw' from the output of 't/fetch', which is a template, spawned and "
            "not placed in the tree (it needs 'url'); give 'url' a default, or hand its result over in a body"
        ),
    ):
        tree.task(parse)
    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(
            f"task 't/nothing' ({at(nothing)}) depends on 't/spawned', which is a template, spawned and not placed in "
            "the tree (static=False); remove static=False, or hand its result over in a body"
        ),
    ):
        tree.task(depends_on=[spawned])(nothing)


def test_edge_into_a_template_group_is_refused_from_outside() -> None:
    """From inside it means the node beside; from outside it could mean any of many."""
    tree = Registry("t")

    @tree.group
    async def folder(name: str) -> None: ...

    @folder.task
    async def read() -> bytes:
        return b""

    @folder.task
    async def parse(raw: bytes = read.output) -> None: ...

    async def outside(raw: bytes = read.output) -> None: ...

    async def spawned(word: str, raw: bytes = read.output) -> None: ...

    why = "which has a node for each 't/folder' that is spawned; hand the value over as an argument of child()"
    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(f"task 't/outside' ({at(outside)}) takes 'raw' from the output of 't/folder/read', {why}"),
    ):
        tree.task(outside)
    with pytest.raises(MisplacedDependencyError, match=f"{re.escape(why)}$"):
        folder.task(spawned)


def test_edge_to_what_is_around_it_is_refused_inside_a_template() -> None:
    """At once, since no plan has it: that ends after what is in it."""
    tree = Registry("t")

    @tree.group
    async def folder(name: str) -> None: ...

    @folder.group
    async def deep() -> None: ...

    async def inside(raw: None = folder.output) -> None: ...

    why = "which is around it and ends after it; take what it needs itself, or remove this dependency"
    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(f"task 't/folder/inside' ({at(inside)}) takes 'raw' from the output of 't/folder', {why}"),
    ):
        folder.task(inside)
    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(f"task 't/folder/deep/nothing' ({at(nothing)}) depends on 't/folder/deep', {why}"),
    ):
        deep.task(depends_on=[deep.optional])(nothing)


def test_edge_that_leaves_the_tree_is_refused_when_it_is_built() -> None:
    """Run a group that has both, or give the value."""
    tree = Registry("t")

    @tree.task
    async def extract() -> bytes:
        return b""

    with tree.group("checks") as checks:

        @checks.task(depends_on=[extract])
        async def lint() -> None: ...

    @tree.task
    async def parse(raw: bytes = extract.output) -> None: ...

    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(
            f"task 't/checks/lint' ({at(lint)}) depends on 't/extract', which is not part of 't/checks'; "
            "run 't', which has both"
        ),
    ):
        checks.build()
    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(
            f"task 't/parse' ({at(parse)}) takes 'raw' from the output of 't/extract', which is not part of 't/parse'; "
            "run 't', which has both, or give the value: parse.run(raw=...)"
        ),
    ):
        parse.build()


def test_reference_inside_a_container_is_refused() -> None:
    """It would never be filled in."""
    tree = Registry("t")
    source = tree.task(nothing)
    defaults: list[Any] = [[source.output], (1, source.output), {"a": source.output}]

    for default in defaults:

        async def after(node: TaskNode, values: list[Any] = default) -> None: ...

        with pytest.raises(
            DefinitionError,
            match=exactly(
                f"'after' ({at(after)}) cannot be a task: the default of 'values' holds a reference inside a "
                f"{type(default).__name__}; give each reference a parameter of its own"
            ),
        ):
            tree.task(after)


def test_reference_of_a_positional_only_parameter_is_refused() -> None:
    """A run fills parameters in by name."""
    tree = Registry("t")
    source = tree.task(nothing)

    async def later(value: None = source.output, /) -> None: ...

    with pytest.raises(
        DefinitionError,
        match=exactly(
            f"'later' ({at(later)}) cannot be a task: 'value' takes <output of 't/nothing'> and is positional-only, "
            "but a run fills it in by name; move it behind the `/`"
        ),
    ):
        tree.task(later)


# -- nodes by handle --------------------------------------------------------------------------------------------------


def test_nodes_are_found_by_handle() -> None:
    """Placed ones, with a body or without, whatever the root of the tree."""
    tree = Registry("t")
    with tree.group("checks") as checks:
        first = checks.task(id="first")(nothing)
        with checks.group("deep") as deep:
            deep.task(id="second")(nothing)

    @tree.group
    async def crawl() -> Spawns[None]:
        yield []

    whole, part = tree.build(), checks.build()

    assert [node.id for node in first.nodes_in(whole)] == ["t/checks/first"]
    assert [node.id for node in checks.nodes_in(whole)] == ["t/checks"]
    assert [node.id for node in deep.nodes_in(part)] == ["t/checks/deep"]
    assert [node.id for node in checks.nodes_in(part)] == ["t/checks"]
    assert [node.id for node in crawl.nodes_in(whole)] == ["t/crawl"]
    assert crawl.nodes_in(part) == []
    assert first.nodes_in(Registry("t").build()) == []
