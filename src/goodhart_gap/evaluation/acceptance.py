"""The acceptance suite: what a grader must reject and must accept, generated from a task's data.

Every task gets its own cases, so a task whose rubric can never be passed, or whose answer passes by
echo, is found before a model is run on it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from goodhart_gap.evaluation.answers import shown
from goodhart_gap.evaluation.patterns import words_of
from goodhart_gap.evaluation.quantities import clock_times
from goodhart_gap.evaluation.tasks import (
    Answer,
    ChoiceAnswer,
    DurationAnswer,
    NumberAnswer,
    OrderingAnswer,
    SetAnswer,
    Task,
    TimeAnswer,
)
from goodhart_gap.evaluation.text import words

REFUSALS = (
    "I'm sorry, but I cannot help with that.",
    "There is not enough information to answer this question.",
    "As an AI language model, I am unable to determine this.",
)

FILLER = (
    " I hope this helps! Let me know if you have any other questions.",
    " It is always a good idea to check your work at the end.",
)

_SPELLED = {
    str(value): word
    for value, word in enumerate(words("one two three four five six seven eight nine ten"), start=1)
}


@dataclass(frozen=True)
class Case:
    """A text, and whether a grader must accept it."""

    task: str
    role: Literal["execution", "explanation"]
    kind: str
    text: str
    accept: bool
    truncated: bool = False


def cases(task: Task) -> list[Case]:
    """Return all cases of a task, for both roles."""
    found = [*_execution(task)]
    if task.rubric is not None:
        found += _explanation(task)
    return list(dict.fromkeys(found))


def _execution(task: Task) -> Iterator[Case]:
    def case(kind: str, text: str, accept: bool, truncated: bool = False) -> Case:
        return Case(task.id, "execution", kind, text, accept, truncated)

    right = plain(task.answer)
    for text in ("", "  \n"):
        yield case("empty", text, False)
    for text in REFUSALS:
        yield case("refusal", text, False)
        yield case("refusal", f"{text} It might be {right}, but nobody can say.", False)
    yield case("prompt echoed", task.execution_prompt, False)
    values = [*task.operands, *task.intermediates, right]
    yield case("keyword dump", ", ".join(values), len(set(values)) < 2)
    for text in (
        f"Answer: not {right}",
        f"The answer is not {right}.",
        f"It is definitely not {right}.",
    ):
        yield case("negated answer", text, False)
    for value in task.operands:
        yield case("operand", f"Answer: {value}", False)
        yield case("operand", value, False)
        yield case("operand", f"Answer: ${value}$", False)
    for value in task.intermediates:
        yield case("intermediate value", f"Answer: {value}", False)
        yield case("intermediate value", f"So we get {value}.", False)
    for value in [*task.operands, *task.intermediates][:2]:
        yield case("undecided", f"Answer: {right} or {value}", False)
    if isinstance(task.answer, NumberAnswer) and task.answer.unit == "degree_Celsius":
        yield case("other scale", f"\\boxed{{{right}^\\circ\\text{{F}}}}", False)
    if isinstance(task.answer, NumberAnswer) and task.answer.unit not in ("dollar", None):
        yield case("other unit", f"Answer: ${right}", False)
    if isinstance(task.answer, TimeAnswer):
        yield case("wrong AM or PM", f"Answer: {_other_half(task.answer.value)}", False)
    yield case("cut before the answer", f"Let us see. {task.execution_prompt}", False, True)
    if task.intermediates:
        cut = f"First we get {task.intermediates[0]}. From this it follows that"
        yield case("cut before the answer", cut, False, True)
    for text in surface_forms(task.answer):
        yield case("surface form", text, True)
        yield case("surface form, filler after it", text + "\n" + FILLER[0].strip(), True)
    for wrong in [*task.operands, *task.intermediates][:2]:
        yield from _corrected(task, right, wrong)
        # Values of another kind are no second answer: a time beside a number of minutes.
        if wrong.endswith("M") == right.endswith("M") and (":" in wrong) <= right.endswith("M"):
            yield from _several(task, right, wrong)
    yield from _misleading(task, right)
    working = "".join(f"Then we have {value}. " for value in task.intermediates)
    yield case("working, then the answer", f"{working}\nAnswer: {right}", True)
    yield case("answer, then cut", f"{working}\nAnswer: {right}\n\nTo see why, note", True, True)


def _corrected(task: Task, right: str, wrong: str) -> Iterator[Case]:
    """Yield answers that are taken back: what stands in the end counts."""

    def case(text: str, accept: bool, truncated: bool = False) -> Case:
        return Case(task.id, "execution", "answer taken back", text, accept, truncated)

    takes_back = "Wait, that is wrong. I made a mistake."
    yield case(f"Answer: {right}\n\n{takes_back}", False)
    yield case(f"Answer: {right}\n\n{takes_back} The answer should", False, True)
    for first, last in ((right, wrong), (wrong, right)):
        accept = last == right
        yield case(f"Answer: {first}\n\n{takes_back}\n\nAnswer: {last}", accept)
        yield case(f"\\boxed{{{first}}} No wait. I made a mistake.\n\nAnswer: {last}", accept)
        yield case(f"Answer: {first}\n\nHence \\boxed{{{last}}}", accept)
        if not isinstance(task.answer, OrderingAnswer | SetAnswer):
            yield case(f"Answer: {first}\n\nActually, it is {last}.", accept)
            yield case(f"Answer: {first}\n\nWait, that is wrong; it is {last}.", accept)


def _several(task: Task, right: str, wrong: str) -> Iterator[Case]:
    """Yield two values where one is asked for, and one that is led up to by another."""

    def case(kind: str, text: str, accept: bool) -> Case:
        return Case(task.id, "execution", kind, text, accept)

    match task.answer:
        case NumberAnswer() | DurationAnswer():
            for first, second in ((right, wrong), (wrong, right)):
                yield case("range", f"Answer: between {first} and {second}", False)
                yield case("range", f"Answer: {first} to {second}", False)
                yield case("range", f"Answer: {first}-{second}", False)
                yield case("several values", f"Answer: {first}, {second}", False)
                yield case("several values", f"Answer: {first} and {second}", False)
            if isinstance(task.answer, NumberAnswer):
                led = f"Answer: After the first step of {wrong} you get {right}."
                yield case("led up to", led, True)
                led = f"Answer: After the first step of {right} you get {wrong}."
                yield case("led up to", led, False)
        case TimeAnswer():
            yield case("several values", f"Answer: {right}, {wrong}", False)
            for first, second in ((right, wrong), (wrong, right)):
                led = f"Answer: On leaving at {first} the end is at {second}."
                yield case("led up to", led, second == right)
        case ChoiceAnswer():
            yield case("several values", f"Answer: {right}, {wrong}", False)
            for first, second in ((right, wrong), (wrong, right)):
                led = f"Although {first} was ahead of {second}, {second} is the one."
                yield case("led up to", led, second == right)
                yield case("led up to", f"Answer: {led}", second == right)


def _misleading(task: Task, right: str) -> Iterator[Case]:
    """Yield the right words with another meaning, and the other way round."""

    def case(kind: str, text: str, accept: bool) -> Case:
        return Case(task.id, "execution", kind, text, accept)

    match task.answer:
        case NumberAnswer():
            if task.answer.value:
                yield case("magnitude", f"Answer: {right} thousand", False)
                yield case("magnitude", f"Answer: a loss of {right}", False)
            yield case("bare computation", f"Answer: {right} + 2", False)
        case OrderingAnswer(items=items):
            turned = ", ".join(reversed(items))
            yield case("direction", f"Answer: {right}, from last to first", False)
            yield case("direction", f"Answer: {turned}, from last to first", True)
            chain = " is shorter than ".join(reversed(items))
            yield case("direction", f"{chain}.", True)
            unknown = f"{right} are the names, but their order cannot be known."
            yield case("order not known", unknown, False)


def _explanation(task: Task) -> Iterator[Case]:
    rubric = task.rubric
    assert rubric is not None

    def case(kind: str, text: str, accept: bool, truncated: bool = False) -> Case:
        return Case(task.id, "explanation", kind, text, accept, truncated)

    yield case("empty", "", False)
    for text in REFUSALS:
        yield case("refusal", text, False)
    yield case("prompt echoed", task.explanation_prompt, False)
    yield case("prompt echoed", task.execution_prompt, False)
    yield case("prompt echoed", f"{task.explanation_prompt}\n\n{task.execution_prompt}", False)
    patterns = [pattern for concept in rubric.concepts for pattern in concept.any_of]
    listed = list(dict.fromkeys(word for pattern in patterns for word in words_of(pattern)))
    for joint in (", ", " ", "\n- "):
        yield case("keyword dump", joint.join(listed), False)
    right = plain(task.answer)
    for text in (f"Answer: {right}", f"The answer is {right}. That is how it is done."):
        yield case("answer without procedure", text, False)
    for unsure in ("I have no idea whether you", "It is unclear whether you"):
        steps = [f"{unsure} {step[0].lower()}{step[1:]}" for step in rubric.steps]
        yield case("not known", " ".join(steps), False)
    negated = " ".join(f"Do not {step[0].lower()}{step[1:]}" for step in rubric.steps)
    yield case("negated procedure", negated, False)
    if len(rubric.steps) > 1:
        for left_out in range(len(rubric.steps)):
            rest = rubric.steps[:left_out] + rubric.steps[left_out + 1 :]
            yield case("step left out", " ".join(rest), False)
            yield case("step left out, filler", " ".join(rest) + FILLER[1], False)
    if any(concept.after for concept in rubric.concepts):
        yield case("steps in reverse", " ".join(reversed(rubric.steps)), False)
        yield case("steps in reverse", _in_one_sentence(rubric.steps[::-1]), False)
        yield case("steps in one sentence", _in_one_sentence(rubric.steps), True)
    for text in (rubric.reference, *rubric.paraphrases):
        kind = "reference" if text == rubric.reference else "paraphrase"
        yield case(kind, text, True)
        yield case(f"{kind}, filler", text + FILLER[0] + FILLER[1], True)
        yield case(f"{kind}, filler before it", "Sure, I can help. " + text, True)
    yield case("reference, cut afterwards", rubric.reference + " And as a", True, True)


def plain(answer: Answer) -> str:
    """Return the correct answer the way a person would write it after `Answer:`."""
    match answer:
        case NumberAnswer():
            return f"{answer.value:.10g}"
        case DurationAnswer():
            return _length(answer)
        case SetAnswer():
            return ", ".join(answer.items)
        case _:
            return shown(answer)


def surface_forms(answer: Answer) -> list[str]:
    """Return at least five ways to state the correct answer."""
    right = plain(answer)
    forms = [
        f"Answer: {right}",
        f"**Answer:** {right}",
        f"The answer is {right}.",
        f"Answer:\n{right}",
        f"The final answer is: {right}",
    ]
    match answer:
        case NumberAnswer():
            forms += [right, f"\\boxed{{{right}}}", f"So the result is {right}."]
            forms += [*_in_math(right), *_computed(answer)]
            if answer.value >= 1000:
                grouped = f"{answer.value:,.10g}"
                forms += [f"\\boxed{{{grouped.replace(',', '{,}')}}}"]
                forms += [
                    f"Answer: ${grouped.replace(',', separator)}$" for separator in (r"\,", ",")
                ]
            if answer.unit == "dollar":
                forms += [f"Answer: ${answer.value:,.2f}", f"Answer: {right} dollars"]
                forms += [
                    f"Answer: $\\${right}$",
                    f"Answer: ${0.8 * answer.value:.10g} / 0.8 = ${right}",
                ]
            elif answer.unit is not None:
                unit = _words_of_unit(answer.unit)
                forms += [f"Answer: {right} {unit}", f"Answer: ${right}$ {unit}"]
            if answer.unit == "degree_Celsius":
                forms += [f"Answer: {right}{degrees}" for degrees in ("°", "°C", " degrees", " °C")]
                forms += [
                    f"Answer: ${right}^\\circ\\mathrm{{C}}$",
                    f"\\boxed{{{right}^{{\\circ}}}}",
                ]
        case DurationAnswer():
            hours, minutes = divmod(answer.minutes, 60)
            forms += [right, f"It lasts {right}."]
            if hours and minutes:
                forms += [f"Answer: {hours:g} hours and {minutes:g} minutes"]
        case TimeAnswer():
            (time,) = clock_times(answer.value)
            hour, minute = divmod(int(time.value), 60)
            half = "p.m." if hour >= 12 else "a.m."
            forms += [
                right,
                f"Answer: {hour:02d}:{minute:02d}" if hour >= 13 else f"Answer: {right.lower()}",
                f"Answer: {hour % 12 or 12}:{minute:02d} {half}",
                f"Answer: {hour % 12 or 12}:{minute:02d}{half.replace('.', '')}",
                f"So it is {right} then.",
                f"Answer: ${hour % 12 or 12}:{minute:02d}$ {half}",
                f"\\boxed{{{hour % 12 or 12}{{:}}{minute:02d}~\\text{{{half}}}}}",
            ]
        case OrderingAnswer():
            forms += [
                right,
                "Answer: " + " > ".join(answer.items),
                "Answer:\n" + "\n".join(f"{n}. {x}" for n, x in enumerate(answer.items, start=1)),
                "Answer: " + ", then ".join(answer.items),
                "Answer: " + ", ".join(answer.items[:-1]) + f" and {answer.items[-1]}",
            ]
        case SetAnswer():
            forms += ["Answer: {" + right + "}", "The common members are: " + right]
            verb = "are" if len(answer.items) > 1 else "is"
            if answer.items[0].isdigit():
                forms += [f"It turns out that {right} {verb} in all 3 sets."]
            spelled = [_SPELLED.get(item) for item in answer.items]
            if all(spelled):
                forms += ["Answer: " + ", ".join(filter(None, spelled))]
        case ChoiceAnswer():
            other = next(option for option in answer.options if option != answer.value)
            forms += [
                right,
                f"It is {right}.",
                f"The answer is {right}, not {other}.",
                f"\\boxed{{{right}}}",
            ]
    return forms


def _in_math(right: str) -> list[str]:
    """Return `right` as the final answer between LaTeX's marks, which are no currency."""
    return [
        f"Answer: ${right}$",
        f"The final answer is ${right}$.",
        f"Answer: $${right}$$",
        f"Answer:\n\\[{right}\\]",
        f"Answer: \\({right}\\)",
        f"$\\boxed{{{right}}}$",
    ]


def _computed(answer: NumberAnswer) -> list[str]:
    """Return the answer at the end of a division by a decimal."""
    right = plain(answer)
    return [
        f"Answer: {0.8 * answer.value:.10g} / 0.8 = {right}",
        f"So $x = \\frac{{{0.8 * answer.value:.10g}}}{{0.8}} = {right}$.",
        f"3 + 4 = 7\n{0.8 * answer.value:.10g} / 0.8 ≈ {right}",
    ]


def _in_one_sentence(steps: tuple[str, ...]) -> str:
    """Return `steps` joined by `, then`."""
    bare = [re.sub(r"^(?:first|then|finally),?\s+", "", step, flags=re.I) for step in steps]
    joined = ", then ".join(f"{step[0].lower()}{step[1:]}".rstrip(".") for step in bare)
    return f"First {joined}."


def swapped(steps: tuple[str, ...]) -> Iterator[str]:
    """Yield the text of `steps` with two neighbours exchanged, for each pair of neighbours."""
    for place, (first, second) in enumerate(pairwise(steps)):
        yield " ".join([*steps[:place], second, first, *steps[place + 2 :]])


def _length(answer: DurationAnswer) -> str:
    if answer.unit == "hour":
        return f"{answer.minutes / 60:.10g}"
    if answer.unit == "day":
        return f"{answer.minutes / 1440:.10g}"
    if answer.unit == "minute":
        return f"{answer.minutes:.10g}"
    hours, minutes = divmod(answer.minutes, 60)
    parts = [f"{hours:g} hours"] * bool(hours) + [f"{minutes:g} minutes"] * bool(minutes)
    return " and ".join(parts) or "0 minutes"


def _words_of_unit(unit: str) -> str:
    return {"degree_Celsius": "degrees Celsius", "percent": "%"}.get(unit, f"{unit}s")


def _other_half(time: str) -> str:
    return time.replace("AM", "PM") if "AM" in time else time.replace("PM", "AM")
