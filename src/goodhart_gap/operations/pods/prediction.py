"""What a pod's run will need, by the plan of its experiment."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from goodhart_gap.evaluation.judge_settings import JudgeApi
from goodhart_gap.operations.demands import demands_of
from goodhart_gap.operations.pods.launcher import Predicted
from goodhart_gap.operations.pods.settings import PodSettings
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.graph import GraphJob, read_graph
from goodhart_gap.provenance.plan import make_plan, read_plan_settings

RATES = Path("config/plan.yaml")


def predict(settings: PodSettings) -> Predicted:
    """Return what a run of the settings' experiment needs, by its plan."""
    rates = read_plan_settings(RATES)
    options = ["--configfile", settings.configfile]
    options += ["--config", settings.storage, "--", *settings.targets]
    graph = read_graph(options)
    results = Path(graph.results)
    plan = make_plan(graph, read_chain(results, empty=True), rates, results)
    jobs = [job for job in graph.jobs if job.runs]
    demands = demands_of(jobs, graph.config, rates, results, settings.vcpus)
    gpu_hours = plan.sums()["total"]["gpu_hours"]
    count = settings.gpu_count or (demands.gpus.count if demands.gpus else 1)
    hours = max(plan.longest_chain_seconds / 3600, gpu_hours / count)
    return Predicted(demands, hours, graph.results, key_variables(jobs, graph.config))


def key_variables(jobs: Iterable[GraphJob], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the variables that hold the keys of the judges that the experiments of jobs ask."""
    found = set()
    for name in {job.wildcards.get("experiment", "") for job in jobs}:
        grading = config["experiments"].get(name, {}).get("grading") or {}
        api = (grading.get("judge") or {}).get("api")
        if api and grading.get("explanation") == "judge":
            found.add(JudgeApi.model_validate(api).key_variable)
    return tuple(sorted(name for name in found if name is not None))
