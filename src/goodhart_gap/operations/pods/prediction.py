"""What a pod's run will need, by the plan of its experiment."""

from pathlib import Path

from goodhart_gap.operations.demands import demands_of
from goodhart_gap.operations.pods.launcher import Predicted
from goodhart_gap.operations.pods.settings import PodSettings
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.graph import read_graph
from goodhart_gap.provenance.plan import make_plan, read_plan_settings

RATES = Path("config/plan.yaml")


def predict(settings: PodSettings) -> Predicted:
    """Return what a run of the settings' experiment needs, by its plan."""
    rates, results = read_plan_settings(RATES), Path("results")
    options = ["--configfile", settings.configfile]
    options += ["--config", f"storage={{prefix: {settings.prefix}}}", "--", *settings.targets]
    graph = read_graph(options)
    plan = make_plan(graph, read_chain(results, empty=True), rates, results)
    jobs = [job for job in graph.jobs if job.runs]
    demands = demands_of(jobs, graph.config, rates, results, settings.vcpus)
    gpu_hours = plan.sums()["total"]["gpu_hours"]
    count = settings.gpu_count or (demands.gpus.count if demands.gpus else 1)
    hours = max(plan.longest_chain_seconds / 3600, gpu_hours / count)
    return Predicted(demands, hours)
