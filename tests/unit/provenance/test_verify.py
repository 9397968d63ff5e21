import shutil
import subprocess
from pathlib import Path

import pytest

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.chain import Entry, read_chain
from goodhart_gap.provenance.manifest import Repository
from goodhart_gap.provenance.verify import verify


def breaks(root: str = "results") -> list[str]:
    return [str(item) for item in verify(read_chain(Path(root))).breaks]


def flip(path: str, place: int = -1) -> None:
    content = bytearray(Path(path).read_bytes())
    content[place] ^= 1
    Path(path).write_bytes(content)


def test_intact_results_have_no_break(finished):
    result = verify(read_chain(Path("results")))
    assert result.breaks == []
    assert (result.hashed_files, result.edges, result.absent_temporary) == (3, 5, 1)


@pytest.mark.parametrize(
    "path",
    [
        "results/tasks.txt",
        "results/responses/42.txt",
        "results/tables/counts.csv",
        "results/tasks.txt.prov.json",
        "results/responses/42.txt.prov.json",
        "results/trace.txt.prov.json",
        "results/tables/counts.csv.prov.json",
        "tasks.txt",
    ],
)
def test_one_flipped_byte_names_that_file_and_no_other(finished, path):
    flip(path)
    (found,) = breaks()
    assert found.startswith(f"{path}: ")


def test_a_flipped_manifest_leaves_a_flipped_artifact_visible(finished):
    flip("results/tasks.txt.prov.json")
    flip("results/tasks.txt")
    assert [item.partition(":")[0] for item in breaks()] == [
        "results/tasks.txt",
        "results/tasks.txt.prov.json",
    ]


def test_a_lost_artifact_and_a_stranger_are_named(finished):
    Path("results/tasks.txt").unlink()
    Path("results/tables/hand-made.csv").write_text("x")
    assert breaks() == [
        "results/tables/hand-made.csv: no manifest says how it was made",
        "results/tasks.txt: is missing, though its manifest is here",
    ]


def test_a_rebuilt_input_is_named_where_it_was_used(finished):
    Path("tasks.txt").write_text("three tasks")
    finished.freeze()
    found = breaks()
    assert [item.partition(": was made from another version of")[0] for item in found] == [
        "results/responses/42.txt",
        "results/trace.txt",
    ]


def test_a_rebuilt_temporary_file_breaks_nothing(finished):
    finished.observe(seed="7")
    Path("results/trace.txt").unlink()
    assert breaks() == []


def test_a_copy_elsewhere_can_be_verified(finished):
    shutil.move("results", "given-to-a-colleague")
    assert breaks("given-to-a-colleague") == []
    flip("given-to-a-colleague/responses/42.txt")
    (found,) = breaks("given-to-a-colleague")
    assert found.startswith("given-to-a-colleague/responses/42.txt: ")


def test_a_source_edited_since_is_found_in_its_commit(finished):
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "tasks.txt"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "tasks"], check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    chain = read_chain(Path("results"))
    entry = chain.entries["results/tasks.txt"]
    code = entry.manifest.code.model_copy(
        update={"repository": Repository(commit=commit, dirty=False)}
    )
    manifest = entry.manifest.model_copy(update={"code": code})
    chain.entries["results/tasks.txt"] = Entry(manifest, entry.file)
    Path("tasks.txt").write_text("edited since")
    assert verify(chain).breaks == []


def test_no_results_is_one_sentence(tmp_path):
    with pytest.raises(GoodhartError, match="no such folder"):
        read_chain(tmp_path / "absent")
    with pytest.raises(GoodhartError, match="holds no manifest"):
        read_chain(tmp_path)
