"""What both kinds of store promise: transactions, bulk inserts, a second connection, any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.sentences import exactly
from treetask.store import (
    ConflictError,
    Connection,
    StatementError,
    Store,
    StoreError,
    StoreUnavailableError,
    StoreUrlError,
)

COLUMNS = ("run", "key", "status", "attempts")


def put(connection: Connection, *rows: tuple[int, str, str, int], replace: tuple[str, ...] = ("status",)) -> None:
    """Insert nodes; one that is there gets the columns in `replace`."""
    connection.insert("nodes", COLUMNS, rows, key=("run", "key"), replace=replace)


def nodes(connection: Connection) -> list[tuple[object, ...]]:
    """All nodes by their keys."""
    return connection.rows("select run, key, status, attempts from nodes order by run, key")


def test_what_is_committed_is_there_when_opened_again(store_url: str) -> None:
    """A store keeps what a transaction has written."""
    with Store(store_url) as store, store.transaction() as connection:
        put(connection, (1, "a", "done", 2))

    with Store(store_url, create=False) as store, store.reading() as connection:
        assert nodes(connection) == [(1, "a", "done", 2)]


def test_transaction_that_raises_leaves_nothing(store: Store) -> None:
    """All or nothing, and the connection goes on."""
    with pytest.raises(ZeroDivisionError), store.transaction() as connection:
        put(connection, (1, "a", "done", 2))
        raise ZeroDivisionError

    with store.transaction() as connection:
        assert nodes(connection) == []


def test_transaction_in_a_transaction_is_refused(store: Store) -> None:
    """What the inner one would commit is not for it to commit."""
    message = f"store {store.url}: a transaction has already begun on this connection; do all of it in one block"

    with store.transaction(), pytest.raises(StoreError, match=exactly(message)), store.transaction():
        pass


def test_transaction_with_a_failure_that_was_caught_is_not_committed(store: Store) -> None:
    """PostgreSQL would undo it without a word; here both kinds say so."""
    message = f"store {store.url}: nothing is committed, as a statement of the transaction has failed"

    with pytest.raises(StatementError, match=exactly(message)) as raised, store.transaction() as connection:
        put(connection, (1, "a", "done", 2))
        with pytest.raises(ConflictError):
            connection.insert("nodes", COLUMNS, [(1, "a", "done", 2)])

    assert isinstance(raised.value.__cause__, ConflictError)
    with store.transaction() as connection:
        assert nodes(connection) == []
        put(connection, (1, "a", "done", 2))


@pytest.mark.parametrize("text", ["a\0b", "a\udc80b"])
def test_text_that_cannot_be_kept(store: Store, text: str) -> None:
    """It comes back as it was, or is refused; many rows are no other than one."""
    rows = [(1, str(number), text) for number in range(100)]
    for count in (1, 100):
        try:
            with store.transaction() as connection:
                connection.insert("nodes", ("run", "key", "error"), rows[:count])
                assert connection.row("select error from nodes") == (text,)
                connection.execute("delete from nodes")
        except StatementError:
            with store.reading() as connection:
                assert nodes(connection) == []


@pytest.mark.parametrize("count", [0, 1, 7, 64, 65, 1_500])
def test_any_number_of_rows_is_inserted(store: Store, count: int) -> None:
    """However the rows are divided among statements, each is there once."""
    rows = [(1, f"k{number:04}", "pending", number) for number in range(count)]

    with store.transaction() as connection:
        put(connection, *rows)
        assert nodes(connection) == rows


@pytest.mark.parametrize("count", [3, 300])
def test_row_that_is_there_gets_the_columns_named(store: Store, count: int) -> None:
    """An upsert overwrites what `replace` names and leaves the rest."""
    with store.transaction() as connection:
        put(connection, *((1, str(number), "pending", 1) for number in range(count)))
        put(connection, *((1, str(number), "done", 2) for number in range(count + 1)))

        assert set(connection.rows("select status, attempts, count(*) from nodes group by status, attempts")) == {
            ("done", 1, count),
            ("done", 2, 1),
        }


@pytest.mark.parametrize("others", [0, 100])
@pytest.mark.parametrize(
    ("replace", "left"), [(("status",), ("done", 1)), (("status", "attempts"), ("done", 3)), ((), ("pending", 1))]
)
def test_one_key_several_times(store: Store, others: int, replace: tuple[str, ...], left: tuple[str, int]) -> None:
    """Rows given together leave what they would have left one after the other."""
    rows = [(1, f"other{number}", "pending", 0) for number in range(others)]
    rows += [(1, "a", "pending", 1), (1, "a", "working", 2), (1, "a", "done", 3)]

    with store.transaction() as connection:
        put(connection, *rows, replace=replace)
        assert connection.row("select status, attempts from nodes where key = 'a'") == left


def test_second_row_with_a_key_is_a_conflict(store: Store) -> None:
    """Without `key`, a row that is there is nothing to be written over, and nothing else is inserted either."""
    rows = [(1, "a", "done", 1), (1, "b", "done", 1)]
    with store.reading() as connection:
        connection.insert("nodes", COLUMNS, rows[:1])

        with pytest.raises(ConflictError):
            connection.insert("nodes", COLUMNS, rows[::-1])

        assert nodes(connection) == rows[:1]


def test_values_come_back_as_they_were(store: Store) -> None:
    """Text of all scripts, bytes, floats, large ints and None; sums are numbers of Python's own."""
    values = (2**62, "😀 'a' % ? \\ \t\n", b"\x00\xff", 1.5, None)
    with store.transaction() as connection:
        connection.insert("nodes", ("run", "key", "result", "started_at", "error"), [values] * 1)
        connection.insert(
            "nodes",
            ("run", "key", "result", "started_at", "error"),
            [(*values[:1], str(n), *values[2:]) for n in range(99)],
        )

        row = connection.row("select run, key, result, started_at, error from nodes where key = ?", (values[1],))
        assert row == values
        assert connection.row("select result, error from nodes where key = '50'") == (values[2], None)
        assert connection.row("select sum(is_stored), '50%?' from nodes where key like '5_%'") == (0, "50%?")


def test_new_rows_get_ids_that_are_not_used_again(store: Store) -> None:
    """The number of a run that was deleted never means another one."""
    with store.transaction() as connection:
        first, second = (connection.insert_new("runs", ("status",), ("running",)) for _ in range(2))
        assert connection.execute("delete from runs where id = ?", (second,)) == 1
        third = connection.insert_new("runs", ("status",), ("running",))

    assert first < second < third


def test_count_of_rows_tells_who_got_it(store: Store) -> None:
    """A claim is a conditional UPDATE: the second one changes no row."""
    with store.transaction() as connection:
        put(connection, (1, "a", "pending", 0))
        claim = "update nodes set status = 'working' where key = ? and status = 'pending'"
        assert [connection.execute(claim, ("a",)), connection.execute(claim, ("a",))] == [1, 0]


def test_text_is_in_the_order_of_code_points(store: Store) -> None:
    """Not in that of a language: both kinds list alike."""
    with store.transaction() as connection:
        put(connection, *((1, key, "done", 1) for key in ("é", "b", "B", "a", "_", "ż")))
        keys = [key for (key,) in connection.rows("select key from nodes order by key")]
    assert keys == ["B", "_", "a", "b", "é", "ż"]


def test_second_connection_sees_what_the_first_commits(store: Store) -> None:
    """Each has its own transactions; closing one leaves the other open."""
    second = store.connect()
    with store.transaction() as connection:
        put(connection, (1, "a", "done", 1))
        assert nodes(second) == []
    assert nodes(second) == [(1, "a", "done", 1)]
    second.close()
    second.close()
    with store.reading() as connection:
        assert nodes(connection) == [(1, "a", "done", 1)]


def test_memory_is_shared_by_both_connections() -> None:
    """What is in memory is one database, in which the second connection takes turns."""
    with Store("sqlite://") as store, Store(":memory:") as other:
        second = store.connect()
        with store.transaction() as connection:
            put(connection, (1, "a", "done", 1))
        assert nodes(second) == [(1, "a", "done", 1)]
        second.close()
        with store.reading() as connection, other.reading() as elsewhere:
            assert (nodes(connection), nodes(elsewhere)) == ([(1, "a", "done", 1)], [])


@pytest.mark.parametrize("uses_second", [False, True])
def test_threads_take_turns(store_url: str, uses_second: bool) -> None:
    """No thread meets another one's transaction."""
    failures: list[BaseException] = []

    with Store(store_url) as store:

        def count_up(transaction: Callable[[], object]) -> None:
            try:
                own = store.connect() if uses_second else None
                for _ in range(20):
                    with own.transaction() if own else store.transaction() as connection:
                        connection.execute("update nodes set attempts = attempts + 1")
                if own:
                    own.close()
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

        with store.transaction() as connection:
            put(connection, (1, "a", "pending", 0))
        threads = [threading.Thread(target=count_up, args=(store.transaction,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.reading() as connection:
            assert (failures, nodes(connection)) == ([], [(1, "a", "pending", 80)])


def test_closed_store_says_so(store: Store) -> None:
    """Its methods raise; closing it again does not."""
    store.close()
    store.close()

    message = f"store {store.url}: it is closed; open it again"
    with pytest.raises(StoreUnavailableError, match=exactly(message)), store.transaction():
        pass
    with store.reading() as connection, pytest.raises(StoreUnavailableError, match=exactly(message)):
        nodes(connection)


def test_wrong_statement_is_told_with_the_store(store: Store) -> None:
    """The database's own words, and the connection goes on."""
    with store.reading() as connection:
        with pytest.raises(StatementError, match=r"\Astore .*: .*nowhere"):
            connection.rows("select 1 from nowhere")
        assert nodes(connection) == []


def test_lazy_store_is_opened_when_it_is_used(store_url: str) -> None:
    """By the thread that uses it; what names no store is refused at once, and closing one that was not used is fine."""
    with pytest.raises(StoreUrlError):
        Store("mysql://host/database", is_lazy=True)
    Store(store_url, is_lazy=True).close()

    with Store(store_url, is_lazy=True) as store:
        thread = threading.Thread(target=lambda: fill(store))
        thread.start()
        thread.join()
        with closing(store.connect()) as connection:
            assert connection.row("select value from meta where name = 'filled'") == ("yes",)
    message = f"store {store.url}: it is closed; open it again"
    with pytest.raises(StoreUnavailableError, match=exactly(message)), store.reading() as connection:
        connection.rows("select 1")


def test_lazy_store_that_is_closed_is_not_opened(tmp_path: Path) -> None:
    """Nothing is made."""
    store = Store(tmp_path / "store.db", is_lazy=True)
    store.close()

    with pytest.raises(StoreUnavailableError, match=r": it is closed; open it again$"), store.transaction():
        pass
    assert list(tmp_path.iterdir()) == []


def fill(store: Store) -> None:
    """Write something."""
    with store.transaction() as connection:
        connection.insert("meta", ("name", "value"), [("filled", "yes")])
