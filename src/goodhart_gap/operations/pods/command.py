"""`goodhart-gap pod`: the verbs of the command line."""

import argparse
from pathlib import Path
from typing import Any

from goodhart_gap.operations.pods.api import PodApi
from goodhart_gap.operations.pods.launcher import (
    Predicted,
    create,
    find,
    forget_end,
    pods_text,
    watch,
)
from goodhart_gap.operations.pods.settings import PodSettings, read_pod_settings

RATES = Path("config/plan.yaml")


def add_pod_verbs(verbs: Any) -> None:
    """Add `pod` with its own verbs to those of the command line."""
    pod = verbs.add_parser("pod", help="rent a RunPod machine and run the workflow there")
    pods = pod.add_subparsers(required=True, metavar="VERB")

    verb = pods.add_parser("create", help="create a pod, follow it, stop it at its end")
    verb.add_argument("file", type=Path, help="file of the pod (config/pods/...)")
    verb.add_argument("--detach", action="store_true", help="do not follow it")
    verb.set_defaults(run=_create)

    verb = pods.add_parser("watch", help="follow a pod, and stop it at its end")
    verb.add_argument("file", type=Path, help="file of the pod")
    verb.set_defaults(run=_watch)

    verb = pods.add_parser("list", help="all pods of the account")
    verb.set_defaults(run=_list)

    for name, text, run in (
        ("status", "what a pod is doing, and what it has cost", _status),
        ("stop", "stop a pod; its volume stays", _stop),
        ("delete", "delete a pod and its volume", _delete),
    ):
        verb = pods.add_parser(name, help=text)
        verb.add_argument("name", help="name of the pod")
        verb.set_defaults(run=run)


def predict(settings: PodSettings) -> Predicted:
    """Return what a run of the settings' experiment needs, by its plan."""
    from goodhart_gap.operations.demands import demands_of
    from goodhart_gap.provenance.chain import read_chain
    from goodhart_gap.provenance.graph import read_graph
    from goodhart_gap.provenance.plan import make_plan, read_plan_settings

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


def _create(arguments: argparse.Namespace) -> int:
    settings, api = read_pod_settings(arguments.file), PodApi()
    predicted = predict(settings)
    forget_end(settings)
    create(settings, predicted, api)
    if arguments.detach:
        print(f"follow it with `goodhart-gap pod watch {arguments.file}`")
        return 0
    return watch(settings, api)


def _watch(arguments: argparse.Namespace) -> int:
    return watch(read_pod_settings(arguments.file), PodApi())


def _list(arguments: argparse.Namespace) -> int:
    print(pods_text(PodApi().pods()) or "no pods")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    print(pods_text([find(arguments.name, PodApi())]))
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    api = PodApi()
    api.stop(find(arguments.name, api))
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    api = PodApi()
    api.delete(find(arguments.name, api))
    return 0
