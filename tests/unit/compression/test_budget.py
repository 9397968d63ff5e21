"""The knapsack against brute force."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goodhart_gap.compression.budget import Option, choose
from goodhart_gap.errors import GoodhartError
from tests.unit.compression.cases import few

blocks = st.lists(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 50)), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


@few
@given(blocks, st.integers(5, 150))
def test_is_the_optimum(sizes: list[list[tuple[int, int]]], budget: int) -> None:
    options = {
        f"block{i}": [Option(f"o{k}", size, float(loss)) for k, (size, loss) in enumerate(each)]
        for i, each in enumerate(sizes)
    }
    fitting = [
        (sum(option.loss for option in choice), sum(option.size_bytes for option in choice))
        for choice in itertools.product(*options.values())
        if sum(option.size_bytes for option in choice) <= budget
    ]
    if not fitting:
        with pytest.raises(GoodhartError, match=f"over the budget of {budget}"):
            choose(options, budget)
        return
    chosen = choose(options, budget)
    by_name = {name: {o.name: o for o in each} for name, each in options.items()}
    taken = [by_name[name][option] for name, option in chosen.items()]
    found = (sum(o.loss for o in taken), sum(o.size_bytes for o in taken))
    assert found == min(fitting)


def test_many_blocks_stay_quick() -> None:
    options = {
        f"block{i}": [Option(str(b), b * (1000 + i), 4.0**-b * (1 + i % 7)) for b in (2, 3, 4, 8)]
        for i in range(300)
    }
    budget = sum(3500 + i for i in range(300))
    chosen = choose(options, budget)
    assert len(chosen) == 300
    assert {"3", "4"} <= set(chosen.values())
