"""A process is killed at any moment, and the next one goes on: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.faults.lives import Lives
from tests.faults.pipeline import ALWAYS, TOTAL
from treetask.store import RunStatus, Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

ROUNDS = 10
NIGHTLY = 100 * int(os.environ.get("TREETASK_PROPERTIES", "1"))

#: A life that nobody ends takes about half a second.
LONGEST_LIFE = 0.4
MOST_KILLS = 4
#: With fewer the tables are made, a run is gone on with, and its first batches are written.
MOST_STATEMENTS = 32


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_run_goes_on(lives: Lives, store_url: str, tmp_path: Path, seed: int) -> None:
    """Whenever it is killed, several times in a row."""
    kill_again_and_again(lives, store_url, tmp_path / "notes", seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(ROUNDS, ROUNDS + NIGHTLY))
def test_killed_run_goes_on_all_night(lives: Lives, store_url: str, tmp_path: Path, seed: int) -> None:
    """The same, so often that rare moments are met."""
    kill_again_and_again(lives, store_url, tmp_path / "notes", seed)


def kill_again_and_again(lives: Lives, url: str, notes: Path, seed: int) -> None:
    """Kill a run at random moments, and check what is left each time and at the end."""
    chance = Random(seed)
    for _ in range(chance.randint(1, MOST_KILLS)):
        loop = chance.choice(["asyncio", "trio"])
        pid = lives.begin(url, notes, chance.randrange(1000), loop=loop)
        time.sleep(chance.uniform(0, chance.choice([0.05, LONGEST_LIFE])))
        with suppress(ProcessLookupError):  # it may have come to its end
            os.kill(pid, signal.SIGKILL)
        end = lives.end()
        check_nothing_is_lost(url, notes)
        if not end:
            break
        assert end == -signal.SIGKILL
    else:
        lives.begin(url, notes, chance.randrange(1000))
        assert lives.end() == 0
    check_end(url, notes)


def test_kill_before_any_statement(lives: Lives, store_url: str, tmp_path: Path) -> None:
    """Each life goes a statement further: with those that make the tables, take the run over, and record the first."""
    notes = tmp_path / "notes"
    for statements in range(1, MOST_STATEMENTS):
        lives.begin(store_url, notes, seed=0, statements=statements)
        end = lives.end()
        check_nothing_is_lost(store_url, notes)
        if not end:
            break
        assert end == -signal.SIGKILL
    else:
        lives.begin(store_url, notes, seed=0)
        assert lives.end() == 0
    check_end(store_url, notes)


def check_nothing_is_lost(url: str, notes: Path) -> None:
    """What was acknowledged is on record, once, and has not run again."""
    lines = lines_of(notes)
    done: set[str] = set()
    for word, about in lines:
        if word == "ack":
            done.add(about)
        elif word == "begin":
            assert about not in done - ALWAYS, f"{about} has run again"
    with Store(url) as store:
        runs = store.runs()
        assert len(runs) <= 1
        assert all(run.status in {RunStatus.LOST, RunStatus.DONE} for run in runs)
        with store.reading() as connection:
            recorded = {key for (key,) in connection.rows("select key from nodes where status = 'done'")}
            if "sqlite" in url:
                assert connection.rows("pragma integrity_check") == [("ok",)]
    assert done - ALWAYS <= recorded, f"not on record: {done - ALWAYS - recorded}"


def check_end(url: str, notes: Path) -> None:
    """It has come to what it would have without any kill, and all of it is on record."""
    lines = lines_of(notes)
    check_nothing_is_lost(url, notes)
    assert ("total", str(TOTAL)) in lines
    with Store(url) as store, store.reading() as connection:
        assert store.run().status is RunStatus.DONE
        nodes = connection.rows("select key, status, started_at, ended_at from nodes")
        attempts = connection.rows("select key, number, status from attempts where status <> 'working'")
    assert {key for key, status, *_ in nodes if status != "done"} == {"night/line/third"}
    assert all(started <= ended for _, _, started, ended in nodes if started is not None)
    begun = [about for word, about in lines if word == "begin"]
    assert {key for key, *_ in nodes if key not in {"night", "night/line"}} == set(begun)
    for key, number, status in attempts:
        assert status in {"retrying", "failed", "cancelled"}, "of what was done there is no second attempt"
        assert number <= begun.count(key)


def lines_of(notes: Path) -> list[tuple[str, str]]:
    """Return what was noted: words, and what they are about."""
    if not notes.exists():
        return []
    lines: Iterable[str] = notes.read_text(encoding="utf-8").splitlines()
    return [(word, about) for word, _, about in (line.partition(" ") for line in lines)]
