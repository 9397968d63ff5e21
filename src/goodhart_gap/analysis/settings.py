"""Settings of the statistics, and the facts about an experiment that its documents state."""

from typing import Literal

from pydantic import Field

from goodhart_gap.settings import Settings

EstimandName = Literal[
    "dbdk",
    "gap_rate",
    "understands",
    "executes",
    "dissociation",
    "understands_both_executed",
]


class Design(Settings):
    """An experiment's size, for the power simulation."""

    tasks: int = Field(gt=1)
    """Number of tasks, the independent units."""

    runs: int = Field(gt=0)
    """Runs a task."""


class StatisticsSettings(Settings):
    """Choices that must be made before the data are seen."""

    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""

    equivalence_margin: float = Field(default=0.05, gt=0, lt=1)
    """Two rates closer than this (as a share, not in percent) count as equivalent."""

    bootstrap_resamples: int = Field(default=2000, gt=0)
    """Resamples of the cluster bootstrap."""

    permutations: int = Field(default=9999, gt=0)
    """Random label swaps of the permutation test, where enumerating all of them is too much."""

    seed: int = 42
    """Seed of bootstrap, permutations and power simulation."""

    primary: tuple[EstimandName, ...] = ("dbdk", "dissociation")
    """Estimands whose p values are adjusted together (Holm), over all conditions."""

    minimum_clusters: int = Field(default=30, gt=1)
    """A verdict is refused with fewer independent tasks than this."""

    minimum_pairs: int = Field(default=30, gt=0)
    """A conditional rate that rests on fewer evaluations than this is called out as thin."""

    floor_rate: float = Field(default=0.2, gt=0, lt=1)
    """A baseline rate under this leaves compression little to take away, and documents say so."""

    truncation_alarm: float = Field(default=0.1, ge=0, lt=1)
    """A share of cut (or unreadable) responses over this is called out in documents."""

    power_target: float = Field(default=0.8, gt=0, lt=1)
    """Power at which an effect counts as detectable."""

    power_changes: tuple[float, ...] = (0.03, 0.05)
    """Changes in understanding (as shares) whose detection is simulated."""

    power_designs: tuple[Design, ...] = (
        Design(tasks=20, runs=5),
        Design(tasks=20, runs=25),
        Design(tasks=100, runs=5),
        Design(tasks=500, runs=1),
    )
    """Designs compared by the power simulation."""

    power_simulations: int = Field(default=1000, gt=0)
    """Simulated experiments a design and change."""


class ExperimentDesign(Settings):
    """What the statistics need to know about an experiment."""

    baseline: str
    """The condition every other one is compared with."""

    conditions: tuple[str, ...] = Field(min_length=1)
    """Names of all conditions, in the order they are shown."""

    runs: int = Field(gt=0)
    """Runs a task, condition and seed."""

    seeds: tuple[int, ...] = Field(min_length=1)
    """Base seeds."""

    grader_gate: Literal["passed", "failed", "not measured"] = "not measured"
    """Whether the graders reached the accuracy required of them on labelled responses."""

    @property
    def compared(self) -> list[str]:
        """Names of the conditions compared with the baseline, in order."""
        return [name for name in self.conditions if name != self.baseline]


def level_for(estimand: str, design: ExperimentDesign, settings: StatisticsSettings) -> float:
    """Return the level at which a change of `estimand` is tested.

    For a primary estimand it is the level over the number of primary comparisons, the strictest
    that Holm's procedure asks of any of them, so that the power is a lower bound.
    """
    alpha = 1 - settings.confidence
    if estimand not in settings.primary:
        return alpha
    return alpha / (len(settings.primary) * len(design.compared))


class AuditDesigns(Settings):
    """The recorded experiments an audit goes through."""

    experiments: dict[str, ExperimentDesign]
    """Their designs, by name."""


class AuditStatistics(Settings):
    """How the recorded experiments an audit goes through are analysed."""

    experiments: dict[str, StatisticsSettings]
    """Each one's own settings, by name."""


class ExperimentFacts(ExperimentDesign):
    """What the documents say about an experiment, all of it from the config."""

    experiment: str
    """The experiment's key in the config."""

    description: str = ""
    """One line about it."""

    source: Literal["live", "record"] = "live"
    """`live`: sampled here; `record`: entered as a table of published outcomes."""

    model: str
    """The model's key in the config (or its published name)."""

    descriptions: dict[str, str] = Field(default_factory=dict)
    """One line a condition about what was done to the model."""

    temperature: float | None = Field(default=None, ge=0)
    """Sampling temperature; leave out where it is not known."""

    top_p: float | None = None
    """Nucleus; leave out where it is not known."""

    max_new_tokens: int | None = None
    """Length at which a response was cut; leave out where it is not known."""

    grader: str
    """How responses were graded."""

    pilot: str | None = None
    """An earlier experiment shown beside this one."""

    record: str | None = None
    """The facts table a recorded experiment was read from."""
