"""How good the graders are: against the acceptance suite, and against labels made by reading.

For each grader, set and role: how many texts that must be rejected were accepted and the other way
round, sensitivity, specificity and Cohen's kappa with intervals. The suite is adversarial, so its
rates describe no population; the gold set is real responses, drawn in strata, so its rates are
weighted by how many responses of the pool each labelled one stands for.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.acceptance import Case, cases
from goodhart_gap.evaluation.graders import GRADERS, Grader, Role, concepts
from goodhart_gap.evaluation.tasks import Task
from goodhart_gap.evaluation.verdicts import Verdicts, judged
from goodhart_gap.settings import Settings

MINIMUM_KAPPA = 0.7
"""Gate: agreement with the labels beyond chance, at least."""

MINIMUM_RATE = 0.9
"""Gate: sensitivity and specificity, at least."""

MINIMUM_TASKS = 6
"""Gate: tasks with a response to accept, and with one to reject, at least. It is the fewest at
which the exact interval of a grader without an error lies above one half (0.025^(1/6) = 0.54)."""

SECOND_READER = "second reader"
"""In graders.csv: a grader that gives the second reader's labels. How well two readers agree is the
most that agreement with one of them can be asked to be."""

_RESAMPLES = 2000


class GoldResponse(Settings):
    """A real response, labelled by reading it."""

    task: str
    """Task it answers."""

    role: Role
    """Which of the task's prompts it answers."""

    condition: str
    """Model or condition it was sampled under; not shown to whoever labelled it."""

    seed: int
    """Base seed it was sampled with."""

    run: int
    """Run."""

    text: str
    """The whole response."""

    truncated: bool
    """Whether it was cut at the token limit."""

    label: bool
    """Whether it commits itself to the correct answer, or explains the procedure."""

    reason: str = Field(min_length=3)
    """Why."""

    second_label: bool | None = None
    """What a second reader said who saw neither the first one's labels nor any grader's."""

    second_reason: str | None = None
    """Why."""

    weight: float = Field(default=1.0, gt=0)
    """Number of responses of the pool it stands for."""


@dataclass(frozen=True)
class Verdict:
    """What a text deserves, what a grader gave, and how much it counts."""

    task: str
    kind: str
    text: str
    expected: bool
    given: bool
    weight: float = 1.0


def suite_verdicts(grader: Grader, tasks: Iterable[Task], role: Role) -> list[Verdict]:
    """Grade every case of the acceptance suite of `tasks` in one role."""

    def verdict(task: Task, case: Case) -> Verdict:
        given = grader(task, role, case.text, case.truncated)
        return Verdict(task.id, case.kind, case.text, case.accept, given)

    return [verdict(task, case) for task in tasks for case in cases(task) if case.role == role]


def gold_verdicts(
    grader: Grader, tasks: Mapping[str, Task], gold: Iterable[GoldResponse], role: Role
) -> list[Verdict]:
    """Grade every labelled response of one role; responses to unknown tasks are left out."""
    return [
        Verdict(
            row.task,
            row.reason,
            row.text,
            row.label,
            grader(tasks[row.task], role, row.text, row.truncated),
            row.weight,
        )
        for row in gold
        if row.role == role and row.task in tasks
    ]


def read_gold(rows: Iterable[Mapping[str, Any]]) -> list[GoldResponse]:
    """Validate labelled responses. Raises GoodhartError when one was labelled twice."""
    gold = [GoldResponse.model_validate(row) for row in rows]
    seen = set()
    for row in gold:
        key = (row.condition, row.seed, row.run, row.task, row.role)
        if key in seen:
            raise GoodhartError(f"gold set: {key} is labelled twice; remove one of the two.")
        seen.add(key)
    return gold


def summary(verdicts: Sequence[Verdict], confidence: float = 0.95) -> dict[str, Any]:
    """Return the row of graders.csv for a list of verdicts.

    Rates are weighted. Intervals are percentiles of a bootstrap that resamples tasks, since the
    texts of one task are not independent; they are empty where a rate is not defined. A sensitivity
    or specificity of 0 or 1 is the same in every resample, and has the exact interval with one draw
    a task instead; a kappa of 1 then reaches down to that of both at their lower ends.
    """
    must = [v for v in verdicts if v.expected]
    must_not = [v for v in verdicts if not v.expected]
    tasks = {
        "sensitivity": len({v.task for v in must}),
        "specificity": len({v.task for v in must_not}),
    }
    row: dict[str, Any] = {
        "n": len(verdicts),
        "to_accept": len(must),
        "wrongly_rejected": sum(not v.given for v in must),
        "to_reject": len(must_not),
        "wrongly_accepted": sum(v.given for v in must_not),
        "tasks_to_accept": tasks["sensitivity"],
        "tasks_to_reject": tasks["specificity"],
    }
    by_task: dict[str, np.ndarray] = {}
    for verdict in verdicts:
        table = by_task.setdefault(verdict.task, np.zeros(4))
        table[2 * verdict.expected + verdict.given] += verdict.weight
    tables = np.array(list(by_task.values())).reshape(-1, 4)
    whole = tables.sum(axis=0)
    estimates = rates(whole)
    generator = np.random.default_rng(0)
    resampled = [
        rates(tables[generator.integers(0, len(tables), len(tables))].sum(axis=0))
        for _ in range(_RESAMPLES if len(tables) > 1 else 0)
    ]
    tail = (1 - confidence) / 2
    lows: list[float] = []
    for place, name in enumerate(("sensitivity", "specificity", "kappa")):
        row[name] = _shown(estimates[place])
        values = [rate[place] for rate in resampled if not math.isnan(rate[place])]
        if name in tasks and estimates[place] in (0.0, 1.0):
            low, high = _exact_at_edge(estimates[place], tasks[name], tail)
        elif name == "kappa" and estimates[place] == 1:
            low, high = _kappa_at(whole, sensitivity=lows[0], specificity=lows[1]), 1.0
        else:
            low, high = np.quantile(values, [tail, 1 - tail]) if values else (math.nan, math.nan)
        lows.append(low)
        row[f"{name}_low"], row[f"{name}_high"] = _shown(low), _shown(high)
    return row


def _exact_at_edge(rate: float, draws: int, tail: float) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934) of a rate of 0 or 1 in `draws` draws."""
    reach = float(tail ** (1 / draws))
    return (reach, 1.0) if rate else (0.0, 1 - reach)


def _kappa_at(table: np.ndarray, *, sensitivity: float, specificity: float) -> float:
    """Kappa that a grader of these rates has on the labels of `table`."""
    to_reject, to_accept = float(table[:2].sum()), float(table[2:].sum())
    shares = (specificity, 1 - specificity, 1 - sensitivity, sensitivity)
    counts = (to_reject, to_reject, to_accept, to_accept)
    return rates(np.multiply(shares, counts))[2]


def rates(table: np.ndarray) -> tuple[float, float, float]:
    """Return sensitivity, specificity and kappa of the counts (TN, FP, FN, TP); NaN if undefined.

    Cohen (1960), "A coefficient of agreement for nominal scales".
    """
    tn, fp, fn, tp = map(float, table)
    total = tn + fp + fn + tp
    sensitivity = tp / (tp + fn) if tp + fn else math.nan
    specificity = tn / (tn + fp) if tn + fp else math.nan
    by_chance = ((tp + fn) * (tp + fp) + (tn + fp) * (tn + fn)) / total**2 if total else math.nan
    kappa = ((tp + tn) / total - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan
    return sensitivity, specificity, kappa


def judge_grader(stored: Verdicts) -> Grader:
    """Ours with a judge model for explanations, by its stored verdicts."""

    def grader(task: Task, role: Role, text: str, truncated: bool) -> bool:
        if role == "execution":
            return concepts(task, role, text, truncated)
        return task.rubric is not None and (
            judged(task, text, truncated, stored).status == "explained"
        )

    return grader


def reader_verdicts(gold: Iterable[GoldResponse], role: Role) -> list[Verdict]:
    """Return the second reader's labels of one role beside the first one's."""
    return [
        Verdict(row.task, row.reason, row.text, row.label, row.second_label, row.weight)
        for row in gold
        if row.role == role and row.second_label is not None
    ]


Graded = tuple[str, str, Role, list[Verdict]]
"""Name of the grader, set, role, and what it gave. Sets: `suite`, `gold`, and `agreed`, the part of
`gold` whose two readers agree."""


def grade_all(
    tasks: Mapping[str, Task], gold: Sequence[GoldResponse], stored: Verdicts | None = None
) -> Iterator[Graded]:
    """Yield every grader's verdicts on the suite and on the gold set, by role.

    A judge is known by its `stored` verdicts on the gold set, and on no case of the suite. The
    second reader comes last.
    """
    agreed = [row for row in gold if row.second_label == row.label]
    graders = dict(GRADERS)
    if stored is not None:
        graders["judge"] = judge_grader(stored)
    roles: tuple[Role, Role] = ("execution", "explanation")
    for name, grader in graders.items():
        for role in roles:
            if name != "judge" or role == "execution":
                yield name, "suite", role, suite_verdicts(grader, tasks.values(), role)
            yield name, "gold", role, gold_verdicts(grader, tasks, gold, role)
            yield name, "agreed", role, gold_verdicts(grader, tasks, agreed, role)
    for role in roles:
        yield SECOND_READER, "gold", role, reader_verdicts(gold, role)


def validate(
    tasks: Mapping[str, Task], gold: Sequence[GoldResponse], stored: Verdicts | None = None
) -> list[dict[str, Any]]:
    """Return the rows of graders.csv: every grader on every set, by role, and the second reader."""
    return graded_rows(grade_all(tasks, gold, stored))


def graded_rows(graded: Iterable[Graded]) -> list[dict[str, Any]]:
    """Return the rows of graders.csv for what the graders gave."""
    return [
        {"grader": name, "set": where, "role": role} | summary(verdicts)
        for name, where, role, verdicts in graded
        if verdicts
    ]


def gate_shortfalls(rows: Iterable[Mapping[str, Any]], grader: str = "concepts") -> list[str]:
    """Return in words where `grader` misses its gate; an empty list lets a verdict be printed.

    The gate: nothing wrong on the suite; on the gold set labels of either kind from enough tasks,
    and kappa, sensitivity and specificity not below their minimum, in both roles.
    """
    ours = [row for row in rows if row["grader"] == grader]
    found = []
    for role in ("execution", "explanation"):
        mine = {row["set"]: row for row in ours if row["role"] == role}
        if "suite" in mine:
            wrong = int(mine["suite"]["wrongly_accepted"]) + int(mine["suite"]["wrongly_rejected"])
            if wrong:
                found.append(f"{role}: {wrong} of {mine['suite']['n']} cases of the suite wrong")
        if "gold" not in mine:
            found.append(f"{role}: no labelled responses")
            continue
        for kind in ("accept", "reject"):
            count = int(mine["gold"][f"tasks_to_{kind}"])
            if count < MINIMUM_TASKS:
                found.append(
                    f"{role}: tasks with a response to {kind}: {count}, fewer than {MINIMUM_TASKS}"
                )
        for name, least in (
            ("kappa", MINIMUM_KAPPA),
            ("sensitivity", MINIMUM_RATE),
            ("specificity", MINIMUM_RATE),
        ):
            value = mine["gold"][name]
            if value in ("", None):
                found.append(f"{role}: {name} is undefined")
            elif float(value) < least:
                found.append(f"{role}: {name} {value} is below {least}")
    return found


def corrected_rate(apparent: float, sensitivity: float, specificity: float) -> float:
    """Return the rate corrected for a grader's errors; NaN for a useless grader.

    It is not clipped: outside [0, 1] no true rate gives the apparent one with these errors.
    Rogan and Gladen (1978): (apparent + specificity - 1) / (sensitivity + specificity - 1).
    """
    power = sensitivity + specificity - 1
    if power <= 0:
        return math.nan
    return (apparent + specificity - 1) / power


def _shown(value: float) -> float | str:
    return "" if math.isnan(value) else round(float(value), 4)
