"""Loads orders from CSV files into a SQLite database: what is wrong is put aside, what is there already stays as it is.

    python -m treetask examples/etl.py:tree --folder incoming --database orders.db --min-quality 0.95

Bad rows go to `rejects.csv` in the folder, each with what is wrong about it. A file that has too many of them is not
loaded, which ends in exit code 1; the others are. Where the folder has a `rates.csv`, amounts are converted to euros.

Without `--folder` there are twelve files made up, with 6,000 rows; without `--database` the orders are not kept.
"""

from __future__ import annotations

import csv
import random
import re
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from treetask import JOIN, Outcome, Registry, Return, Spawns, SyncSpawns, TaskNode, TreeFailed

tree = Registry("orders", on_failure="continue")

#: The columns of a file, and what their fields have to look like.
COLUMNS = {
    "id": "[0-9]{1,18}",
    "day": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "customer": ".+",
    "amount": "[0-9]{1,15}[.][0-9]{2}",
    "currency": "[A-Z]{3}",
}


@dataclass(frozen=True)
class Settings:
    """Where the files are, where their rows go, and the share of its rows that has to be good in each."""

    folder: Path | None = None
    database: Path | None = None
    min_quality: float = 0.9

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_dir():
            raise ValueError(f"folder is '{self.folder}'; expected a folder with CSV files")
        if not 0 <= self.min_quality <= 1:
            raise ValueError(f"min_quality is {self.min_quality}; expected a share from 0 to 1")


settings = tree.params(Settings)
one_at_a_time = tree.limit("database", max_concurrency=1)


class Order(NamedTuple):
    """A good row; sums are in cents."""

    id: int
    day: str
    customer: str
    amount: int
    currency: str
    euros: int | None = None


class Reject(NamedTuple):
    """A bad row, and what is wrong about it."""

    file: str
    line: int
    problem: str
    row: str


@dataclass(frozen=True)
class Batch:
    """What one file has of both."""

    file: str
    orders: list[Order]
    rejects: list[Reject]

    @property
    def quality(self) -> float:
        """The share of good rows."""
        return len(self.orders) / max(1, len(self.orders) + len(self.rejects))


@tree.resource
async def source(folder: Path | None = settings.output.folder) -> AsyncIterator[Path]:
    """The folder with the files; if none is given, one with a sample until the end of the run."""
    if folder is not None:
        yield folder
    else:
        with TemporaryDirectory() as sample:
            make_sample(Path(sample))
            yield Path(sample)


@tree.resource
async def database(path: Path | None = settings.output.database) -> AsyncIterator[sqlite3.Connection]:
    """What all tasks share, whichever threads they are in, one at a time; in memory if no file is given."""
    shared = sqlite3.connect(path or ":memory:", check_same_thread=False)
    try:
        columns = "id INTEGER PRIMARY KEY, day TEXT, customer TEXT, amount INTEGER, currency TEXT, euros INTEGER"
        shared.execute(f"CREATE TABLE IF NOT EXISTS orders ({columns})")
        yield shared
    finally:
        shared.close()


@tree.task(allow_failure=True)
def rates(folder: Path = source.output) -> dict[str, float]:
    """Look up how many euros there are for one of each currency."""
    with (folder / "rates.csv").open(newline="", encoding="utf-8") as file:
        return {row["currency"]: float(row["euros"]) for row in csv.DictReader(file)}


@tree.group
def extract(folder: Path = source.output) -> SyncSpawns[list[Batch]]:
    """Read all files; a plain function that yields, for looking into a folder takes its time."""
    files = [read.child(path).keyed(path.name) for path in sorted(folder.glob("orders*.csv"))]
    if not files:
        raise FileNotFoundError(f"there is no orders*.csv in {folder}")
    yield files
    yield JOIN
    return [file.result for file in files]


@tree.task
def read(node: TaskNode, path: Path) -> Batch:
    """Tell the good rows of a file from the bad ones."""
    batch = Batch(path.name, [], [])
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file)
        for row in rows:
            if node.cancel_requested:
                break  # a thread cannot be stopped, it has to look
            try:
                if rows.line_num > 1:
                    batch.orders.append(validated(row))
                elif row != list(COLUMNS):
                    raise ValueError(f"the columns are not {','.join(COLUMNS)}")
            except ValueError as error:
                batch.rejects.append(Reject(path.name, rows.line_num, str(error), ",".join(row)))
    return batch


def validated(row: list[str]) -> Order:
    """The order that a row stands for. Raises `ValueError` for one that is bad."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"there are {len(row)} fields; expected {len(COLUMNS)}")
    for (column, pattern), text in zip(COLUMNS.items(), row, strict=True):
        if not re.fullmatch(pattern, text):
            raise ValueError(f"the {column} is '{text}'")
    number, day, customer, amount, currency = row
    return Order(int(number), date.fromisoformat(day).isoformat(), customer, int(amount.replace(".", "")), currency)


@tree.task
def transform(batches: list[Batch] = extract.output, rates: dict[str, float] | None = rates.maybe) -> list[Batch]:
    """Convert amounts to euros; where no rate is known they stay in their currency alone."""
    known = {"EUR": 1.0} | (rates or {})

    def converted(order: Order) -> Order:
        rate = known.get(order.currency)
        return order if rate is None else order._replace(euros=round(order.amount * rate))

    return [replace(batch, orders=[converted(order) for order in batch.orders]) for batch in batches]


@tree.group(on_failure="continue")
async def load(batches: list[Batch] = transform.output) -> Spawns[int]:
    """Load each file for itself; return how many orders were new."""
    files = [store.child(batch).keyed(batch.file) for batch in batches]
    yield files
    yield JOIN
    yield Return(sum(file.result for file in files))


@tree.task(limits=[one_at_a_time])
def store(
    node: TaskNode,
    batch: Batch,
    least: float = settings.output.min_quality,
    target: sqlite3.Connection = database.output,
) -> int:
    """Load one file, all of it or nothing; return how many of its orders were new."""
    if batch.quality < least:
        raise ValueError(f"{batch.quality:.1%} of the rows are good; expected {least:.1%}")
    with target as transaction:
        before = transaction.total_changes
        for order in batch.orders:
            if node.cancel_requested:
                raise InterruptedError("what was stored of this file is taken back")
            transaction.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", order)
        return transaction.total_changes - before


@tree.task
def reject(folder: Path = source.output, batches: list[Batch] = extract.output) -> None:
    """Write the bad rows of all files to one of their own."""
    with (folder / "rejects.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([Reject._fields, *(row for batch in batches for row in batch.rejects)])


@tree.task(always=True, limits=[one_at_a_time])
def report(
    extracted: Outcome[list[Batch]] = extract.outcome,
    loaded: Outcome[int] = load.outcome,
    target: sqlite3.Connection = database.output,
) -> None:
    """Print what there is in the database now, and what came of this run, however that ended."""
    query = "SELECT substr(day, 1, 7) AS month, count(*), sum(euros) FROM orders GROUP BY month ORDER BY month"
    for month, count, euros in target.execute(query):
        print(f"{month}{count:>8,} orders{(euros or 0) / 100:>15,.2f} EUR")
    if extracted.ok:
        good = sum(len(batch.orders) for batch in extracted.value)
        bad = sum(len(batch.rejects) for batch in extracted.value)
        print(f"files: {len(extracted.value):,}, good rows: {good:,}, bad rows: {bad:,}")
    print(f"new orders: {loaded.value:,}" if loaded.ok else f"not all is loaded: {loaded.error}")


def make_sample(folder: Path) -> None:
    """Write a year of orders, of which one in fifty is bad, and the rates; the same ones every time."""
    chance = random.Random(2025)  # noqa: S311 - nothing secret
    numbers = iter(range(1, 10_000))
    bad = [("amount", "free"), ("currency", "?"), ("customer", ""), ("day", "2025-02-30"), ("id", "-1")]
    for month in range(1, 13):
        with (folder / f"orders-2025-{month:02}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, COLUMNS)
            rows.writeheader()
            for _ in range(500):
                row = {
                    "id": next(numbers),
                    "day": date(2025, month, chance.randint(1, 28)),
                    "customer": chance.choice(["Ada", "Grace", "Edsger", "Barbara", "Donald"]),
                    "amount": f"{chance.uniform(1, 200):.2f}",
                    "currency": chance.choice(["EUR", "EUR", "USD", "CHF"]),
                }
                rows.writerow(row | dict([chance.choice(bad)] if chance.random() < 0.02 else []))
    (folder / "rates.csv").write_text("currency,euros\nUSD,0.92\nCHF,1.07\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        tree.run_sync()
    except TreeFailed:
        sys.exit(1)
