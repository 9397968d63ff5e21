"""The whole configuration as one validated, immutable object."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from goodhart_gap.analysis.settings import StatisticsSettings
from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.config.families import ConditionFamily
from goodhart_gap.evaluation.settings import GradingSettings, SamplingSettings
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.operations.settings import OperationsSettings
from goodhart_gap.provenance.settings import ModelSizes
from goodhart_gap.runtime.settings import ProfileSettings
from goodhart_gap.settings import Settings
from goodhart_gap.storage.settings import StorageSettings

# Names become folder names and wildcards, so they hold nothing a path or a shell would read.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")]


class ModelConfig(ModelSettings):
    """A base model, and how it is calibrated."""

    calibration: CalibrationSettings = CalibrationSettings()
    """What the model is shown while Hessians are accumulated."""

    profile: ProfileSettings = ProfileSettings()
    """How the sensitivity of its blocks is measured."""

    sizes: ModelSizes | None = None
    """Sizes of the model: what plan, preflight and the resources of jobs count with before its
    config.json has been fetched. Leave out for a model that fits a laptop."""

    sensitivity_tokens: int = Field(default=512, gt=0)
    """Held-out calibration tokens on which conditions under a budget measure what each block costs
    the model's output: as many whole sequences as fit, at least one."""

    gpus: bool = False
    """Run forward passes (self-calibration, Hessians, sampling, judging, sensitivity) on GPUs:
    their jobs then ask for as many as the model needs. Needs `sizes`."""

    @model_validator(mode="after")
    def _sizes_of_what_runs_on_gpus(self) -> "ModelConfig":
        """How many GPUs a job asks for follows from the sizes; without them it would be none."""
        if self.gpus and self.sizes is None:
            raise ValueError("gpus: true needs `sizes`, from which the number of GPUs follows")
        return self


class Design(Settings):
    """What a live and a recorded experiment have in common."""

    description: str = ""
    """One line about the experiment, for its documents."""

    pilot: Name | None = None
    """An earlier experiment whose rates the analysis shows beside its own."""

    conditions: tuple[Name, ...] = Field(min_length=1)
    """The conditions compared, in the order tables show them."""

    baseline: Name
    """The condition that the others are compared with."""

    runs: int = Field(gt=0)
    """Stochastic runs of every task and seed."""

    seeds: tuple[int, ...] = Field(default=(42,), min_length=1)
    """Base seeds; every seed is a whole replication of all runs."""

    statistics: StatisticsSettings = StatisticsSettings()
    """Choices that must be made before the data are seen."""


class LiveExperiment(Design):
    """An experiment whose responses are sampled here."""

    source: Literal["live"]
    """`live`: responses are sampled from a model."""

    model: Name
    """A model of the `models` section."""

    tasks: str
    """A task set: the name of a file in `config/tasks/`, without `.yaml`, or a path."""

    runs_per_job: int = Field(default=5, gt=0)
    """Runs sampled in one job; raising `runs` by whole jobs reruns nothing that is finished."""

    sampling: SamplingSettings = SamplingSettings()
    """How a response is drawn from the model."""

    grading: GradingSettings = GradingSettings()
    """How a response is judged."""


class RecordedExperiment(Design):
    """A published experiment that enters as outcomes."""

    source: Literal["record"]
    """`record`: outcomes are read from a table of facts."""

    model: str
    """Name of the model the record is about; nothing is loaded."""

    record: str
    """Path of the table of facts (CSV)."""

    temperature: float | None = Field(default=None, ge=0)
    """Sampling temperature of the record; leave out where it was not published."""

    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus of the record; leave out where it was not published."""

    max_new_tokens: int | None = Field(default=None, gt=0)
    """Length limit of the record's responses; leave out where it was not published."""


Experiment = Annotated[LiveExperiment | RecordedExperiment, Field(discriminator="source")]


class Sweeps(Settings):
    """The experiments that answer which blocks and how many bits: all of them live."""

    sensitivity: tuple[Name, ...] = ()
    """What `snakemake sensitivity` builds: SENSITIVITY.md of each. The blocks profiled are those of
    the first condition that compresses; a family with `only` adds task outcomes."""

    ablation: tuple[Name, ...] = ()
    """What `snakemake ablation` builds: ABLATION.md of each."""

    bits: tuple[Name, ...] = ()
    """What `snakemake bits` builds: BITS.md of each."""


class PathVars(Settings):
    """Folders that files go to (Snakemake path variables)."""

    results: str = "results"
    """What the workflow makes."""

    logs: str = "logs"
    """Logs of jobs, and of the watch during a run."""

    benchmarks: str = "logs/benchmarks"
    """What jobs cost, as Snakemake measures it."""


class Config(Settings):
    """The configuration of the workflow."""

    build: tuple[Name, ...] = Field(min_length=1)
    """The experiments that a plain `snakemake` builds."""

    models: dict[Name, ModelConfig] = Field(default_factory=dict)
    """Base models by name."""

    conditions: dict[Name, ConditionSettings] = Field(default_factory=dict)
    """Conditions by name; every model can be compressed under every condition."""

    condition_families: dict[Name, ConditionFamily] = Field(default_factory=dict)
    """Families of conditions by name: each stands for the conditions `{name}-{entry}`, and for all
    of them in the `conditions` of an experiment."""

    experiments: dict[Name, Experiment] = Field(default_factory=dict)
    """Experiments by name."""

    sweeps: Sweeps = Sweeps()
    """Experiments that are sweeps over blocks and bits, built on request."""

    storage: StorageSettings | None = None
    """Keep base and compressed shards on S3; without this key everything stays on disk."""

    operations: OperationsSettings = OperationsSettings()
    """Checks before a run, and the watch during it."""

    pathvars: PathVars = PathVars()
    """Where files go."""
