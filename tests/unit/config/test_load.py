"""One clear sentence for every kind of mistake in the configuration."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from goodhart_gap.config.load import load_config
from goodhart_gap.config.schema import LiveExperiment
from goodhart_gap.errors import GoodhartError

ROOT = Path(__file__).parents[3]
FILES = ["config/models.yaml", "config/conditions.yaml", "config/config.yaml"]


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(ROOT)
    merged: dict[str, Any] = {}
    for file in FILES:
        merged.update(yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    return copy.deepcopy(merged)


def experiment(raw: dict[str, Any]) -> dict[str, Any]:
    return raw["experiments"]["smollm2-n100"]


def compress(raw: dict[str, Any]) -> dict[str, Any]:
    return raw["conditions"]["uniform-4bit"]["compress"]


def test_the_default_configuration_is_the_protocol_of_the_original(raw: dict[str, Any]) -> None:
    default = load_config(raw, FILES).experiments["smollm2-n100"]
    assert isinstance(default, LiveExperiment)
    assert default.runs == 5
    assert default.seeds == (42,)
    assert default.sampling.temperature == 0.3
    assert default.sampling.top_p == 0.9
    assert len(default.conditions) == 3


MISTAKES: list[tuple[str, Callable[[dict[str, Any]], Any], list[str]]] = [
    (
        "misspelt key",
        lambda raw: experiment(raw)["sampling"].update(temprature=1),
        ["config/config.yaml", "experiments.smollm2-n100.sampling.temprature", "'temperature'"],
    ),
    (
        "misspelt section",
        lambda raw: raw.update(experimnts={}),
        ["experimnts", "'experiments'"],
    ),
    (
        "negative rank",
        lambda raw: compress(raw).update(rank=-3),
        ["config/conditions.yaml", "conditions.uniform-4bit.compress.rank", "-3", "0"],
    ),
    (
        "bits nobody offers",
        lambda raw: compress(raw).update(bits=5),
        ["conditions.uniform-4bit.compress.bits", "5", "2, 3, 4 or 8"],
    ),
    (
        "key inside an optional section",
        lambda raw: raw["conditions"]["selective-4bit"]["protect"].update(lst=1),
        ["conditions.selective-4bit.protect.lst", "'last'"],
    ),
    (
        "unknown condition",
        lambda raw: experiment(raw).update(conditions=["baseline", "uniform-4bti"]),
        ["experiments.smollm2-n100.conditions", "uniform-4bti", "'uniform-4bit'"],
    ),
    (
        "baseline that is not compared",
        lambda raw: experiment(raw).update(baseline="uniform-3bit"),
        ["experiments.smollm2-n100.baseline", "uniform-3bit", "one of the experiment's conditions"],
    ),
    (
        "condition twice",
        lambda raw: experiment(raw)["conditions"].append("baseline"),
        ["experiments.smollm2-n100.conditions", "stands twice"],
    ),
    (
        "unknown model",
        lambda raw: experiment(raw).update(model="smolm2-135m"),
        ["experiments.smollm2-n100.model", "smolm2-135m", "'smollm2-135m'"],
    ),
    (
        "unknown judge",
        lambda raw: experiment(raw).update(
            grading={"explanation": "judge", "judge": {"model": "smolm2-135m"}}
        ),
        ["experiments.smollm2-n100.grading.judge.model", "smolm2-135m", "'smollm2-135m'"],
    ),
    (
        "judge without judge",
        lambda raw: experiment(raw).update(grading={"explanation": "judge"}),
        ["experiments.smollm2-n100.grading", "explanation: judge needs a `judge`"],
    ),
    (
        "missing key",
        lambda raw: experiment(raw).pop("model"),
        ["experiments.smollm2-n100.model", "required"],
    ),
    (
        "no source",
        lambda raw: experiment(raw).pop("source"),
        ["experiments.smollm2-n100.source", "'live'", "'record'"],
    ),
    (
        "no such task file",
        lambda raw: experiment(raw).update(tasks="orignal-20"),
        ["experiments.smollm2-n100.tasks", "config/tasks/orignal-20.yaml"],
    ),
    (
        "unpinned wheel",
        lambda raw: raw["models"]["smollm2-135m"].pop("sha256"),
        ["config/models.yaml", "models.smollm2-135m.source", "sha256"],
    ),
    (
        "a word for a number",
        lambda raw: raw["models"]["smollm2-135m"].update(blocks="thirty"),
        ["models.smollm2-135m.blocks", "'thirty'", "integer"],
    ),
    (
        "a name that is no folder name",
        lambda raw: raw["models"].update({"a b": raw["models"]["smollm2-135m"]}),
        ["models.a b"],
    ),
    (
        "misspelt folder",
        lambda raw: raw.update(pathvars={"result": "/data"}),
        ["pathvars.result: unknown key", "'results'", "benchmarks, logs, results"],
    ),
    (
        "GPUs without sizes",
        lambda raw: raw["models"]["smollm2-135m"].update(gpus=True),
        ["models.smollm2-135m", "gpus: true needs `sizes`"],
    ),
    (
        "unknown experiment",
        lambda raw: raw.update(build=["smollm2-n1000"]),
        ["build", "smollm2-n1000", "'smollm2-n100'"],
    ),
]


@pytest.mark.parametrize(
    ("mistake", "words"), [pytest.param(m, w, id=name) for name, m, w in MISTAKES]
)
def test_a_mistake_is_one_sentence(
    raw: dict[str, Any], mistake: Callable[[dict[str, Any]], Any], words: list[str]
) -> None:
    mistake(raw)
    with pytest.raises(GoodhartError) as caught:
        load_config(raw, FILES)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    for word in words:
        assert word in sentence


def test_a_value_of_the_command_line_is_named_as_such(raw: dict[str, Any]) -> None:
    raw["bild"] = 1
    with pytest.raises(GoodhartError, match=r"command line .*bild.*'build'"):
        load_config(raw)
