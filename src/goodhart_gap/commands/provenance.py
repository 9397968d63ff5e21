"""`verify`, `trace`, `adopt`, `export` and `mirror`: what results are made of, and moving them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from goodhart_gap.commands.arguments import (
    RESULTS,
    Experiment,
    Results,
    ResultsFolder,
    SnakemakeOptions,
)

CELLS_SHOWN = 3
"""Cells printed for a number that several cells would show as."""


def verify(
    results: ResultsFolder,
    quick: Annotated[bool, typer.Option("--quick", help="Render no document again.")] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="S3_PREFIX",
            help="Where large files lie; else where they were mirrored to.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read every byte on S3, too.")] = False,
) -> None:
    """Hash everything again, and name each break.

    Every artifact has a manifest with the hashes of what it was made from. This reads them all,
    hashes every file again, follows every input, renders every document anew and compares it byte
    for byte. Each break is a line; the exit status is 1 where there is one.

    **Example**

        goodhart-gap verify results
    """
    from goodhart_gap.provenance.chain import read_chain
    from goodhart_gap.provenance.mirror import mirrored_to
    from goodhart_gap.provenance.verify import verify as check
    from goodhart_gap.storage.store import Store

    chain = read_chain(results)
    prefix = storage or mirrored_to(results)
    store = Store(prefix) if prefix else None
    result = check(chain, render=not quick, store=store, full=full)
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
    raise typer.Exit(1 if result.breaks else 0)


def trace(
    artifact: Annotated[
        Path,
        typer.Argument(help="Document, table or any other artifact.", show_default=False),
    ],
    text: Annotated[
        str | None,
        typer.Argument(help="A number or words, as the document prints them.", show_default=False),
    ] = None,
    results: Results = RESULTS,
    picture: Annotated[
        Path | None,
        typer.Option(help="Write the chain as a picture (SVG), too.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every file of the chain.")] = False,
) -> None:
    """Go from a number in a document back to what made it.

    Prints the line that holds the number, the table cells that show as it, and the chain of steps
    behind the document down to its sources. The head of a column stands for all of its numbers.

    **Example**

        goodhart-gap trace results/smollm2-n100/ANALYSIS.md DBDK
        goodhart-gap trace results/published-n100/ANALYSIS.md "35.8 %" --picture chain.svg
    """
    from goodhart_gap.files import write_text
    from goodhart_gap.provenance.chain import read_chain
    from goodhart_gap.provenance.picture import chain_svg
    from goodhart_gap.provenance.trace import artifact_named, chain_text, find_numbers

    if text is not None and text.startswith("--"):
        raise typer.BadParameter(f"no such option: {text}")
    chain = read_chain(results)
    path = artifact_named(chain, artifact)
    if text:
        for number, cells in find_numbers(chain, path, text):
            print(f"{path}, line {number.line}: {number.text}")
            for cell in cells[:CELLS_SHOWN]:
                print(f"    {cell}")
            if not cells:
                print("    no cell of its tables shows as this number")
        print()
    print(chain_text(chain, path, every=every), end="")
    if picture:
        write_text(picture, chain_svg(chain, path))


def adopt(
    results: ResultsFolder,
    options: SnakemakeOptions = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="First copy what is missing from this folder or s3:// prefix; "
            "else from the storage, if any.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Judge, but record nothing.")
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="That nothing is there yet is no error.")
    ] = False,
) -> None:
    """Mark results that are still true as up to date.

    Snakemake knows what it made itself. Results that came from elsewhere (a colleague, a mirror,
    another clone) are judged by content: inputs, settings and code of each job against its
    manifest. What still holds is not made again; what does not is named with the reason.

    **Example**

        goodhart-gap adopt results --source s3://bucket/run
    """
    from goodhart_gap.provenance.adopt import adopt as record
    from goodhart_gap.provenance.adopt import judge
    from goodhart_gap.provenance.chain import read_chain
    from goodhart_gap.provenance.fetch import fetch_results
    from goodhart_gap.provenance.graph import read_graph

    graph = read_graph(options or [])
    storage = graph.config.get("storage")
    source = source or (storage["prefix"] if storage else None)
    if source:
        remote = {output.path for job in graph.jobs for output in job.outputs if output.remote}
        leave = {Path(path).relative_to(results).as_posix() for path in remote}
        copies = fetch_results(source, results, leave, empty=empty)
        print(f"{len(copies)} files copied from {source}", file=sys.stderr)
    chain = read_chain(results, empty=empty)
    adoption = judge(graph, chain)
    for job, found in adoption.stale:
        print(f"stale: {job.rule} {job.outputs[0].path}: {'; '.join(found)}")
    if not dry_run:
        record(adoption, graph, chain, options or [])
    print(
        f"{len(adoption.adopted)} jobs are up to date, {len(adoption.stale)} are stale, "
        f"{len(adoption.absent)} have no results here",
        file=sys.stderr,
    )


def export(
    experiment: Experiment,
    crate: Annotated[Path, typer.Argument(help="Folder to make.", show_default=False)],
    results: Results = RESULTS,
    prefix: Annotated[
        str | None,
        typer.Option(
            help="s3:// prefix of the results; else where they were mirrored to.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Pack an experiment as a Workflow Run RO-Crate.

    The crate holds documents, tables, figures and manifests of one experiment, the workflow that
    made them and the record of every job, in the form archives understand. Weights are named by
    hash and place, not copied.

    **Example**

        goodhart-gap export smollm2-n100 crate
    """
    from goodhart_gap.provenance.chain import read_chain
    from goodhart_gap.provenance.crate import write_crate
    from goodhart_gap.provenance.mirror import mirrored_to

    chain = read_chain(results)
    write_crate(chain, experiment, crate, workflow=Path(), prefix=prefix or mirrored_to(results))


def mirror(
    results: ResultsFolder,
    prefix: Annotated[str, typer.Argument(help="s3://bucket/prefix", show_default=False)],
) -> None:
    """Copy what is finished to S3.

    Files that are there already with the right bytes are not sent again, so it can be repeated at
    any time, also during a run.

    **Example**

        goodhart-gap mirror results s3://bucket/run
    """
    from goodhart_gap.provenance.mirror import mirror as copy
    from goodhart_gap.storage.store import Store

    done = copy(results, Store(prefix))
    print(
        f"{len(done.sent)} files copied to {prefix} ({done.sent_bytes / 1e6:.1f} MB), "
        f"{done.there} were there",
        file=sys.stderr,
    )
