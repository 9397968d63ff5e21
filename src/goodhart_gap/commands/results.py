"""`show` and `overview`: what came out."""

from goodhart_gap.commands.arguments import RESULTS, Experiment, Results, ResultsFolder


def show(experiment: Experiment, results: Results = RESULTS) -> None:
    """Show what an experiment found, in the terminal.

    Reads nothing but the experiment's tables: for each condition the quadrants (KD knows and does,
    KF knows but fails, DK does but doesn't know, NN neither) and the rates with their intervals,
    then the change against the baseline with its verdict, or why there is none, and where the
    documents are. Piped into a file it has no colours.

    **Example**

        goodhart-gap show smollm2-n100
    """
    from rich.console import Console

    from goodhart_gap.commands.headline import headline, read_tables

    tables = read_tables(results / experiment)
    console = Console(highlight=False)
    for part in headline(experiment, results / experiment, tables):
        console.print(part)


def overview(results: ResultsFolder) -> None:
    """Write README.md of the results: what ran, at what cost, what came out.

    One row an experiment, with its documents, from the tables and manifests that are there.

    **Example**

        goodhart-gap overview results
    """
    from goodhart_gap.overview import overview as write

    print(write(results))
