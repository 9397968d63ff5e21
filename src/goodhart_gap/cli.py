"""The command line tool: everything about the workflow that is not a Snakemake target.

    goodhart-gap --help

Verbs stand in `goodhart_gap.commands`, each with its explanation and an example. Nothing heavy is
imported before a verb needs it.
"""

import sys

import typer
from dotenv import load_dotenv

from goodhart_gap.commands import planning, provenance, results
from goodhart_gap.commands.chat import chat
from goodhart_gap.commands.new import new
from goodhart_gap.commands.pod import pods
from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.redaction import redact_streams

SEE, CHANGE, RUN, TRUST = "See results", "Change the experiment", "Run it", "Trust it"
"""Headings of the help, in the order they are shown."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # Tracebacks stay plain: their lines pass the mask for secrets like all others.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def overall() -> None:
    """Does compressing a model change what it can do compared with what it can explain?

    The experiment itself is run by snakemake: `snakemake --cores all` makes what is missing, and
    `snakemake -n` says what that would be. This command does the rest. Each verb explains itself:

        goodhart-gap show --help
    """


app.command(rich_help_panel=SEE)(results.show)
app.command(rich_help_panel=SEE)(chat)
app.command(rich_help_panel=SEE)(results.overview)
app.add_typer(new, name="new", rich_help_panel=CHANGE)
app.command(rich_help_panel=RUN)(planning.plan)
app.command(rich_help_panel=RUN)(planning.preflight)
app.command(rich_help_panel=RUN)(planning.bisect)
app.add_typer(pods, name="pod", rich_help_panel=RUN)
app.command(rich_help_panel=TRUST)(provenance.verify)
# A number with a sign is no option.
app.command(rich_help_panel=TRUST, context_settings={"ignore_unknown_options": True})(
    provenance.trace
)
app.command(rich_help_panel=TRUST)(provenance.adopt)
app.command(rich_help_panel=TRUST)(provenance.export)
app.command(rich_help_panel=TRUST)(provenance.mirror)


def main() -> None:
    """Run the command line tool; exits with 1 on a mistake or a break.

    Secrets come from the environment or from `.env` of this folder, as in the workflow.
    """
    # What `.env` holds is masked, too: the mask asks the environment when something is printed.
    load_dotenv(".env")
    redact_streams()
    try:
        app(prog_name="goodhart-gap")
    except GoodhartError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
