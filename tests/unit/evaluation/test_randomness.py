import numpy as np

from goodhart_gap.evaluation.randomness import uniforms


def test_numbers_are_pinned() -> None:
    # A change here changes every response ever sampled: it must be meant.
    assert uniforms(42, "discount_coupon", 0, "execution", 3).tolist() == [
        0.027532196798172204,
        0.6290704852597593,
        0.7013121660292786,
    ]


def test_count_extends_and_changes_nothing() -> None:
    long = uniforms(1, "a", 2, "execution", 1000)
    assert np.array_equal(long[:7], uniforms(1, "a", 2, "execution", 7))


def test_every_part_of_the_name_counts() -> None:
    names = [
        (1, "a", 2, "execution"),
        (2, "a", 2, "execution"),
        (1, "b", 2, "execution"),
        (1, "a", 3, "execution"),
        (1, "a", 2, "explanation"),
        # Parts must not run into each other: task "a1" run 2 is not task "a" run 12.
        (1, "a1", 2, "execution"),
        (1, "a", 12, "execution"),
    ]
    assert len({float(uniforms(*name, 1)[0]) for name in names}) == len(names)


def test_uniform() -> None:
    values = np.concatenate([uniforms(0, "t", run, "execution", 200) for run in range(100)])
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    assert values.min() >= 0
    assert values.max() < 1
    assert abs(counts - 2000).max() < 5 * np.sqrt(2000)
