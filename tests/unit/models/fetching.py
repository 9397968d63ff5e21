"""Run the fetching stage in process, as its rules run it."""

from pathlib import Path
from typing import Any

from goodhart_gap.files import write_json
from goodhart_gap.models.contents import read_contents
from goodhart_gap.models.fetch import fetch_metadata, fetch_shard
from goodhart_gap.models.fingerprints import fingerprint_model
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.shards import shard_names
from goodhart_gap.models.sources import Source, open_source


def file_settings(folder: Path, **changes: Any) -> ModelSettings:
    """Settings of a two-block checkpoint folder."""
    values = {"source": f"file:{folder}", "blocks": 2, "blocks_per_shard": 1, "dtype": "float32"}
    return ModelSettings.model_validate(values | changes)


def fetch_base(settings: ModelSettings, base: Path, source: Source | None = None) -> dict[str, Any]:
    """Write a whole base checkpoint to `base`; return its fingerprint record."""
    base.mkdir(parents=True, exist_ok=True)
    source = source or open_source(settings)
    fetch_metadata(source, settings, base)
    contents = read_contents(base / "weights.json")
    records = []
    for shard in shard_names(settings.blocks, settings.blocks_per_shard):
        weights, record = base / f"{shard}.safetensors", base / f"{shard}.fingerprint.json"
        records.append(fetch_shard(source, settings, contents, shard, weights, record))
    whole = fingerprint_model(records)
    write_json(base / "fingerprint.json", whole)
    return whole
