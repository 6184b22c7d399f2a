"""Which nodes of a tree selectors leave, what waits for what is gone, and what is refused."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.sentences import exactly
from treetask import (
    JOIN,
    AsyncExecutor,
    DefinitionError,
    NothingSelectedError,
    Outcome,
    Registry,
    Spawns,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeRunningError,
    optional,
)
from treetask.model import BETWEEN, Selector


async def body(node: TaskNode) -> None:
    """Do nothing."""


async def spawns(node: TaskNode) -> Spawns[None]:
    """Yield nothing that needs anything."""
    yield JOIN


def site() -> TaskTree:
    """Checks, a crawl that may spawn, a load, and what is published of them."""
    return (
        TreeBuilder("site")
        .add_node("site/checks")
        .add_child("site/checks/lint", task=body, tags=["fast"])
        .add_child("site/checks/types", task=body)
        .up()
        .add_child("site/crawl", task=spawns, tags=["net"])
        .add_child("site/load", task=body, tags=["net", "slow"])
        .add_node("site/out", task=body, depends_on=["site/load"])
        .add_child("site/out/publish", task=body, depends_on=["site/crawl", optional("site/checks")])
        .up()
        .add_child("site/tidy", task=body, always=True, depends_on=[optional("site/out")])
        .build()
    )


def left(tree: TaskTree) -> list[str]:
    """The ids in a tree, without that of the root."""
    return [node.id.partition("/")[2] for node in tree.walk()][1:]


ALL = ["checks", "checks/lint", "checks/types", "crawl", "load", "out", "out/publish", "tidy"]


@pytest.mark.parametrize(
    ("only", "stay"),
    [
        ([], ALL),
        (["site"], ALL),
        (["checks"], ["checks", "checks/lint", "checks/types"]),
        (["checks/lint"], ["checks", "checks/lint"]),
        (["site/checks/lint"], ["checks", "checks/lint"]),
        (["*/lint", "load"], ["checks", "checks/lint", "load"]),
        (["c*/l?nt"], ["checks", "checks/lint"]),
        (["**/publish"], ["out", "out/publish"]),
        (["**"], ALL),
        (["tag:net"], ["crawl", "load"]),
        (["+out/publish"], ALL[:-1]),
        (["+out"], ALL[:-1]),
        (["+crawl"], ["crawl"]),
        (["crawl+"], ["crawl", "out", "out/publish", "tidy"]),
        (["checks/types+"], ["checks", "checks/types", "out", "out/publish", "tidy"]),
        (["+crawl+"], ["crawl", "out", "out/publish", "tidy"]),
        (["+tag:fast", "+load"], ["checks", "checks/lint", "load"]),
        (["crawl/page[*]"], ["crawl"]),
        (["crawl/page[a]", "load"], ["crawl", "load"]),
        (["**/page[*]+"], ["crawl", "out", "out/publish", "tidy"]),
        (["tag:made"], ["crawl"]),
    ],
)
def test_only_what_is_selected_stays(only: list[str], stay: list[str]) -> None:
    """With what holds it; dependencies go both ways, through what is above and below."""
    tree = site()
    tree.select(only)

    assert left(tree) == stay
    assert len(tree) == len(stay) + 1


@pytest.mark.parametrize(
    ("skip", "stay"),
    [
        (["checks"], ["crawl", "load", "out", "out/publish", "tidy"]),
        (["checks/*"], ["crawl", "load", "out", "out/publish", "tidy"]),
        (["*/types", "tidy"], ["checks", "checks/lint", "crawl", "load", "out", "out/publish"]),
        (["load+"], ["checks", "checks/lint", "checks/types", "crawl"]),
        (["crawl/page[*]"], ALL),
        (["nothing*"], ALL),
    ],
)
def test_what_is_skipped_goes(skip: list[str], stay: list[str]) -> None:
    """And with it what is below it, and a group without a body of which nothing is left."""
    tree = site()
    tree.select(skip=skip)

    assert left(tree) == stay


def test_skip_takes_away_from_only() -> None:
    """Whichever is narrower."""
    tree = site()
    tree.select(["checks", "load"], ["checks/types", "**/load"])

    assert left(tree) == ["checks", "checks/lint"]


@pytest.mark.anyio
async def test_nobody_waits_for_what_is_gone() -> None:
    """What went last because of its place does so again."""
    tree = site()
    tree.select(["out/publish", "tidy", "checks/lint"])
    tidy, publish = tree.find("site/tidy"), tree.find("site/out/publish")
    assert tidy is not None
    assert publish is not None

    assert publish.options.depends_on == ("site/checks",)
    assert publish.options.optional == {"site/checks"}
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == len(tree) == 6


def test_ids_that_are_no_paths_are_matched_as_they_are() -> None:
    """Nodes of a TreeBuilder may have any; a slash that no parent explains is part of a name."""
    tree = TreeBuilder("t").add_node("group").add_child("files/a.txt", task=body).add_child("b", task=body).build()
    tree.select(["files/*"])

    assert tree.ids() == ["t", "group", "files/a.txt"]


@pytest.mark.parametrize(
    ("selector", "path"),
    [
        ("crawl/fetch[*]", ["crawl", "fetch[http://a/b]"]),
        ("crawl/fetch[http://a/b]", ["crawl", "fetch[http://a/b]"]),
        ("crawl/*", ["crawl", "fetch[http://a/b]"]),
        ("**/fetch[?]", ["fetch[[]"]),
        ("a/**/b", ["a", "b"]),
        ("a/**/b", ["a", "x", "y", "b"]),
        ("a/**", ["a", "x", "y"]),
        ("**/c+?", ["a", "c++"]),
    ],
)
def test_keys_may_hold_anything(selector: str, path: list[str]) -> None:
    """Brackets are brackets, and a slash is any slash."""
    assert Selector(selector, "root").matches(BETWEEN.join(path), set())


@pytest.mark.parametrize(
    ("selector", "path"),
    [
        ("*", ["a", "b"]),
        ("a?b", ["a", "b"]),
        ("a/**", ["a"]),
        ("fetch[ab]", ["fetcha"]),
        ("*/lint", ["lint"]),
        ("root/*", ["a", "b"]),
        ("lint", ["checks", "lint"]),
    ],
)
def test_segments_are_kept_apart(selector: str, path: list[str]) -> None:
    """What stands for a part of one ends where the next node begins."""
    assert not Selector(selector, "root").matches(BETWEEN.join(path), set())


@pytest.mark.parametrize(
    ("only", "skip", "error", "message"),
    [
        (["check"], [], DefinitionError, "there is no task 'check' to select (did you mean 'checks'?)@check"),
        ([], ["+lode"], DefinitionError, "there is no task 'lode' to select (did you mean 'load'?)@lode"),
        (["lint"], [], DefinitionError, "there is no task 'lint' to select (did you mean 'checks/lint'?)@lint"),
        (["lode/x"], [], DefinitionError, "there is no task 'lode/x' to select (did you mean 'load'?)"),
        (["crawl/"], [], DefinitionError, "there is no task 'crawl/' to select (did you mean 'crawl'?)"),
        ([], ["crawl/"], DefinitionError, "there is no task 'crawl/' to select (did you mean 'crawl'?)"),
        (
            ["page[1]"],
            [],
            DefinitionError,
            "there is no task 'page[1]' to select (there are {all}); what is spawned is '**/page[1]'",
        ),
        (
            ["x*"],
            [],
            NothingSelectedError,
            "nothing is selected by 'x*' (there are {all})",
        ),
        (["lod*", "x"], ["site"], DefinitionError, "there is no task 'x' to select (there are {all})@x"),
        (["load"], ["lo*"], NothingSelectedError, "nothing is selected: what 'load' would select is skipped"),
        ([], ["**"], NothingSelectedError, "nothing is selected: all is skipped"),
        (
            ["state:failed"],
            [],
            DefinitionError,
            "the selector 'state:failed' asks for an earlier run, and none is known here",
        ),
        (
            ["state:fialed"],
            [],
            DefinitionError,
            "there is no status 'fialed' to select by (did you mean 'failed'?)",
        ),
        ([""], [], ValueError, "the selector '' names nothing; expected an id, a pattern, or tag:NAME"),
        (["++"], [], ValueError, "the selector '++' names nothing; expected an id, a pattern, or tag:NAME"),
        (["tag:"], [], ValueError, "the selector 'tag:' names nothing; expected an id, a pattern, or tag:NAME"),
        (
            cast("Any", "load"),
            [],
            TypeError,
            "select(): only is 'load'; expected a list of selectors, as in only=['checks/*']",
        ),
        ([], [cast("Any", 3)], TypeError, "select(): skip has 3 in it; expected selectors, which are strings"),
    ],
)
def test_selection_that_cannot_be_is_refused(
    only: list[str], skip: list[str], error: type[Exception], message: str
) -> None:
    """By name, with what is close; nothing has changed then."""
    tree = site()
    known = ", ".join(f"'{name}'" for name in ["site", *ALL][:8]) + ", …"

    message, at, name = message.replace("{all}", known).partition("@")
    message += f"; what is spawned is '**/{name}[*]'" if at else ""
    with pytest.raises(error, match=exactly(message)):
        tree.select(only, skip)
    assert left(tree) == ALL
    tree.select(["load"])
    assert left(tree) == ["load"]


def test_unknown_tag_is_refused_where_nothing_could_have_it() -> None:
    """With the closest that there is."""
    tree = TreeBuilder("t").add_child("a", task=body, tags=["slow"]).build()

    with pytest.raises(DefinitionError, match=exactly("no task has the tag 'slo' (did you mean 'slow'?)")):
        tree.select(["tag:slo"])


def declared() -> Registry:
    """Data that flows from one task to another, in each way."""
    tree = Registry("t")

    @tree.task
    def load() -> int:
        return 1

    with tree.group("use") as use:

        @use.task
        def need(count: int = load.output) -> None: ...

        @use.task
        def maybe(count: int | None = load.maybe) -> None:
            assert count is None

        @use.task
        def outcome(count: Outcome[int] = load.outcome) -> None: ...

        def is_any(count: int = load.output) -> bool:
            return count > 0

        @use.task(when=is_any)
        def asks() -> None: ...

    return tree


@pytest.mark.parametrize(("name", "parameter"), [("need", "count"), ("outcome", "count"), ("asks", "count")])
def test_what_takes_the_result_of_what_is_gone_is_refused(name: str, parameter: str) -> None:
    """Before the run, with both ways out."""
    tree = declared().build()
    why = f"task 't/use/{name}' takes '{parameter}' from 't/load', which is"

    with pytest.raises(
        DefinitionError,
        match=exactly(f"{why} not selected; select '+use/{name}', with what it needs, or 'load' too"),
    ):
        tree.select([f"use/{name}"])
    with pytest.raises(DefinitionError, match=exactly(f"{why} skipped; skip 'load+' instead, with what needs it")):
        tree.select(["use/maybe", f"use/{name}"], ["load"])
    tree.select([f"+use/{name}"])
    assert tree.ids() == ["t", "t/load", "t/use", f"t/use/{name}"]


@pytest.mark.anyio
async def test_what_can_do_without_gets_none() -> None:
    """`.maybe` is there for that."""
    tree = declared().build()
    tree.select(["use/maybe"])
    await AsyncExecutor(tree).run()

    assert tree.ids() == ["t", "t/use", "t/use/maybe"]


@pytest.mark.anyio
async def test_tree_is_selected_from_once_and_before_it_runs() -> None:
    """Another selection is another tree."""
    tree = site()
    tree.select(["load"])
    message = "tree 'site' was selected from before; build another one and select from that"
    with pytest.raises(TreeRunningError, match=exactly(message)):
        tree.select(["load"])
    await AsyncExecutor(tree).run()
    with pytest.raises(TreeRunningError, match="tree 'site' has run; build another one"):
        tree.select(["load"])


@pytest.mark.slow
def test_large_trees_are_selected_from_in_one_walk() -> None:
    """Wide, and deep."""
    wide = TreeBuilder("t")
    for number in range(50_000):
        wide.add_child(f"t/{number}", task=body)
    tree = wide.build()
    tree.select(["*7"])
    assert len(tree) == 5_001

    deep = TreeBuilder("n")
    for number in range(50_000):
        deep.add_node(f"{number}", task=body)
    tree = deep.build()
    tree.select(["+40000+"], ["45000"])
    assert len(tree) == 45_001
