"""Reads the programs of the printed tutorial on trees of tasks, whose lines have lost their indentation and fences.

A program is told from prose by its first and last lines. Its indentation follows from its own words: a line that ends
with a colon opens a block, and a block ends where its words say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

#: Lines that nothing tells from those of the loops before them, and how these begin.
_AFTER_A_LOOP = {"return nodes[root_id]": ("for ", "if "), "root.add_child(child)": ("for j ",)}
#: What every whole program ends with.
_PROGRAM_ENDS = "asyncio.run(main())"


def printed_tutorial() -> str | None:
    """The tutorial, or None where it is not at hand."""
    folder = os.environ.get("TREETASK_SHARED")
    found = sorted(Path(folder, "seeds").glob("003*")) if folder else []
    return found[0].read_text(encoding="utf-8") if found else None


def read_programs(text: str) -> list[str]:
    """Its whole programs, in order, with what the first of them imports, from where it is here."""
    lines = text.splitlines()
    imported = next(line for line in lines if line.endswith("import TaskManager, TaskTreeNode, create_session"))
    head = f"import asyncio\nfrom treetask.store import{imported.partition(' import')[2]}\n"
    starts = [number for number, line in enumerate(lines) if line == "async def main():"]
    return [head + indented(lines[start : lines.index(_PROGRAM_ENDS, start) + 1]) for start in starts]


def read_helper(text: str) -> str:
    """The helper that makes a tree from a configuration, as it is printed, with its indentation."""
    lines = text.splitlines()
    start = lines.index("def build_tree_from_tasks(task_manager, tasks_config):")
    return indented(lines[start : lines.index("# Use it", start)])


def read_fragments(text: str) -> list[str]:
    """The patterns of trees, and the operations on one: what stands between a sentence and the next."""
    lines = text.splitlines()
    fragments: list[str] = []
    for head, tail in (
        ("# All tasks are direct children of root", "Use Case: Parallel"),
        ("# Tree with many levels", "Use Case: Hierarchical"),
        ("# Tree where each node has similar number of children", "Use Case: Balanced"),
        ("# After execution", "Calculate Status"),
        ("status = root.calculate_status()", "Traverse Tree"),
        ("def traverse_tree(node, level=0):", "Output:"),
    ):
        start = lines.index(head)
        end = next(number for number in range(start, len(lines)) if lines[number].startswith(tail))
        fragments.append(indented(lines[start:end]))
    return fragments


def indented(lines: list[str]) -> str:
    """Lines with the indentation that they have lost."""
    return "\n".join(_indented(lines)) + "\n"


def _indented(lines: list[str]) -> Iterator[str]:
    blocks: list[str] = []
    depth = 0  # of brackets
    in_text = False
    for line in lines:
        if not depth and not in_text:
            _leave(blocks, line)
        yield "    " * (len(blocks) + (1 if depth and not line.startswith((")", "]", "}")) else 0)) + line
        if line.count('"""') == 1:
            in_text = not in_text
            continue
        if in_text:
            continue
        depth += sum(line.count(each) for each in "([{") - sum(line.count(each) for each in ")]}")
        if not depth and line.split("#")[0].rstrip().endswith(":"):
            blocks.append(line)


def _leave(blocks: list[str], line: str) -> None:
    """Leave the blocks that a line is not in any more."""
    if line.startswith(("if __name__", "async def ", "def ", "# Use it")):
        blocks.clear()
    elif line.startswith("#"):
        # A remark begins a part of the function, but for what it says of one task.
        while blocks and blocks[-1].startswith(("for ", "if ")) and not blocks[-1].startswith("if __name__"):
            blocks.pop()
    elif line in _AFTER_A_LOOP:
        while blocks and blocks[-1].startswith(_AFTER_A_LOOP[line]):
            blocks.pop()
