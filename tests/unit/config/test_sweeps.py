"""What documents are told about a sweep follows from the config."""

from pathlib import Path

import pytest
import yaml

from goodhart_gap.config.load import load_config
from goodhart_gap.config.schema import Config
from goodhart_gap.config.sweeps import compressed_by, sweep_facts

ROOT = Path(__file__).parents[3]
FILES = [
    f"config/{name}.yaml" for name in ("models", "conditions", "published", "sweeps", "config")
]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(ROOT)
    merged: dict[str, dict[str, object]] = {}
    for file in FILES:
        for section, content in yaml.safe_load(Path(file).read_text()).items():
            if isinstance(content, dict):
                merged.setdefault(section, {}).update(content)
            else:
                merged[section] = content
    return load_config(merged, FILES)


def test_every_sweep_of_the_config_can_be_described(config: Config) -> None:
    named = [name for _, names in config.sweeps for name in names]
    assert named == ["layer-sensitivity", "layer-ablation", "bit-width"]
    for name in named:
        facts = sweep_facts(config, name)
        assert [each.name for each in facts.members] == list(facts.conditions)
        assert facts.blocks == 30
        assert facts.base_bits == 16


def test_conditions_are_what_their_settings_make_them(config: Config) -> None:
    bits = {each.name: each for each in sweep_facts(config, "bit-width").members}
    kinds = {name: each.kind for name, each in bits.items()}
    assert kinds["baseline"] == "baseline"
    assert kinds["uniform-4bit"] == kinds["gptq-2bit"] == "compressed"
    assert kinds["rtn-3.5bit"] == "mixed"
    assert kinds["selective-of-2bit"] == kinds["budget-4bit"] == "selective"
    assert bits["rtn-3.5bit"].nominal_bits == 3.5
    assert bits["rtn-3.5bit"].method == "rtn"
    assert bits["budget-4bit"].method == "caldera"
    assert bits["baseline"].protected == tuple(range(30))
    assert bits["selective-of-2bit"].protected == (28, 29)
    assert bits["selective-of-2bit"].reused == "uniform-2bit"
    assert bits["uniform-4bit"].protected == ()
    members = {each.name: each for each in sweep_facts(config, "layer-ablation").members}
    window = members["window-of-3bit-5-9"]
    assert (window.family, window.varies, window.reused) == (
        "window-of-3bit",
        "window",
        "uniform-3bit",
    )
    assert window.protected == (5, 6, 7, 8, 9)


def test_an_ablation_rests_on_one_compressed_condition(config: Config) -> None:
    names = config.experiments["layer-ablation"].conditions
    assert len(names) == 18
    assert compressed_by(config, names) == ["uniform-3bit"]
    assert compressed_by(config, ("rtn-3.5bit", "only-2bit-6", "baseline")) == [
        "rtn-3bit",
        "rtn-4bit",
        "uniform-2bit",
    ]
