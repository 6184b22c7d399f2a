"""Every line marked `refused` is an error for mypy --strict and for pyright; no other line is.

The ignores name the rule of each checker; one that its checker does not need is an error of its own. A test takes them
off and compares line by line.
"""

from __future__ import annotations

from treetask import Registry, Return, Spawns, SyncSpawns, TaskNode, TreeTaskConfig

tree = Registry("bad")


@tree.task
async def extract(node: TaskNode, url: str) -> bytes:
    return url.encode()


@tree.task
def count(page: bytes) -> int:
    return len(page)


@tree.task
async def parse(raw: str = extract.output) -> int:  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: bytes is no str
    return len(raw)


@tree.task
async def spawner(node: TaskNode) -> Spawns[int]:
    yield extract.child(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the argument is a str
    yield Return("x")  # type: ignore[arg-type]  # pyright: ignore[reportReturnType]  # refused: the result is an int
    yield 42  # type: ignore[misc]  # pyright: ignore[reportReturnType]  # refused: not a child


@tree.task
def stepper(node: TaskNode) -> SyncSpawns[int]:
    yield 42  # type: ignore[misc]  # pyright: ignore[reportReturnType]  # refused: not a child
    return "x"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # refused: the result is an int


@tree.group
def folder(name: str) -> int:
    return len(name)


async def calls() -> None:
    await extract()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # refused: an argument is missing
    await extract("a", nope=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # refused: no such argument
    text: str = await extract("a")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # refused: bytes is no str
    await extract(TaskNode("n"), "a")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]  # refused: the node is no argument
    await count(b"a")  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]  # refused: a plain function gives its result, nothing to await
    word: str = count(b"a")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # refused: an int is no str
    await spawner()  # type: ignore[operator]  # pyright: ignore[reportCallIssue]  # refused: a spawner needs an engine
    stepper()  # type: ignore[operator]  # pyright: ignore[reportCallIssue]  # refused: a spawner needs an engine
    folder(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the argument is a str
    print(text, word)


async def runs() -> None:
    await extract.run(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]  # refused: the argument is a str
    extract.run_sync()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # refused: an argument is missing
    extract.build("a", config=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]  # refused: not a config
    tree.build(config="fast")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: not a config
    text: str = (await extract.run("a", config=TreeTaskConfig())).value  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # refused: bytes is no str
    number: str = (await tree.run())[count]  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # refused: an int is no str
    pages: list[str] = (await tree.run()).all(extract)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]  # refused: bytes are no str
    print(text, number, pages)


@tree.task(timeuot=3)  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator]  # refused: no such option
async def typo(node: TaskNode) -> int:
    return 1


@tree.task(limits=["api"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # refused: a limit is no name
async def unlimited(node: TaskNode) -> int:
    return 1


@tree.task(retry=3)  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType]  # refused: not a Retry
async def again(node: TaskNode) -> int:
    return 1


@tree.task(max_parallel=3)  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator]  # refused: it is for groups
async def alone(node: TaskNode) -> int:
    return 1


@tree.task(timeout="3")  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType]  # refused: seconds are a number
async def wrong(node: TaskNode) -> int:
    return 1


@tree.task(parallel=False)  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator]  # refused: an option of groups
async def lonely() -> None: ...


@tree.task(depends_on=["extract"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # refused: handles, not names
async def named() -> None: ...


@tree.task(depends_on=[tree])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # refused: a registry is no task
async def rooted() -> None: ...


@tree.group(on_failure="ignore")  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType]  # refused: no such policy
async def careless() -> None: ...


@extract.task  # type: ignore[attr-defined, untyped-decorator]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUntypedFunctionDecorator]  # refused: only a group has children
async def below() -> None: ...


checks = tree.group("checks", id="other")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportUnknownVariableType]  # refused: it has its id already
other = Registry("other", paralel=False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # refused: no such option


def spawn_by_node(node: TaskNode) -> None:
    print(node.spawn(extract, 1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the argument is a str


async def run_by_node(node: TaskNode) -> None:
    await node.run_process(["sleep", 1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # refused: words are text or paths
    print((await node.run_process("date")).stdout.decode())  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]  # refused: nothing was captured
