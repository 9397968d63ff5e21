"""The configuration outside Snakemake is the one inside."""

from pathlib import Path

import pytest

from goodhart_gap.config.files import config_files, merged, read_config, read_yaml
from goodhart_gap.errors import GoodhartError

ROOT = Path(__file__).parents[3]


def test_the_files_are_those_of_the_snakefile(monkeypatch):
    monkeypatch.chdir(ROOT)
    files = config_files()
    assert files[0] == Path("config/models.yaml")
    assert files[-1] == Path("config/config.yaml")
    config = read_config()
    assert config.build == ("smollm2-n100",)
    assert "last-of-3bit-4" in config.conditions
    assert read_config([Path("config/qwen2-72b-n100.yaml")]).build == ("qwen2-72b-n100",)


def test_files_are_merged_as_snakemake_merges_them(tmp_path):
    from snakemake.utils import update_config

    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text("a: {x: 1, y: {z: [1, 2]}}\nb: 2\nc: {d: 1}\n")
    second.write_text("a: {y: {z: [3], w: 4}}\nb: {e: 5}\nc: 6\n")
    expected: dict[str, object] = {}
    update_config(expected, read_yaml(first))
    update_config(expected, read_yaml(second))
    assert merged([first, second]) == expected


def test_what_cannot_be_read_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GoodhartError, match="run this in a clone of the repository"):
        config_files()
    with pytest.raises(GoodhartError, match="there is no such file"):
        read_yaml(Path("none.yaml"))
    Path("a.yaml").write_text("a: [1\n")
    with pytest.raises(GoodhartError, match=r"a\.yaml: not valid YAML"):
        read_yaml(Path("a.yaml"))
    Path("b.yaml").write_text("- 1\n")
    with pytest.raises(GoodhartError, match=r"b\.yaml: holds no sections"):
        read_yaml(Path("b.yaml"))
