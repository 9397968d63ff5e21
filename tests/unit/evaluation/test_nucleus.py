import numpy as np
import pytest
import torch

from goodhart_gap.evaluation.nucleus import draw


def naive(logits: np.ndarray, uniform: float, temperature: float, top_p: float) -> int:
    """The definition, token by token, in float64."""
    scaled = logits.astype(np.float64) / temperature
    probability = np.exp(scaled - scaled.max())
    probability /= probability.sum()
    order = sorted(range(len(logits)), key=lambda token: (-probability[token], token))
    nucleus, reached = [], 0.0
    for token in order:
        nucleus.append(token)
        reached += probability[token]
        if reached >= top_p:
            break
    target, passed = uniform * sum(probability[token] for token in nucleus), 0.0
    for token in nucleus:
        passed += probability[token]
        if passed > target:
            return token
    return nucleus[-1]


@pytest.mark.parametrize("vocabulary", [5, 64, 65, 1000])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("top_p", [0.1, 0.9, 1.0])
def test_equals_the_definition(vocabulary: int, temperature: float, top_p: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (40, vocabulary)).astype(np.float32)
    numbers = generator.random(40)
    drawn = draw(torch.from_numpy(logits), torch.from_numpy(numbers), temperature, top_p)
    expected = [naive(row, u, temperature, top_p) for row, u in zip(logits, numbers, strict=True)]
    assert drawn.tolist() == expected


def test_greedy_takes_the_most_probable_and_the_first_of_equals() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 3.0, 3.0]])
    assert draw(logits, torch.zeros(2, dtype=torch.float64), 0, 0.9).tolist() == [1, 0]


def test_equal_tokens_are_ordered_by_id() -> None:
    logits = torch.zeros(1, 4)
    drawn = [
        int(draw(logits, torch.tensor([u], dtype=torch.float64), 1.0, 1.0))
        for u in (0.1, 0.3, 0.6, 0.9)
    ]
    assert drawn == [0, 1, 2, 3]


def test_nothing_outside_the_nucleus_is_drawn() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).expand(200, 4)
    numbers = torch.linspace(0, 1, 201, dtype=torch.float64)[:200]
    drawn = draw(logits, numbers, 1.0, 0.7)
    assert set(drawn.tolist()) == {0, 1}
    assert (drawn == 0).double().mean().item() == pytest.approx(0.5 / 0.8, abs=0.01)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    torch.manual_seed(0)
    logits = torch.randn(50, 3000, dtype=torch.bfloat16) * 3
    numbers = torch.rand(50, dtype=torch.float64)
    together = draw(logits, numbers, 0.7, 0.95)
    alone = [int(draw(logits[i : i + 1], numbers[i : i + 1], 0.7, 0.95)) for i in range(50)]
    assert together.tolist() == alone
