import os
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.damage import refuse_damaged


def test_a_flipped_bit_is_refused_even_at_the_same_size(finished):
    tasks = Path("results/tasks.txt")
    content = bytearray(tasks.read_bytes())
    content[len(content) // 2] ^= 1
    tasks.write_bytes(content)
    with pytest.raises(GoodhartError, match=r"results/tasks.txt: .* damaged or replaced; delete"):
        refuse_damaged(tasks)


def test_a_file_as_it_was_made_passes_with_any_time(finished):
    tasks = Path("results/tasks.txt")
    refuse_damaged(tasks)
    os.utime(tasks, (0, 0))
    refuse_damaged(tasks)


def test_what_is_missing_or_was_never_finished_is_not_damaged(finished):
    refuse_damaged(Path("results/nothing.txt"))
    Path("results/unfinished.txt").write_text("half")
    refuse_damaged(Path("results/unfinished.txt"))
