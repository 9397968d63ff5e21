"""The command line tool: verify, trace, adopt, plan, export and mirror results.

goodhart-gap verify results
goodhart-gap trace results/smollm2-n100/ANALYSIS.md "DBDK"
goodhart-gap adopt results
goodhart-gap plan
goodhart-gap bisect layer-ablation --family last-of-3bit -- --cores 2
goodhart-gap overview results
goodhart-gap preflight
goodhart-gap pod create config/pods/qwen2-72b-n100.yaml
goodhart-gap export smollm2-n100 crate
goodhart-gap mirror results s3://bucket/prefix
"""

import argparse
import os
import sys
import time
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_json, write_text
from goodhart_gap.operations.demands import demands_of
from goodhart_gap.operations.pods.command import add_pod_verbs
from goodhart_gap.operations.preflight import preflight
from goodhart_gap.overview import overview
from goodhart_gap.provenance.adopt import adopt, judge
from goodhart_gap.provenance.chain import read_chain
from goodhart_gap.provenance.fetch import fetch_results
from goodhart_gap.provenance.graph import read_graph
from goodhart_gap.provenance.mirror import mirror, mirrored_to
from goodhart_gap.provenance.picture import chain_svg
from goodhart_gap.provenance.plan import make_plan, plan_text, read_plan_settings
from goodhart_gap.provenance.redaction import redact_streams
from goodhart_gap.provenance.trace import artifact_named, chain_text, find_numbers
from goodhart_gap.provenance.verify import verify
from goodhart_gap.storage.store import Store

CELLS_SHOWN = 3
"""Cells printed for a number that several cells would show as."""


def main() -> None:
    """Run the command line tool; exits with 1 on a mistake or a break."""
    redact_streams()
    arguments = _parser().parse_args()
    try:
        sys.exit(arguments.run(arguments))
    except GoodhartError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        sys.stdout = None  # The reader has had enough; say nothing about it.
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="goodhart-gap", description=__doc__.partition("\n")[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = verbs.add_parser("verify", help="hash everything again and name each break")
    verb.add_argument("results", type=Path, help="folder of results")
    verb.add_argument("--quick", action="store_true", help="render no document again")
    verb.add_argument(
        "--storage", metavar="S3_PREFIX", help="where large files lie (where they were mirrored to)"
    )
    verb.add_argument("--full", action="store_true", help="read every byte on S3, too")
    verb.set_defaults(run=_verify)

    verb = verbs.add_parser("trace", help="from a number in a document to what made it")
    verb.add_argument("artifact", type=Path, help="document, table or any other artifact")
    verb.add_argument("text", nargs="?", help="a number or words, as the document prints them")
    verb.add_argument("--results", type=Path, default=Path("results"), help="folder of results")
    verb.add_argument("--picture", type=Path, help="write the chain as a picture (SVG), too")
    verb.add_argument("--all", action="store_true", help="list every file of the chain")
    verb.set_defaults(run=_trace)

    verb = verbs.add_parser("adopt", help="mark results that are still true as up to date")
    verb.add_argument("results", type=Path, help="folder of results")
    verb.add_argument(
        "--source",
        help="first copy what is missing from this folder or s3:// prefix (the storage, if any)",
    )
    verb.add_argument("--dry-run", "-n", action="store_true", help="judge, but record nothing")
    verb.add_argument("options", nargs="*", metavar="-- OPTION", help="options for snakemake")
    verb.set_defaults(run=_adopt)

    verb = verbs.add_parser("plan", help="what would run, why, for how long, at what price")
    verb.add_argument("--results", type=Path, default=Path("results"), help="folder of results")
    verb.add_argument("--rates", type=Path, default=Path("config/plan.yaml"), help="rates, prices")
    verb.add_argument("--json", type=Path, help="write the plan as JSON, job by job, too")
    verb.add_argument("options", nargs="*", metavar="-- OPTION", help="options for snakemake")
    verb.set_defaults(run=_plan)

    verb = verbs.add_parser("preflight", help="what a run needs, and whether it is there")
    verb.add_argument("--rates", type=Path, default=Path("config/plan.yaml"))
    verb.add_argument("--results", type=Path, default=Path("results"), help="folder of results")
    verb.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="cores that will work")
    verb.add_argument("--elsewhere", action="store_true", help="jobs run on other machines")
    verb.add_argument("options", nargs="*", metavar="-- OPTION", help="options for snakemake")
    verb.set_defaults(run=_preflight)

    add_pod_verbs(verbs)

    verb = verbs.add_parser("bisect", help="search the smallest protected set that is enough")
    verb.add_argument("experiment", help="name of a live experiment")
    verb.add_argument("--family", help="family of protected sets; else the experiment's first")
    verb.add_argument("options", nargs="*", metavar="-- OPTION", help="options for snakemake")
    verb.set_defaults(run=_bisect)

    verb = verbs.add_parser(
        "overview", help="write README.md of the results: what ran, at what cost"
    )
    verb.add_argument("results", type=Path, help="folder of results")
    verb.set_defaults(run=_overview)

    verb = verbs.add_parser("export", help="pack an experiment as a Workflow Run RO-Crate")
    verb.add_argument("experiment", help="name of the experiment")
    verb.add_argument("crate", type=Path, help="folder to make")
    verb.add_argument("--results", type=Path, default=Path("results"), help="folder of results")
    verb.add_argument("--prefix", help="s3:// prefix of the results (where they were mirrored)")
    verb.set_defaults(run=_export)

    verb = verbs.add_parser("mirror", help="copy what is finished to S3")
    verb.add_argument("results", type=Path, help="folder of results")
    verb.add_argument("prefix", help="s3://bucket/prefix")
    verb.set_defaults(run=_mirror)
    return parser


def _verify(arguments: argparse.Namespace) -> int:
    chain = read_chain(arguments.results)
    prefix = arguments.storage or mirrored_to(arguments.results)
    store = Store(prefix) if prefix else None
    result = verify(chain, render=not arguments.quick, store=store, full=arguments.full)
    for item in result.breaks:
        print(item)
    print(
        f"{result.hashed_files} artifacts hashed ({result.hashed_bytes / 1e6:.1f} MB), "
        f"{result.remote_files} on S3 ({result.remote_bytes / 1e6:.1f} MB), "
        f"{result.edges} inputs followed, {result.absent_temporary} temporary files on record, "
        f"{result.documents} documents read, {result.rendered} rendered again, "
        f"{len(result.breaks)} breaks",
        file=sys.stderr,
    )
    return 1 if result.breaks else 0


def _trace(arguments: argparse.Namespace) -> int:
    chain = read_chain(arguments.results)
    path = artifact_named(chain, arguments.artifact)
    if arguments.text:
        for number, cells in find_numbers(chain, path, arguments.text):
            print(f"{path}, line {number.line}: {number.text}")
            for cell in cells[:CELLS_SHOWN]:
                print(f"    {cell}")
            if not cells:
                print("    no cell of its tables shows as this number")
        print()
    print(chain_text(chain, path, every=arguments.all), end="")
    if arguments.picture:
        write_text(arguments.picture, chain_svg(chain, path))
    return 0


def _adopt(arguments: argparse.Namespace) -> int:
    graph = read_graph(arguments.options)
    storage = graph.config.get("storage")
    source = arguments.source or (storage["prefix"] if storage else None)
    if source:
        remote = {output.path for job in graph.jobs for output in job.outputs if output.remote}
        leave = {Path(path).relative_to(arguments.results).as_posix() for path in remote}
        copies = fetch_results(source, arguments.results, leave)
        print(f"{len(copies)} files copied from {source}", file=sys.stderr)
    chain = read_chain(arguments.results)
    adoption = judge(graph, chain)
    for job, found in adoption.stale:
        print(f"stale: {job.rule} {job.outputs[0].path}: {'; '.join(found)}")
    if not arguments.dry_run:
        adopt(adoption, graph, chain, arguments.options)
    print(
        f"{len(adoption.adopted)} jobs are up to date, {len(adoption.stale)} are stale, "
        f"{len(adoption.absent)} have no results here",
        file=sys.stderr,
    )
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    settings = read_plan_settings(arguments.rates)
    graph = read_graph(arguments.options)
    chain = read_chain(arguments.results, empty=True)
    plan = make_plan(graph, chain, settings, arguments.results)
    seconds = round(time.monotonic() - started, 1)
    print(plan_text(plan), end="")
    print(f"{plan.jobs_in_graph} jobs planned in {seconds} s")
    if arguments.json:
        write_json(arguments.json, plan.as_json() | {"planning_seconds": seconds})
    return 0


def _preflight(arguments: argparse.Namespace) -> int:
    graph = read_graph(arguments.options)
    jobs = [job for job in graph.jobs if job.runs]
    settings = read_plan_settings(arguments.rates)
    demands = demands_of(jobs, graph.config, settings, arguments.results, arguments.cores)
    storage = graph.config.get("storage") or {}
    report = preflight(
        demands, arguments.results, storage.get("prefix"), gpus_here=not arguments.elsewhere
    )
    print(report.text())
    return 1 if report.refusals else 0


def _bisect(arguments: argparse.Namespace) -> int:
    from goodhart_gap.bisect import bisect  # pandas is slow to import

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    options = arguments.options or ["--cores", "all"]
    steps = bisect(arguments.experiment, arguments.family, options, say)
    found = steps.iloc[-1]["smallest_enough"]
    print("no set of the family is enough" if found != found else f"smallest enough: {int(found)}")
    return 0


def _overview(arguments: argparse.Namespace) -> int:
    print(overview(arguments.results))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from goodhart_gap.provenance.crate import write_crate  # rocrate is slow to import

    chain = read_chain(arguments.results)
    prefix = arguments.prefix or mirrored_to(arguments.results)
    write_crate(chain, arguments.experiment, arguments.crate, workflow=Path(), prefix=prefix)
    return 0


def _mirror(arguments: argparse.Namespace) -> int:
    done = mirror(arguments.results, Store(arguments.prefix))
    print(
        f"{len(done.sent)} files copied to {arguments.prefix} ({done.sent_bytes / 1e6:.1f} MB), "
        f"{done.there} were there",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    main()
