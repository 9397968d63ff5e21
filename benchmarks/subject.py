"""The finished default experiment that benchmarks/stages.py measures peers on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from benchmarks.flops import Sizes

from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.files import read_jsonl


class Subject:
    """The finished default experiment of a folder, and its settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = yaml.safe_load((folder / "config/config.yaml").read_text())
        (self.name,) = config["build"]
        self.experiment = config["experiments"][self.name]
        models = yaml.safe_load((folder / "config/models.yaml").read_text())["models"]
        self.model_settings = models[self.experiment["model"]]
        self.model = folder / "results/models" / self.experiment["model"]
        self.base = self.model / "base"
        self.sizes = Sizes.of(json.loads((self.base / "config.json").read_text()))
        self.sampling = SamplingSettings.model_validate(self.experiment.get("sampling", {}))
        self.calibration = CalibrationSettings.model_validate(
            self.model_settings.get("calibration", {})
        )
        self.rows = read_jsonl(folder / "results" / self.name / "prompts.jsonl")
        self.prompts = [Prompt(row["task"], row["role"], row["prompt"]) for row in self.rows]

    def compressed(self) -> list[str]:
        """Conditions whose model is compressed, here or by reuse of another's."""
        return [
            each
            for each in self.experiment["conditions"]
            if (self.model / each / "allocation.json").exists()
        ]

    def shards(self) -> dict[str, Path]:
        """The compressed shard of each condition that has its own; laptop models have one."""
        return {
            name: path
            for name in self.compressed()
            for path in (self.model / name).glob("blocks*.safetensors")
        }

    def responses(self, condition: str) -> Iterator[dict[str, Any]]:
        """All responses sampled under a condition."""
        folder = self.folder / "results" / self.name / "responses" / condition
        for path in sorted(folder.rglob("*.jsonl")):
            yield from read_jsonl(path)

    def hessians(self) -> Path:
        """The Hessians of all blocks."""
        (path,) = (self.model / "calibration/hessians").glob("*.safetensors")
        return path
