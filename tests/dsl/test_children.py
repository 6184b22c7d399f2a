"""What a child becomes: its id and name, its options, its body with the arguments, what is below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.dsl.sentences import at, exactly
from treetask import Child, MisplacedDependencyError, Registry, Task, TaskNode, TaskTree
from treetask.dsl._bound import BoundBody
from treetask.model import BodyKind, SyncSpawns, kind_of


@dataclass(frozen=True)
class Settings:
    pages: int = 3


def made(child: Child[Any], parent_id: str = "t") -> TaskNode:
    """The node that the engine makes of a child."""
    return child.template.make_node(child, f"{parent_id}/{child.key}")


def called(node: TaskNode) -> object:
    """What the body of a node gives when the engine calls it."""
    assert node.task_fn is not None
    return node.task_fn(node)


def body_of(node: TaskNode) -> BoundBody:
    """The body of a node, which knows its declaration."""
    assert isinstance(node.task_fn, BoundBody)
    return node.task_fn


def test_child_is_named_by_its_key() -> None:
    """Path id from the engine, the key as the name; a name that was declared stands in the key's place."""
    tree = Registry("t")

    @tree.task
    def fetch(url: str, *, tries: int = 1) -> None: ...

    @tree.task(name="Get a page")
    def get(url: str) -> None: ...

    shown = [
        (node.id, node.name)
        for node in [
            made(fetch.child("a.html")),
            made(fetch.child("a", tries=2)),
            made(fetch.child("a").keyed("first")),
            made(get.child("b"), "t/crawl"),
            made(get.child("b").with_options(name="B")),
        ]
    ]

    assert shown == [
        ("t/fetch[a.html]", "fetch[a.html]"),
        ("t/fetch[a,tries=2]", "fetch[a,tries=2]"),
        ("t/fetch[first]", "fetch[first]"),
        ("t/crawl/get[b]", "Get a page[b]"),
        ("t/get[b]", "B"),
    ]


def test_body_is_called_with_node_and_arguments() -> None:
    """In every shape of arguments, with the node and without."""
    tree = Registry("t")

    @tree.task
    def bare() -> str:
        return "bare"

    @tree.task
    def one(word: str) -> str:
        return word

    @tree.task
    def many(word: str, times: int, *, end: str = "") -> str:
        return word * times + end

    @tree.task
    def node_only(node: TaskNode) -> str:
        return node.id

    @tree.task
    def node_and_one(node: TaskNode, word: str) -> str:
        return f"{node.id} {word}"

    @tree.task
    def node_and_many(node: TaskNode, word: str, times: int, *, end: str = "") -> str:
        return f"{node.id} {word * times}{end}"

    children: list[Child[str]] = [
        bare.child(),
        one.child("a"),
        one.child(word="a"),
        many.child("a", 2),
        many.child("a", 2, end="!"),
        node_only.child(),
        node_and_one.child("b"),
        node_and_many.child("b", 3),
        node_and_many.child("b", times=3, end="!"),
    ]

    assert [called(made(child.keyed("k"))) for child in children] == [
        "bare",
        "a",
        "a",
        "aa",
        "aa!",
        "t/node_only[k]",
        "t/node_and_one[k] b",
        "t/node_and_many[k] bbb",
        "t/node_and_many[k] bbb!",
    ]


def test_body_tells_its_kind_and_its_declaration() -> None:
    """What the engine and the display ask, without looking at the function again."""
    tree = Registry("t")

    @tree.task
    def stepper(words: int) -> SyncSpawns[int]:
        yield []
        return words

    node = made(stepper.child(2))

    assert kind_of(body_of(node)) is BodyKind.THREAD_SPAWNER
    assert body_of(node).fn is stepper.fn
    assert repr(node.task_fn) == "<body of 't/stepper'>"


def test_each_call_of_a_body_is_a_new_attempt() -> None:
    """A retry calls the same body again; a generator is made anew."""
    tree = Registry("t")

    @tree.task
    def stepper() -> SyncSpawns[int]:
        yield []
        return 1

    node = made(stepper.child())
    first: Any = called(node)
    second: Any = called(node)

    assert first is not second
    assert next(first) == next(second) == []


def test_declared_options_are_shared_by_all_children() -> None:
    """One object, however many nodes."""
    tree = Registry("t")

    @tree.task(timeout=3)
    def fetch(url: str) -> None: ...

    first, second = made(fetch.child("a")), made(fetch.child("b"))

    assert first.options is second.options
    assert (first.options.timeout, first.options.max_retries, first.options.depends_on) == (3, 0, ())


def test_options_of_one_child_replace_those_declared() -> None:
    """Where it says something; the others stay."""
    tree = Registry("t")
    first = tree.task(id="first")(plain)
    second = tree.task(id="second")(plain)

    @tree.task(timeout=3, max_retries=1, depends_on=[first])
    def fetch(url: str) -> None: ...

    usual = made(fetch.child("a"))
    patient = made(fetch.child("b").with_options(timeout=None, depends_on=[second]))

    assert (usual.options.timeout, usual.options.max_retries, usual.options.depends_on) == (3, 1, ("t/first",))
    assert (patient.options.timeout, patient.options.max_retries) == (None, 1)
    assert patient.options.depends_on == ("t/second",)


NAMES = "'allow_failure', 'always', 'cost', 'depends_on', 'keep_done', 'limits', 'max_retries', 'name', …"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timeuot": 3}, "child 'fetch[u]' has no option 'timeuot' (did you mean 'timeout'?)"),
        ({"id": "x"}, "child 'fetch[u]': with_options() takes no id; name the child with .keyed('...')"),
        ({"parallel": False}, "child 'fetch[u]' has no option 'parallel'; it is one of a group"),
        ({"static": True}, f"child 'fetch[u]' has no option 'static' (there are {NAMES})"),
        ({"cache": 0}, "child 'fetch[u]' has no option 'cache'; it is one of a declared task"),
        ({"timeout": "3"}, "child 'fetch[u]': timeout is '3'; expected a number of seconds or None"),
    ],
)
def test_bad_option_of_a_child_is_refused_when_it_becomes_a_node(options: dict[str, Any], problem: str) -> None:
    """The child and the option are named."""

    @Registry("t").task
    def fetch(url: str) -> None: ...

    with pytest.raises(TypeError, match=exactly(problem)):
        made(fetch.child("u").with_options(**options))


def test_child_that_waits_for_a_template_is_refused() -> None:
    """The edges of a child are held to the same rules as declared ones."""
    tree = Registry("t")

    @tree.task
    def fetch(url: str) -> None: ...

    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(
            f"task 't/fetch' ({at(fetch)}) depends on 't/fetch', which is a template, spawned and not placed in the "
            "tree (it needs 'url'); give 'url' a default, or hand its result over in a body"
        ),
    ):
        made(fetch.child("u").with_options(depends_on=[fetch]))


# -- data -------------------------------------------------------------------------------------------------------------


def plain() -> None:
    """A body."""


def test_references_are_filled_from_the_tree() -> None:
    """By name, whether the rest comes by position or by name; a given value is taken as it is."""
    tree = Registry("t")

    @tree.task
    def extract() -> bytes:
        return b"raw"

    @tree.task
    def parse(word: str = "", raw: bytes = extract.output, *, more: bytes = extract.output) -> tuple[str, bytes, bytes]:
        return word, raw, more

    built = tree.build()
    source, placed = built.root.children
    source.result = b"ran"
    spawned = placed.add_child(made(parse.child("w"), placed.id))
    given = placed.add_child(made(parse.child("x", b"mine").keyed("x"), placed.id))
    all_given = made(parse.child("y", b"mine", more=b"too").keyed("y"))

    assert called(placed) == ("", b"ran", b"ran")
    assert called(spawned) == ("w", b"ran", b"ran")
    assert called(given) == ("x", b"mine", b"ran")
    assert called(all_given) == ("y", b"mine", b"too")
    needs = [node.options.depends_on for node in (placed, spawned, given, all_given)]
    assert needs == [("t/extract",), ("t/extract",), ("t/extract",), ()]


def test_body_outside_a_tree_names_what_it_misses() -> None:
    """A node that was made by hand has nothing to take a reference from."""
    tree = Registry("t")

    @tree.task
    def extract() -> bytes:
        return b"raw"

    @tree.task
    def parse(raw: bytes = extract.output) -> None: ...

    with pytest.raises(TypeError, match=exactly("'t/parse' takes 'raw' from 't/extract', which is not in its tree")):
        called(made(parse.child()))


def test_body_outside_a_tree_names_the_parameters_that_it_misses() -> None:
    """Nor what a run would have been given."""
    tree = Registry("t")
    settings = tree.params(Settings)

    @tree.task
    def show(pages: int = settings.output.pages) -> None: ...

    message = f"'t/show' takes 'pages' from {settings.output.pages!r}, which its tree was not given"
    with pytest.raises(TypeError, match=exactly(message)):
        called(made(show.child()))


# -- groups -----------------------------------------------------------------------------------------------------------


def test_child_of_a_group_brings_what_is_declared_below_it() -> None:
    """With ids below its own; templates stay templates."""
    tree = Registry("t")

    @tree.group(parallel=False)
    def folder(name: str) -> str:
        return name

    with folder.group("checks", name="Checks") as checks:
        checks.task(id="first")(plain)
        checks.task(id="second", timeout=3)(plain)
    folder.task(id="last")(plain)

    @folder.task
    def template(word: str) -> None: ...

    node = made(folder.child("docs"))

    assert [(each.id, each.name) for each in node.walk()] == [
        ("t/folder[docs]", "folder[docs]"),
        ("t/folder[docs]/checks", "Checks"),
        ("t/folder[docs]/checks/first", "first"),
        ("t/folder[docs]/checks/second", "second"),
        ("t/folder[docs]/last", "last"),
    ]
    assert node.options.parallel is False
    assert node.children[0].children[1].options.timeout == 3
    assert called(node) == "docs"


def test_edges_inside_a_spawned_group_mean_the_nodes_beside() -> None:
    """Each spawned group has its own; what is outside of it is the one in the static tree."""
    tree = Registry("t")

    @tree.task
    def settings() -> str:
        return "fast"

    @tree.group
    def folder(name: str) -> None: ...

    @folder.task
    def read() -> bytes:
        return b""

    @folder.task(depends_on=[settings])
    def parse(raw: bytes = read.output, mode: str = settings.output) -> tuple[bytes, str]:
        return raw, mode

    built = tree.build()
    first = built.root.add_child(made(folder.child("a")))
    second = built.root.add_child(made(folder.child("b")))
    built.root.children[0].result = "slow"
    for node, result in ((first, b"A"), (second, b"B")):
        node.children[0].result = result

    assert first.children[1].options.depends_on == ("t/folder[a]/read", "t/settings")
    assert second.children[1].options.depends_on == ("t/folder[b]/read", "t/settings")
    assert [called(node.children[1]) for node in (first, second)] == [(b"A", "slow"), (b"B", "slow")]


def test_spawned_nodes_are_found_by_handle() -> None:
    """At any depth, with a body or without, wherever they were spawned."""
    tree = Registry("t")

    @tree.group
    def folder(name: str) -> None: ...

    with folder.group("checks") as checks:
        lint = checks.task(id="lint")(plain)
    with tree.group("box", static=False) as box:
        inside = box.task(id="inside")(plain)

    built = tree.build()
    for child in (folder.child("a"), folder.child("b"), box.child()):
        # The engine notes what a node was made from.
        built.root.add_child(made(child))._child = child

    def ids(handle: Task[..., Any]) -> list[str]:
        return [node.id for node in handle.nodes_in(built)]

    assert ids(folder) == ["t/folder[a]", "t/folder[b]"]
    assert ids(checks) == ["t/folder[a]/checks", "t/folder[b]/checks"]
    assert ids(lint) == ["t/folder[a]/checks/lint", "t/folder[b]/checks/lint"]
    assert (ids(box), ids(inside)) == (["t/box"], ["t/box/inside"])


def test_nodes_of_a_tree_that_was_built_directly_are_nobodys() -> None:
    """An id alone makes no node that of a declaration."""
    task = Registry("t").task(id="a")(plain)
    root = TaskNode("t")
    root.add_child(TaskNode("t/a", task_fn=plain))

    assert task.nodes_in(TaskTree(root)) == []
