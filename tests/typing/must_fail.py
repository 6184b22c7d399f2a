"""Every line marked `refused` is an error for mypy --strict and for pyright; no other line is.

The ignores name the rule of each checker; one that its checker does not need is an error of its own. A test takes them
off and compares line by line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from treetask import Outcome, Registry, Return, Spawns, SyncSpawns, TaskNode, TreeTaskConfig
from treetask.testing import TreeTaskRun

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


@tree.resource
async def session() -> AsyncIterator[bytes]:
    yield b""


@tree.task
async def ask(conn: str = session.output) -> str:  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: it yields bytes
    return conn


@tree.resource  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: it yields nothing
async def returned() -> bytes:
    return b""


@tree.resource  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: nothing binds the host
async def unbound(host: str) -> AsyncIterator[str]:
    yield host


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


@dataclass(frozen=True)
class Settings:
    env: str = "dev"
    pages: int = 3


settings = tree.params(Settings)
tree.params(Settings())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: not a class


@tree.task
async def lenient(m: bytes = extract.maybe) -> None: ...  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: it may be None


@tree.task
async def careful(o: Outcome[str] = extract.outcome) -> None: ...  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: the outcome of bytes


@tree.task
async def unwrapped(raw: bytes = extract.outcome) -> None: ...  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: an outcome is no bytes


@tree.task
async def edged(raw: bytes = extract.optional) -> None: ...  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: an edge carries nothing


@tree.task
async def sized(env: int = settings.output.env) -> None: ...  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: str is no int


@tree.task
async def misspelt(env: str = settings.output.evn) -> None: ...  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # refused: no such field


@tree.task
async def whole(given: str = settings.output) -> None: ...  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: the settings are no str


def prod(env: str = settings.output.pages) -> bool:  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # refused: int is no str
    return env == "prod"


async def later() -> bool:
    return True


@tree.task(when=later)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: an async function answers later
async def postponed() -> None: ...


@tree.task(when=True)  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType]  # refused: nothing to ask
async def certain() -> None: ...


@tree.task(depends_on=[extract.output])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # refused: a result is no handle
async def confused() -> None: ...


@tree.task(cache="input")  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType]  # refused: "inputs", or a function
async def cached() -> None: ...


async def other_arguments(page: int) -> bytes:
    return b""


async def other_result(url: str) -> str:
    return ""


def not_async(url: str) -> bytes:
    return b""


def other_count(page: str) -> int:
    return 0


def overrides(treetask_run: TreeTaskRun) -> None:
    extract.override(other_arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the argument is a str
    extract.override(other_result)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: bytes is no str
    extract.override(not_async)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the callers await it
    count.override(other_count)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the argument is bytes
    folder.override(b"")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: no function
    text: str = treetask_run(extract, "a").value  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # refused: bytes is no str
    treetask_run(extract.output)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]  # refused: a result is no handle
    treetask_run(tree, config="fast")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]  # refused: not a config
    print(text)


async def ends(outcome: Outcome[bytes]) -> None:
    text: str = outcome.value  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # refused: bytes is no str
    outcome.error = None  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # refused: it is read
    print(text)


def spawn_by_node(node: TaskNode) -> None:
    print(node.spawn(extract, 1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused: the argument is a str


async def run_by_node(node: TaskNode) -> None:
    await node.run_process(["sleep", 1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # refused: words are text or paths
    print((await node.run_process("date")).stdout.decode())  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]  # refused: nothing was captured
