"""What every stage shares: the validated configuration, wildcards, and slices of settings."""

import shlex
import sys
from pathlib import Path

from dotenv import load_dotenv
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from goodhart_gap.config.load import load_config, task_file
from goodhart_gap.config.schema import LiveExperiment, RecordedExperiment
from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.shards import SHARD_PATTERN, block_shard_names, shard_names
from goodhart_gap.provenance.code_digest import code_digest

# Secrets come from the environment or from .env, and reach jobs through their environment only.
load_dotenv(".env")

try:
    CONFIG = load_config(config, workflow.configfiles)
except GoodhartError as error:
    # One sentence and nothing else: a WorkflowError would print a traceback around it.
    sys.exit(f"error: {error}")

# Resources and plans read the plain dictionary: it knows the members of families, too.
config["conditions"] = {
    name: each.model_dump(mode="json", exclude_none=True)
    for name, each in CONFIG.conditions.items()
}

# Threads that wait by spinning for long make jobs that share cores many times slower; threads that
# never spin make the small products of sampling slower. Outside conda, jobs use the interpreter of
# this workflow, whether or not its environment is activated.
SOURCES = shlex.quote(f"{workflow.basedir}/src")
PREFIX = f"set -euo pipefail; export GOMP_SPINCOUNT=5000 PYTHONPATH={SOURCES}; "
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)

RESULTS = CONFIG.pathvars.results

# Large files may live on S3 (`storage:`); everything else is an ordinary file in any case.
if CONFIG.storage:
    from goodhart_gap.provenance.storage_plugin import register

    register()

    storage:
        provider="goodhart",
        prefix=CONFIG.storage.prefix,
        results=RESULTS,
        patience_s=CONFIG.storage.patience_s,


wildcard_constraints:
    model="[A-Za-z0-9][A-Za-z0-9.-]*",
    condition="[A-Za-z0-9][A-Za-z0-9.-]*",
    experiment="[A-Za-z0-9][A-Za-z0-9.-]*",
    shard=SHARD_PATTERN,
    seed=r"\d+",
    run=r"\d+",
    first=r"\d+",
    last=r"\d+",


def large(path, temporary=False):
    """A large file below `<results>/`: on S3 where a storage is configured, else on disk.

    Rules, commands and manifests know it by the same path in both cases.
    """
    if not CONFIG.storage:
        return temp(path) if temporary else path
    query = f"{CONFIG.storage.prefix}/{path.removeprefix('<results>/')}"
    # temp() refuses what is in a storage already, but a flag that is there first is kept.
    return storage.goodhart(temp(query) if temporary else query)


def travelling(path, temporary=False):
    """A large file that only some jobs of the calibration read: on S3 where they share no disk."""
    if CONFIG.storage and CONFIG.storage.hessians:
        return large(path, temporary)
    return temp(path) if temporary else path


def model_of(wildcards):
    """The model config that is worked on: named by {model}, or the model of {experiment}."""
    name = wildcards.model if hasattr(wildcards, "model") else experiment_of(wildcards).model
    return CONFIG.models[name]


def experiment_of(wildcards):
    """The experiment config of {experiment}."""
    return CONFIG.experiments[wildcards.experiment]


def model_settings(wildcards):
    """JSON of ModelSettings; of the model's config, fetching depends on nothing else."""
    return model_of(wildcards).model_dump_json(include=set(ModelSettings.model_fields))


def calibration_settings(wildcards):
    """JSON of CalibrationSettings; whether files are kept does not change what is in them."""
    return model_of(wildcards).calibration.model_dump_json(exclude={"keep_hessians"})


def condition_settings(wildcards):
    """JSON of ConditionSettings."""
    return CONFIG.conditions[wildcards.condition].model_dump_json()


def sampling_settings(wildcards):
    """JSON of SamplingSettings."""
    return experiment_of(wildcards).sampling.model_dump_json()


def grading_settings(wildcards):
    """JSON of GradingSettings."""
    return experiment_of(wildcards).grading.model_dump_json()


def statistics_settings(wildcards):
    """JSON of StatisticsSettings."""
    return experiment_of(wildcards).statistics.model_dump_json()


def model_shards(wildcards):
    """Names of the model's shards, embeddings first."""
    model = model_of(wildcards)
    return shard_names(model.blocks, model.blocks_per_shard)


def block_shards(wildcards):
    """Names of the model's block shards, in the order data flows through them."""
    model = model_of(wildcards)
    return block_shard_names(model.blocks, model.blocks_per_shard)


def is_compressed(condition):
    """Whether a condition compresses anything, or reuses what is; the baseline does not."""
    settings = CONFIG.conditions[condition]
    return settings.compresses or settings.reuse is not None


def live_experiment(wildcards):
    """Whether {experiment} samples responses here, as opposed to reading a record."""
    return isinstance(experiment_of(wildcards), LiveExperiment)
