"""Text that every database takes, and ids that stay apart whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetask.store import Store
from treetask.store._text import LONGEST_KEY, clean, id_of_key, key_text

HARD = st.text(st.sampled_from("a\\x0ud:c\0\ud800\udcff ü😀"), max_size=12)


def test_clean_text_stays_as_it_is() -> None:
    """Only what no database takes is written out."""
    assert clean("ü 😀 \\x00 \n\x1b") == "ü 😀 \\x00 \n\x1b"
    assert clean("a\0b\udc80c") == "a\\x00b\\udc80c"


@pytest.mark.parametrize("id", ["a", "nightly/crawl[1,b=2]", "C:\\x00", "ü 😀", "\\"])
def test_plain_id_is_its_own_key(id: str) -> None:
    """Keys in the tables read as the ids do."""
    assert key_text(id) == id


@given(HARD | st.text(), HARD | st.text())
def test_no_two_ids_have_one_key(one: str, other: str) -> None:
    """Each key is text for any database, and gives its id back."""
    for each in (one, other, key_text(one), "\\id:" + one, "\\cut:" + one):
        key = key_text(each)
        assert clean(key) == key
        key.encode()
        assert id_of_key(key) == each
    assert (key_text(one) == key_text(other)) == (one == other)


@given(HARD, st.text(min_size=1))
def test_long_id_is_cut_and_stays_apart(head: str, text: str) -> None:
    """Of one that no index takes, the beginning is kept and a digest of all of it."""
    one, other = (head + text * LONGEST_KEY + end for end in "xy")

    assert key_text(one) != key_text(other)
    assert len(key_text(one).encode()) <= LONGEST_KEY
    shown = id_of_key(key_text(one))
    assert shown.endswith("…")
    assert one.startswith(shown[:-1])


def test_longest_keys_fit(store: Store) -> None:
    """Two in one row of an index, of characters that do not compress."""
    cut, other = (key_text(mixed(2_000, first)) for first in range(2))
    whole = key_text(mixed(400, 2))
    with store.transaction() as connection:
        rows = [(2**60, whole, whole), (1, cut, other), (1, whole, cut)]
        connection.insert("dependencies", ("run", "key", "needs"), rows)
        assert len(connection.rows("select * from dependencies")) == 3


def mixed(length: int, first: int) -> str:
    """Text of three bytes a character, with nothing in it twice."""
    return "".join(chr(0x4E00 + (number * 7919 + first) % 20_000) for number in range(length))
