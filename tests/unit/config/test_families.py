"""A family stands for its members, in conditions and in experiments."""

from collections.abc import Callable
from typing import Any

import pytest

from goodhart_gap.compression.settings import Protection
from goodhart_gap.config.describe import describe_condition
from goodhart_gap.config.load import load_config
from goodhart_gap.config.schema import Config
from goodhart_gap.errors import GoodhartError

FILES: list[str] = []


def raw(**families: Any) -> dict[str, Any]:
    return {
        "build": ["sweep"],
        "models": {"tiny": {"source": "file:x", "blocks": 6}},
        "conditions": {"baseline": {}, "three": {"compress": {"bits": 3}}},
        "condition_families": families,
        "experiments": {
            "sweep": {
                "source": "live",
                "model": "tiny",
                "tasks": "original-20",
                "conditions": ["baseline", *families, "three"],
                "baseline": "baseline",
                "runs": 1,
            }
        },
    }


def load(families: dict[str, Any]) -> Config:
    return load_config(raw(**families), FILES)


KINDS: list[tuple[dict[str, Any], dict[str, Protection]]] = [
    ({"protect": {"last": [1, 4]}}, {"f-1": Protection(last=1), "f-4": Protection(last=4)}),
    ({"protect": {"first": [2]}}, {"f-2": Protection(first=2)}),
    (
        {"protect": {"block": [0, 5]}},
        {"f-0": Protection(blocks=(0,)), "f-5": Protection(blocks=(5,))},
    ),
    (
        {"protect": {"window": {"length": 2, "starts": [0, 3]}}},
        {"f-0-1": Protection(blocks=(0, 1)), "f-3-4": Protection(blocks=(3, 4))},
    ),
]


@pytest.mark.parametrize(("family", "members"), KINDS)
def test_members_protect_what_their_entries_say(
    family: dict[str, Any], members: dict[str, Protection]
) -> None:
    config = load({"f": {"reuse": "three", **family}})
    assert {name: config.conditions[name].protect for name in members} == members
    assert {config.conditions[name].reuse for name in members} == {"three"}
    assert config.experiments["sweep"].conditions == ("baseline", *members, "three")


def test_only_one_block_is_compressed() -> None:
    config = load({"f": {"reuse": "three", "only": [3], "minimum_correlation": 0.5}})
    member = config.conditions["f-3"]
    assert member.reused == {"three": (3,), "base": None}
    assert member.minimum_correlation == 0.5
    assert describe_condition(member) == "shards of three in blocks 3, base in all others"


MISTAKES: list[tuple[str, Callable[[dict[str, Any]], Any], list[str]]] = [
    (
        "nothing varies",
        lambda c: c["condition_families"]["f"].update(protect={}),
        ["condition_families.f", "exactly one of protect.first"],
    ),
    (
        "two things vary",
        lambda c: c["condition_families"]["f"].update(only=[1]),
        ["condition_families.f", "exactly one", "not 2"],
    ),
    (
        "misspelt key",
        lambda c: c["condition_families"]["f"]["protect"].update(lst=[1]),
        ["condition_families.f.protect.lst", "'last'"],
    ),
    (
        "reuse of nothing",
        lambda c: c["condition_families"]["f"].update(reuse="thre"),
        ["condition_families.f.reuse = 'thre'", "unknown condition", "'three'"],
    ),
    (
        "reuse of the baseline",
        lambda c: c["condition_families"]["f"].update(reuse="baseline"),
        ["condition_families.f.reuse = 'baseline'", "compresses nothing"],
    ),
    (
        "reuse of a reuse",
        lambda c: c["conditions"].update(a={"reuse": "three"}, b={"reuse": "a"}),
        ["conditions.b.reuse = 'a'", "it reuses others itself"],
    ),
    (
        "compress and reuse",
        lambda c: c["conditions"].update(a={"reuse": "three", "compress": {}}),
        ["conditions.a", "either compress or reuse"],
    ),
    (
        "block from two conditions",
        lambda c: c["conditions"].update(
            four={"compress": {}}, a={"reuse": {"three": [1, 2], "four": [2]}}
        ),
        ["conditions.a", "block 2 from two conditions"],
    ),
    (
        "two rests",
        lambda c: c["conditions"].update(
            four={"compress": {}}, a={"reuse": {"three": "rest", "four": "rest"}}
        ),
        ["conditions.a", "one at most gets the rest"],
    ),
    (
        "name that is taken",
        lambda c: c["conditions"].update({"f-2": {}}),
        ["condition_families.f", "'f-2' is a condition already"],
    ),
    (
        "name of the base's folder",
        lambda c: c["conditions"].update(base={}),
        ["conditions.base", "rename the condition"],
    ),
    (
        "the same entry twice",
        lambda c: c["experiments"]["sweep"].update(conditions=["baseline", "f", "f-2"]),
        ["experiments.sweep.conditions", "stands twice"],
    ),
]


@pytest.mark.parametrize(
    ("change", "words"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES]
)
def test_a_mistake_is_one_sentence(
    change: Callable[[dict[str, Any]], Any], words: list[str]
) -> None:
    content = raw(f={"reuse": "three", "protect": {"last": [1, 2]}})
    change(content)
    with pytest.raises(GoodhartError) as error:
        load_config(content, FILES)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)
