"""A condition in one line."""

from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.config.describe import describe_condition


def described(**settings: object) -> str:
    return describe_condition(ConditionSettings.model_validate(settings))


def test_the_baseline() -> None:
    assert described() == "the base model as it is"


def test_a_selective_condition() -> None:
    compress = {"bits": 3, "group_size": 32, "rank": 8, "factor_bits": 2}
    assert described(compress=compress, protect={"last": 1, "patterns": ["*.down_proj"]}) == (
        "caldera, 3 bit in groups of 32, rank 8 at 2 bit; "
        "not compressed: the last block, modules *.down_proj"
    )


def test_a_method_without_low_rank_part_says_nothing_of_it() -> None:
    assert described(compress={"method": "gptq"}, protect={"first": 2, "blocks": [7, 9]}) == (
        "gptq, 4 bit in groups of 64; not compressed: the first 2 blocks, blocks 7, 9"
    )
