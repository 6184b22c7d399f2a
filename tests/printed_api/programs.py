"""Programs for every part of the printed API, in our own words; they run whether or not the document is at hand."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Programs:
    """One program, fragment or frame for each block of a document that can be run or shown, in its order."""

    quick_start: str
    frame_of_a_quarter: str
    final_frame: str
    building: str
    function: str
    order: str
    added_in_a_run: str
    expected_total: str
    retries: str
    callbacks: str
    configuration: str
    displaying: str
    as_context: str


async def run_program(source: str, **names: object) -> dict[str, Any]:
    """Run a program, which may await at its top level, with these names defined; return all its names."""
    namespace: dict[str, Any] = {"__name__": "program", **names}
    code = compile(source, "<program>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, namespace)
    else:
        exec(code, namespace)
    return namespace


OWN = Programs(
    quick_start="""
import anyio

from treetask import AsyncExecutor, LiveDisplay, TreeBuilder, TreeRenderer, TreeTaskConfig


async def bake(node):
    await anyio.sleep(20 * 60)
    node.progress = (1, 1)
    return {"warm": True}


tree = (
    TreeBuilder("bakery", name="Bakery")
    .add_node("breads", name="Breads", parallel=True)
        .add_child("rye", name="Rye", task=bake)
        .add_child("spelt", name="Spelt", task=bake)
    .up()
    .add_node("cakes", name="Cakes", parallel=False)
        .add_child("tart", name="Tart", task=bake)
        .add_child("pie", name="Pie", task=bake)
    .build()
)
config = TreeTaskConfig(default_max_depth=2)
display = LiveDisplay(TreeRenderer(config), config)


async def open_the_bakery():
    with display:
        await AsyncExecutor(tree, on_update=lambda changed: display.update(changed)).run()
    display.finalize(tree)


anyio.run(open_the_bakery)
""",
    frame_of_a_quarter="""\
🔄 Bakery
├── 🔄 Breads
│   ├── ✅ Rye
│   └── 🔄 Spelt
└── ⏳ Cakes

Progress: 1/4 (25%)
""",
    final_frame="""\
✅ Bakery
├── ✅ Breads
│   ├── ✅ Rye
│   └── ✅ Spelt
└── ✅ Cakes
    ├── ✅ Tart
    └── ✅ Pie

Progress: 4/4 (100%)
""",
    building="""
from treetask import TreeBuilder

tree = (
    TreeBuilder("menu", name="The Menu", parallel=False)
    .add_child("drinks", name="Drinks", task=work)
    .add_node("meals", name="Meals")
        .add_node("cold", name="Cold Meals", parallel=True)
            .add_child("salad", task=work)
            .add_node("soups", name="Cold Soups", parallel=False)
                .add_child("gazpacho", name="Gazpacho", task=work)
            .up()
            .add_child("bread", task=work)
        .up()
        .add_child("stew", name="Stew", task=work)
    .up()
    .add_child("bill", name="The Bill", task=work)
    .build()
)
""",
    function="""
async def weigh(node):
    goods = node.data["item"]
    node.progress = (0, 1)
    label = await put_on_scales(goods)
    node.progress = (1, 1)
    assert (node.id, node.name, node.children) == ("a", "A", [])
    assert callable(node.add_child)
    return {"label": label}
""",
    order="""
.add_node("ovens", parallel=True)
    .add_child("left oven", task=step)
    .add_child("middle oven", task=step)
    .add_child("right oven", task=step)
.up()

# One hand, so one thing after the other.
.add_node("counter", parallel=False)
    .add_child("wrap", task=step)
    .add_child("weigh", task=step)
    .add_child("charge", task=step)
.up()
""",
    added_in_a_run="""
from treetask import TaskNode


async def take_orders(node):
    orders = await read_orders()
    for order in orders:
        node.add_child(
            TaskNode(
                id=f"order {order.id}",
                name=order.name,
                task_fn=fill_order,
                progress=(0, order.size),
                data={"item": order},
            )
        )
    return {"orders": len(orders)}
""",
    expected_total='child = TaskNode(id="sacks", name="Sacks", progress=(0, 100), task_fn=step)',
    retries="""
config = TreeTaskConfig(max_retries=3)


async def light_the_oven(node):
    if random.random() < 0.5:
        raise OSError("the match went out")
    node.progress = (1, 1)
    return {"status": "success"}
""",
    callbacks="""
def opened(node):
    print("begin", node.name)


def closed(node):
    print("end", node.name, node.status)


executor = AsyncExecutor(
    tree,
    on_update=lambda changed: display.update(changed),
    on_node_start=opened,
    on_node_complete=closed,
)
""",
    configuration="""
config = TreeTaskConfig(
    default_max_depth=1,
    final_max_depth=4,
    refresh_interval=0.25,
    icons={"pending": "-", "done": "+", "failed": "!"},
    tree_chars={"branch": "+-- ", "last_branch": "`-- "},
)
""",
    displaying="""
display = LiveDisplay(TreeRenderer(config), config)
with display:
    await AsyncExecutor(tree, on_update=lambda changed: display.update(changed)).run()
display.finalize(tree)

display.hide_cursor()
try:
    # ... and whatever else there is to do
finally:
    display.show_cursor()
""",
    as_context="""
with display:
    pass
""",
)
