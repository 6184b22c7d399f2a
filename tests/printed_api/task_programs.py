"""Programs on trees of tasks in our own words; they run whether or not the tutorial is at hand.

They go on where the printed ones end: chains, several dependencies, a fallback, a graph.
"""

from __future__ import annotations

_HEAD = """
import asyncio
from treetask.store import TaskManager, TaskTreeNode, create_session


async def main():
    tasks = (manager := TaskManager(create_session())).task_repository

    def info(resource, **said):
        return tasks.create_task(name="system_info_executor", user_id="ada", inputs={"resource": resource}, **said)
"""

_FOOT = """
if __name__ == "__main__":
    asyncio.run(main())
"""

A_CHILD_THAT_WAITS_FOR_ITS_PARENT = f"""{_HEAD}
    cpu = await info("cpu", priority=1)
    memory = await info("memory", parent_id=cpu.id, dependencies=[{{"id": cpu.id, "required": True}}])
    root = TaskTreeNode(cpu)
    root.add_child(TaskTreeNode(memory))
    await manager.distribute_task_tree(root)
    first, second = [await tasks.get_task_by_id(each.id) for each in (cpu, memory)]
    assert first.completed_at <= second.started_at
    print(first.result["cores"] > 0, second.result["total"] > 0)
{_FOOT}"""

A_PIPELINE = f"""{_HEAD}
    fetch = await info("cpu")
    process = await info("memory", parent_id=fetch.id, dependencies=[{{"id": fetch.id}}])
    save = await info("disk", parent_id=fetch.id, dependencies=[{{"id": process.id}}])
    root = TaskTreeNode(fetch)
    root.add_child(TaskTreeNode(process))
    root.add_child(TaskTreeNode(save))
    await manager.distribute_task_tree(root)
    ended = [node.task.completed_at for node in (root, *root.children)]
    print(ended == sorted(ended))
{_FOOT}"""

ONE_THAT_WAITS_FOR_SEVERAL = f"""{_HEAD}
    several = [await info(resource) for resource in ("cpu", "memory", "disk")]
    needed = [{{"id": each.id, "required": True}} for each in several]
    last = await info("all", parent_id=several[0].id, dependencies=needed)
    root = TaskTreeNode(several[0])
    for each in (*several[1:], last):
        root.add_child(TaskTreeNode(each))
    await manager.distribute_task_tree(root)
    result = (await tasks.get_task_by_id(last.id)).result
    print(sorted(result), root.calculate_progress())
{_FOOT}"""

A_FALLBACK = f"""{_HEAD}
    primary = await info("no such thing")
    fallback = await info("memory", parent_id=primary.id, dependencies=[{{"id": primary.id, "required": False}}])
    either = [{{"id": each.id, "required": False}} for each in (primary, fallback)]
    final = await info("disk", parent_id=primary.id, dependencies=either)
    never = await info("disk", parent_id=primary.id, dependencies=[{{"id": primary.id}}])
    root = TaskTreeNode(primary)
    for each in (fallback, final, never):
        root.add_child(TaskTreeNode(each))
    await manager.distribute_task_tree(root)
    for node in (root, *root.children):
        print(node.task.status, end=" ")
    print(root.calculate_status())
    for dependency in (await tasks.get_task_by_id(never.id)).dependencies:
        task = await tasks.get_task_by_id(dependency["id"])
        print(task.error)
{_FOOT}"""

#: Each with what it prints.
OWN: list[tuple[str, str]] = [
    (A_CHILD_THAT_WAITS_FOR_ITS_PARENT, "True True\n"),
    (A_PIPELINE, "True\n"),
    (ONE_THAT_WAITS_FOR_SEVERAL, "['cpu', 'disk', 'memory'] 1.0\n"),
    (
        A_FALLBACK,
        (
            "failed completed completed cancelled failed\n"
            "ValueError: resource is 'no such thing'; expected one of 'cpu', 'memory', 'disk', 'all'\n"
        ),
    ),
]

#: What the printed ones print, as patterns, in their order.
PRINTED: list[str] = [
    r"Child task status: completed\nChild task result: \{'system': .*'cores': \d+.*\}\n",
    r"(?:[0-9a-f-]{36}: completed\n){3}",
    r"Tree execution completed!\n",
    r"",
]
