"""What `list` and `plan` show of a pipeline, and that nothing of it runs."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Project
from treetask.cli import main

APP = """
from treetask import Registry, Retry, TreeBuilder

tree = Registry("nightly")
api = tree.limit("api", max_concurrency=4)

@tree.task(tags=["net"], retry=Retry(on=OSError), limits=[api])
async def fetch(page: str) -> None:
    \"\"\"Fetch one page.

    And keep it.
    \"\"\"
    raise SystemExit("it runs")

@tree.group(tags=["slow", "net"], parallel=False, on_failure="continue")
async def crawl():
    \"\"\"Crawl all pages.\"\"\"
    yield fetch.child("index")

with tree.group("checks") as checks:
    @checks.task(timeout=3)
    def lint():
        raise SystemExit("it runs")

@tree.task
def load() -> int:
    raise SystemExit("it runs")

@tree.task(depends_on=[crawl, checks.optional], name="Publish!")
def publish(count: int = load.output): ...

@tree.task(always=True, when=lambda: True)
def tidy(): ...

@tree.group
async def site(name: str): ...

@site.task
def page(): ...

@site.task(depends_on=[page, load])
def index(): ...

def wait(node): ...

built = (
    TreeBuilder("built", tags=["b"])
    .add_node("stages", parallel=False)
    .add_child("a", task=wait, when=bool)
    .add_child("b", task=wait)
    .up()
    .add_child("c", "See: <a> \\"b\\"\\x1b[31m\\n%%{init}%%", task=wait, depends_on=["a"], max_retries=0)
)

def deep():
    builder = TreeBuilder("n")
    for depth in range(1, 100_000):
        builder.add_node(f"n{depth}")
    return builder
"""


@pytest.fixture
def shop(project: Project) -> Project:
    """A folder with pipelines of every kind."""
    project.write("app.py", APP)
    return project


def lines(outcome: Outcome) -> list[str]:
    """What a command put out that went well."""
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out.splitlines()


def test_list_tells_ids_kinds_tags_and_docstrings(shop: Project) -> None:
    """All there is, templates as well, by the ids that select it."""
    assert lines(shop.treetask("app:tree", "list")) == [
        "nightly        group",
        "crawl          group, spawns   tag:net tag:slow  Crawl all pages.",
        "checks         group",
        "checks/lint    task",
        "load           task",
        "publish        task",
        "tidy           task",
        "fetch[…]       task, spawned   tag:net  Fetch one page.",
        "site[…]        group, spawned",
        "site[…]/page   task, spawned",
        "site[…]/index  task, spawned",
    ]


def test_list_of_a_built_tree_has_its_nodes(shop: Project) -> None:
    """There are no declarations to be listed."""
    assert lines(shop.treetask("app:built", "list")) == [
        "built   group  tag:b",
        "stages  group",
        "a       task",
        "b       task",
        "c       task",
    ]


@pytest.mark.parametrize("words", [("plan",), ("-n",), ("run", "--dry-run")])
def test_plan_is_a_tree_with_what_each_waits_for(shop: Project, words: tuple[str, ...]) -> None:
    """Each template is shown once, where it is declared."""
    assert lines(shop.treetask("app:tree", *words)) == [
        "nightly",
        "├── crawl      spawns; one after another",
        "├── checks",
        "│   └── lint",
        "├── load",
        "├── Publish!   needs load, crawl; after checks",
        "├── tidy       always",
        "├── fetch[…]   spawned",
        "└── site[…]    spawned",
        "    ├── page   spawned",
        "    └── index  spawned; needs site[…]/page, load",
        "5 tasks would run, and what they spawn",
    ]


def test_plan_without_a_body_that_spawns_has_no_templates(shop: Project) -> None:
    """Nothing of them would run."""
    assert lines(shop.treetask("app:tree.checks", "plan")) == [
        "checks",
        "└── lint",
        "1 task would run",
    ]


def test_plan_has_templates_where_a_body_takes_only_its_node(project: Project) -> None:
    """It is known by its declaration, whatever the engine is to call."""
    project.write(
        "app.py",
        """
        from treetask import Registry, TaskNode

        tree = Registry("nightly")

        @tree.task
        async def fetch(page: str): ...

        @tree.group
        async def crawl(node: TaskNode):
            yield fetch.child("index")

        def make():
            return tree.build()
        """,
    )
    for target in ("app:tree", "app:make"):
        assert project.treetask(target, "plan").out.splitlines() == [
            "nightly",
            "├── crawl     spawns",
            "└── fetch[…]  spawned",
            "1 task would run, and what they spawn",
        ]


def test_templates_from_above_are_shown_below_the_root(shop: Project) -> None:
    """A part of a pipeline may spawn what is declared around it."""
    assert lines(shop.treetask("app:tree.crawl", "plan"))[:3] == [
        "crawl          spawns; one after another",
        "├── fetch[…]   spawned",
        "└── site[…]    spawned",
    ]


def test_plan_says_what_is_wrong_with_the_pipeline_or_the_options(shop: Project) -> None:
    """It is made like a run is."""
    assert shop.treetask("app:tree.fetch", "plan").refusal == [
        "treetask: the pipeline needs 'page'; give it: --page VALUE",
    ]


def test_mermaid_has_every_node_and_edge(shop: Project) -> None:
    """No name becomes anything but a name: markup and quotes are written by their numbers."""
    assert lines(shop.treetask("app:built", "plan", "--format", "mermaid")) == [
        "flowchart LR",
        '  n0["built"]',
        '  n1["stages"]',
        '  n2["a"]',
        '  n3["b"]',
        '  n4["See: #60;a#62; #34;b#34;#92;x1b[31m#92;n#37;#37;#123;init#125;#37;#37;"]',
        "  n0 --- n1",
        "  n1 --- n2",
        "  n1 --- n3",
        "  n0 --- n4",
        "  n2 --> n4",
    ]
    spawned = lines(shop.treetask("app:tree", "plan", "--format", "mermaid"))
    assert '  n7["fetch[…]"]:::spawned' in spawned
    assert "  n2 -.-> n5" in spawned
    assert spawned[-1] == "  classDef spawned stroke-dasharray: 4"


def test_dot_has_every_node_and_edge(shop: Project) -> None:
    """Quotes and backslashes in a name are no syntax."""
    assert lines(shop.treetask("app:built", "plan", "--format", "dot")) == [
        "digraph {",
        "  rankdir=LR",
        "  node [shape=box]",
        '  n0 [label="built"]',
        '  n1 [label="stages"]',
        '  n2 [label="a"]',
        '  n3 [label="b"]',
        '  n4 [label="See: <a> \\"b\\"\\\\x1b[31m\\\\n%%{init}%%"]',
        "  n0 -> n1 [arrowhead=none color=gray]",
        "  n1 -> n2 [arrowhead=none color=gray]",
        "  n1 -> n3 [arrowhead=none color=gray]",
        "  n0 -> n4 [arrowhead=none color=gray]",
        "  n2 -> n4",
        "}",
    ]
    spawned = lines(shop.treetask("app:tree", "plan", "--format", "dot"))
    assert '  n7 [label="fetch[…]" style=dashed]' in spawned
    assert "  n2 -> n5 [style=dotted]" in spawned


def test_json_has_what_was_stated(shop: Project) -> None:
    """For tools: names as they are, dependencies as ids, no option of which nothing was said."""
    plan: dict[str, Any] = json.loads(shop.treetask("app:tree", "plan", "--format", "json").out)
    nodes = {node["id"]: node for node in plan["nodes"]}

    assert (plan["version"], plan["root"]) == (1, "nightly")
    assert nodes["nightly/publish"] == {
        "id": "nightly/publish",
        "name": "Publish!",
        "kind": "task",
        "parent": "nightly",
        "depends_on": ["nightly/load", "nightly/crawl", "nightly/checks"],
        "optional": ["nightly/checks"],
        "tags": [],
        "spawns": False,
        "spawned": False,
        "options": {},
    }
    crawl = nodes["nightly/crawl"]
    assert (crawl["kind"], crawl["spawns"], crawl["tags"]) == ("group", True, ["net", "slow"])
    assert crawl["options"] == {"parallel": False, "on_failure": "continue"}
    assert nodes["nightly/checks/lint"]["options"] == {"timeout": 3}
    assert nodes["nightly/tidy"]["options"] == {"always": True, "when": "<lambda>"}
    assert nodes["nightly/fetch[…]"]["options"]["limits"] == ["api"]
    assert nodes["nightly/fetch[…]"]["options"]["retry"].startswith("Retry(on=")
    assert nodes["nightly/site[…]/index"]["depends_on"] == ["nightly/site[…]/page", "nightly/load"]
    built = json.loads(shop.treetask("app:built", "plan", "--format", "json").out)["nodes"]
    assert [node["options"] for node in built] == [{}, {"parallel": False}, {"when": "bool"}, {}, {"max_retries": 0}]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["tree", "mermaid", "dot", "json"])
def test_deep_tree_is_planned(shop: Project, form: str) -> None:
    """Nothing recurses, and no row is longer than the others below a depth."""
    rows = lines(shop.treetask("app:deep", "plan", "--format", form))

    assert len(rows) >= 100_000
    assert max(map(len, rows)) < 400
    if form == "tree":
        assert rows[-2:] == ["… +99,959 levels └── n99999", "0 tasks would run"]


def test_rows_fit_the_terminal(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one; a file gets all."""
    monkeypatch.setattr("treetask.cli._show.width_of_output", lambda: 40)

    rows = lines(shop.treetask("app:tree", "list"))

    assert "crawl          group, spawns   tag:net …" in rows


def test_output_of_a_narrow_encoding_gets_other_signs(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that it cannot encode are spelled out."""
    shop.write("names.py", 'from treetask import TreeBuilder\ntree = TreeBuilder("t").add_child("größe 数")\n')
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1", write_through=True))

    assert main(["names:tree", "plan"]) == 0
    assert raw.getvalue().decode("latin-1").splitlines() == ["t", "`-- größe \\u6570", "0 tasks would run"]


def test_list_ends_with_the_resources(project: Project) -> None:
    """Of the whole registry, whatever part is looked at: their names, and what they say about themselves."""
    project.write(
        "app.py",
        """
        from treetask import Registry

        tree = Registry("app")

        @tree.resource
        async def session():
            \"\"\"Connect.

            And disconnect.
            \"\"\"
            yield 3

        @tree.resource
        async def cache(of=session.output):
            yield of

        @tree.task
        async def load(session=session.output): ...
        """,
    )

    expected = ["", "resources", "  session  Connect.", "  cache"]
    assert project.treetask("app:tree", "list").out.splitlines() == ["app   group", "load  task", *expected]
    assert project.treetask("app:load", "list").out.splitlines()[-4:] == expected
