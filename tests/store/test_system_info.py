"""What the built-in executor tells of the machine, by the standard library alone."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from treetask.store._system_info import system_info


def test_memory_is_in_bytes_and_adds_up() -> None:
    """What is used and what is available make up the whole."""
    memory = system_info("memory")

    assert memory["total"] > 2**20
    assert memory["used"] + memory["available"] == memory["total"]
    assert memory["used_percent"] == pytest.approx(100 * memory["used"] / memory["total"], abs=0.1)


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc")
def test_memory_is_what_the_kernel_says() -> None:
    """An oracle of its own: the pages that the C library counts."""
    counted = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert system_info("memory")["total"] == pytest.approx(counted, rel=0.01)


def test_disk_is_the_one_of_the_current_folder() -> None:
    """In bytes."""
    disk = system_info("disk")

    assert disk["total"] == shutil.disk_usage(Path.cwd()).total
    assert disk["path"] == Path.cwd().anchor


def test_cpu_counts_cores() -> None:
    """Of them a process may have to do with fewer."""
    cpu = system_info("cpu")

    assert cpu["cores"] == os.cpu_count()
    assert 1 <= cpu["usable_cores"] <= cpu["cores"]


def test_all_has_the_three_by_name() -> None:
    """Each as it is told alone."""
    everything = system_info("all")

    assert list(everything) == ["cpu", "memory", "disk"]
    assert everything["cpu"]["cores"] == os.cpu_count()


@pytest.mark.parametrize(
    ("resource", "hint"), [("memroy", " (did you mean 'memory'?)"), ("gpu", " (did you mean 'cpu'?)"), ("nothing", "")]
)
def test_other_resource_is_refused(resource: str, hint: str) -> None:
    """With what there is."""
    expected = f"resource is '{resource}'; expected one of 'cpu', 'memory', 'disk', 'all'{hint}"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        system_info(resource)
