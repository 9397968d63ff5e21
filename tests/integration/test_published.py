"""The published experiments, from their tables of facts to documents, by the real workflow."""

from itertools import product

import pytest
import yaml

from tests.integration.workshop import ROOT, Workshop

pytestmark = pytest.mark.workflow

PILOT = ("results/published-n20/ANALYSIS.md", "results/published-n20/QUADRANTS.md")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory, checkpoint) -> Workshop:
    """A workshop in which the documents of the pilot are made."""
    workshop = Workshop(tmp_path_factory.mktemp("published") / "workshop", checkpoint)
    workshop.run("--", *PILOT)
    return workshop


def test_the_documents_of_the_pilot_come_from_its_facts(pilot: Workshop) -> None:
    analysis = (pilot.folder / PILOT[0]).read_text()
    assert "| selective | 20 | 12 | 13 | 6/13 = 46.2 % | 5/12 = 41.7 % |" in analysis
    assert "They restate a published record of Qwen2-72B-Instruct" in analysis
    page = (pilot.folder / "results/published-n20/ANALYSIS.html").read_text()
    assert "<td>5/12 = 41.7 %</td>" in page
    assert page.count('src="data:image/svg+xml;base64,') == analysis.count("](figures/")
    quadrants = (pilot.folder / PILOT[1]).read_text()
    assert "- KD to DK: profit_margin" in quadrants
    assert pilot.planned(*PILOT) == {}


def test_a_changed_fact_reaches_the_documents(pilot: Workshop) -> None:
    record = pilot.folder / "config/records/published-n20.csv"
    facts = record.read_text()
    line = "profit_margin,financial,0,uniform,0,1,correct,200"
    assert facts.count(line) == 1
    try:
        record.write_text(facts.replace(line, line.replace(",0,1,correct", ",1,1,correct")))
        planned = pilot.planned(*PILOT)
        assert planned["import_published-n20"] == 1
        assert not {"import_published-n100", "import_published-7b"} & set(planned)
        assert {"aggregate", "test_hypotheses", "write_analysis", "write_quadrants"} <= set(planned)
        assert "score_responses" not in planned
        pilot.run("--", *PILOT)
        assert "| uniform | 20 | 16 | 13 | 3/13 = 23.1 % |" in (pilot.folder / PILOT[0]).read_text()
        assert (
            "- KD to DK: profit_margin"
            not in (pilot.folder / PILOT[1])
            .read_text()
            .split("### selective")[0]
            .split("### uniform")[1]
        )
    finally:
        record.write_text(facts)


def test_the_target_covers_every_record_its_audit_and_the_manuscript(workshop: Workshop) -> None:
    planned = workshop.planned("published")
    imports = {rule: jobs for rule, jobs in planned.items() if rule.startswith("import_")}
    names = ("published-n100", "published-n20", "published-layers", "published-7b")
    assert imports == {f"import_{name}": 1 for name in names}
    expected = {"write_analysis": 4, "write_quadrants": 4}
    assert {rule: planned[rule] for rule in expected} == expected
    assert planned["write_audit"] == planned["audit_record"] == 1
    assert planned["write_paper"] == 1
    assert not {"fetch_shard", "sample_responses", "score_responses"} & set(planned)


def test_the_larger_experiment_is_planned_with_every_seed_family(workshop: Workshop) -> None:
    plan = yaml.safe_load((ROOT / "config/plan-n500.yaml").read_text())["experiments"]["plan-n500"]
    jobs = [
        (rule, wildcards)
        for rule, wildcards in workshop.jobs(["--configfile", "config/plan-n500.yaml"])
        if wildcards.get("experiment") == "plan-n500"
    ]
    sampled = [wildcards for rule, wildcards in jobs if rule == "sample_responses"]
    families = {(wildcards["condition"], int(wildcards["seed"])) for wildcards in sampled}
    assert families == set(product(plan["conditions"], plan["seeds"]))
    assert len(plan["seeds"]) >= 3
    scored = [wildcards for rule, wildcards in jobs if rule == "score_responses"]
    assert len(scored) == len(families) * plan["runs"]
    assert [rule for rule, _ in jobs].count("write_analysis") == 1
