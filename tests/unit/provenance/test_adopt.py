import json
import re
from pathlib import Path

import pytest

from goodhart_gap.cli import main
from goodhart_gap.provenance.adopt import judge, modification_times
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.code_digest import code_parts
from goodhart_gap.provenance.graph import Graph, read_graph
from goodhart_gap.provenance.manifest import write_manifest
from goodhart_gap.provenance.remote import modified_ns, remember_time
from goodhart_gap.provenance.staleness import changes, flags


@pytest.fixture(scope="session")
def graph(run_once):
    """The graph of the finished tiny workflow."""
    return read_graph(["--directory", str(run_once), "--snakefile", str(run_once / "Snakefile")])


def verdicts(graph) -> dict[str, list[str]]:
    """The differences of each stale job, by its first output."""
    result = judge(graph, read_chain(Path("results")))
    assert not result.absent
    assert len(result.adopted) + len(result.stale) == len(graph.jobs)
    return {job.outputs[0].path: found for job, found in result.stale}


def listed(workflow, *options: str) -> set[str]:
    """The rules that a dry run lists."""
    return set(re.findall(r"^rule (\w+):$", workflow.snakemake("-n", *options), re.M)) - {"all"}


def run_adopt(monkeypatch, capsys, *words: str) -> str:
    monkeypatch.setattr("sys.argv", ["goodhart-gap", "adopt", "results", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_snakemake_believes_an_adopted_clone(clone, monkeypatch, capsys):
    assert listed(clone) != set()
    assert "5 jobs are up to date, 0 are stale" in run_adopt(monkeypatch, capsys)
    assert listed(clone) == set()
    assert listed(clone, "--config", "temperature=0.5") == {"sample", "observe", "count"}


def test_snakemake_reruns_and_explains_what_is_stale(clone, monkeypatch, capsys):
    options = ("--config", "temperature=0.5")
    printed = run_adopt(monkeypatch, capsys, "--", *options)
    assert printed.count("--sampling: temperature 0.3 -> 0.5") == 2
    shown = clone.snakemake("-n", *options)
    assert shown.count("before: '--sampling: temperature 0.3 -> 0.5'") == 2
    assert listed(clone, *options) == {"sample", "observe", "count"}


def test_a_true_clone_has_no_difference(clone, graph):
    assert verdicts(graph) == {}


def test_changed_code_is_named_by_module(clone, graph):
    script = Path("scripts/count.py")
    script.write_text(script.read_text().replace("/ 7", "/ 8"))
    jobs = [
        job.model_copy(update={"params": {"code": "changed"}}) if job.rule == "count" else job
        for job in graph.jobs
    ]
    code_parts.cache_clear()
    assert verdicts(Graph(jobs=jobs)) == {"results/tables/counts.csv": ["code: script changed"]}


def test_a_changed_source_is_named(clone, graph):
    Path("tasks.txt").write_text("three tasks")
    assert verdicts(graph) == {"results/tasks.txt": ["input tasks.txt changed"]}


def test_other_threads_are_no_difference(clone, graph):
    jobs = [
        job.model_copy(
            update={"command": (job.command or "").replace("--threads 2", "--threads 9")}
        )
        for job in graph.jobs
    ]
    assert verdicts(Graph(jobs=jobs)) == {}


def test_a_changed_set_of_inputs_is_named(clone, graph):
    jobs = [
        job.model_copy(update={"inputs": [*job.inputs[1:], "results/responses/8.txt"]})
        if job.rule == "count"
        else job
        for job in graph.jobs
    ]
    assert verdicts(Graph(jobs=jobs)) == {
        "results/tables/counts.csv": [
            "input results/responses/8.txt is new",
            "input results/responses/42.txt is no longer one",
        ]
    }


def test_a_parameter_that_no_manifest_can_vouch_for_is_a_difference(clone, graph):
    jobs = [
        job.model_copy(update={"params": job.params | {"hidden": "x17"}})
        if job.rule == "freeze"
        else job
        for job in graph.jobs
    ]
    assert verdicts(Graph(jobs=jobs)) == {
        "results/tasks.txt": ["parameter hidden is not on the command line"]
    }


def test_a_lie_is_never_adopted(clone, graph):
    Path("results/responses/7.txt").write_text("hand-made")
    Path("results/tables/counts.csv.prov.json").unlink()
    assert verdicts(graph) == {
        "results/responses/7.txt": [
            "results/responses/7.txt has other bytes than its manifest says"
        ],
        "results/tables/counts.csv": ["results/tables/counts.csv has no intact manifest"],
    }


def test_a_bad_option_is_one_sentence(clone, monkeypatch):
    monkeypatch.setattr("sys.argv", ["goodhart-gap", "adopt", "results", "--", "no/such/target"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert "no/such/target" in str(stop.value.code)


def test_changes_name_the_key():
    then = {"compress": {"rank": 64, "bits": 4}, "protect": None}
    now = {"compress": {"rank": 32, "bits": 4}, "protect": {"last": 4}}
    assert list(changes(then, now)) == ["compress.rank 64 -> 32", 'protect none -> {"last": 4}']


def test_flags_hold_their_values():
    words = ["--a", "1", "2", "--b", json.dumps({"x": 1}), "--c=3", "--d"]
    assert flags(words) == {"--a": ("1", "2"), "--b": ('{"x": 1}',), "--c": ("3",), "--d": ()}


def test_what_was_made_again_alike_is_not_newer_than_what_was_made_from_it(clone, graph):
    path = "results/tasks.txt"
    manifest = read_chain(Path("results")).entries[path].manifest
    later = manifest.output.modified_ns + 10**12
    again = manifest.output.model_copy(update={"modified_ns": later})
    write_manifest(manifest.model_copy(update={"outputs": [again]}))
    chain = read_chain(Path("results"))
    judged = judge(graph, chain)
    assert judged.stale == []
    times = modification_times(judged, graph, chain)
    readers = [job for job in graph.jobs if path in job.inputs]
    assert times[path] == min(times[o.path] for job in readers for o in job.outputs) < later
    others = {name: chain.entries[name].manifest.output.modified_ns for name in times}
    assert {name for name in times if times[name] != others[name]} == {path}


def test_the_time_of_an_object_on_s3_can_be_another_than_its_manifest_says(clone):
    record = read_chain(Path("results")).entries["results/tasks.txt"].manifest.output
    file = Path("results/tasks.txt")
    assert modified_ns(file, record) == record.modified_ns
    remember_time(file, record.sha256, 17)
    assert modified_ns(file, record) == 17
    other = record.model_copy(update={"sha256": "0" * 64})
    assert modified_ns(file, other) == record.modified_ns
