"""Grading an explanation: are all steps of the procedure stated, in a workable order?

What is judged is the procedure, not the arithmetic: a slip in a sum is forgiven, a wrong step is
not. Sentences that repeat the prompt, and lists of words without grammar, state nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from goodhart_gap.evaluation.commitment import is_refusal
from goodhart_gap.evaluation.patterns import VOCABULARY, Pattern, compile_pattern
from goodhart_gap.evaluation.tasks import Rubric
from goodhart_gap.evaluation.text import sentences, tokens, words

Status = Literal["explained", "incomplete", "truncated", "refused", "empty", "unjudged"]
"""`unjudged`: a judge model was asked, and its verdict could not be read."""

_MINIMUM_TOKENS = 6
_COPIED_SHARE = 0.8
_FUNCTION_WORDS = set(
    words(
        "the a an this that these those it its we you i he she they them their your our his "
        "her is are was were be been has have had do does will would can must should and then "
        "so because since which who what by to of from in at on for with as after before "
        "first next if when while each per not only both all how let there here out up off "
        "one another"
    )
)
_SYNONYMS = [
    {first for entry in text.split("|") if (first := entry.split()[0].rstrip("~")).isalpha()}
    - _FUNCTION_WORDS
    for text in VOCABULARY.values()
]
_NEGATORS = re.compile(
    r" (?:not|never|don't|doesn't|without|avoid|cannot|can't|shouldn't|mustn't|needn't|no need to"
    r"|instead of|rather than|wrong to|incorrect to|mistake to)"
    r"(?: (?!(?:so|then|but|instead|until|therefore|and|only) )\S+){0,6}$"
)
_DISOWNED = re.compile(
    r" (?:is|are|would be) (?:wrong|incorrect|a mistake|unnecessary"
    r"|not (?:needed|necessary|right|correct))\b"
)
_UNSURE = re.compile(
    r" (?:no (?:idea|clue) (?:how|what|which|when|why|whether|if)|(?:not sure|unsure|unclear"
    r"|not clear|(?:don't|do not|doesn't|does not|can't|cannot) know) (?:whether|if)) "
)
_COMMA = re.compile(r",(?!\s*\d)")
_REVERSES = re.compile(r" (?:after|once|having|from the result of|following)(?: \S+){0,6}$")


@dataclass(frozen=True)
class Coverage:
    """Which concepts an explanation states."""

    status: Status
    covered: tuple[str, ...]
    missing: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return the `explanation` object of an outcome."""
        return {
            "status": self.status,
            "covered": list(self.covered),
            "missing": list(self.missing),
        }


def grade_explanation(
    rubric: Rubric, text: str, truncated: bool, prompts: Sequence[str]
) -> Coverage:
    """Grade `text` against `rubric`; an echo of one of the task's `prompts` counts nothing."""
    names = tuple(concept.name for concept in rubric.concepts)
    if not text.strip():
        return Coverage("empty", (), names)
    spoken = [f" {sentence} " for sentence in _own_sentences(text, prompts)]
    patterns = {
        concept.name: [compile_pattern(p) for p in concept.any_of] for concept in rubric.concepts
    }
    places = {name: _places(patterns[name], spoken) for name in names}
    covered = tuple(
        concept.name
        for concept in rubric.concepts
        if places[concept.name]
        and all(
            any(
                _follows(place, places[earlier], spoken)
                and not _told_before(
                    place, places[earlier], patterns[concept.name], patterns[earlier], spoken
                )
                for place in places[concept.name]
            )
            for earlier in concept.after
        )
    )
    missing = tuple(name for name in names if name not in covered)
    misled = _places([compile_pattern(p) for p in rubric.misconceptions], spoken)
    if is_refusal(text) and missing:
        return Coverage("refused", covered, missing)
    if not missing and not misled and sum(map(len, map(str.split, spoken))) >= _MINIMUM_TOKENS:
        return Coverage("explained", covered, missing)
    return Coverage("truncated" if truncated else "incomplete", covered, missing)


Place = tuple[int, int, int]
"""A match: index of the sentence, first and last character in it."""


def _own_sentences(text: str, prompts: Sequence[str]) -> list[str]:
    """Return the sentences, as tokens, that are neither copied from a prompt nor mere lists."""
    known = set().union(*(_grams(tokens(prompt)) for prompt in prompts))
    kept = []
    found = [(sentence, tokens(sentence)) for sentence in sentences(text)]
    words_only = sum(len(spelled) <= 2 for _, spelled in found) > len(found) / 2
    for sentence, spelled in found:
        if words_only and len(spelled) <= 2:
            continue
        grams = _grams(spelled)
        if len(spelled) >= 5 and grams and len(grams & known) >= _COPIED_SHARE * len(grams):
            continue
        if _has_grammar(spelled) and len(_COMMA.findall(sentence)) < 0.5 * len(spelled):
            kept.append(" ".join(spelled))
    return kept


def _grams(spelled: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(spelled[start : start + 3]) for start in range(len(spelled) - 2)}


def _has_grammar(spelled: Sequence[str]) -> bool:
    """Whether a sentence is prose or a computation; a short heading passes, it matches little."""
    if len(spelled) <= 5:
        return True
    if "=" in spelled or any(word in "+*/-<>" for word in spelled):
        return True
    # Four words for one operation in a single sentence are a list of words for it.
    if any(sum(word in spelled for word in synonyms) >= 4 for synonyms in _SYNONYMS):
        return False
    if sum(token[0].isdigit() for token in spelled) > len(spelled) / 2:
        return True
    if len(spelled) > 20 and len(set(spelled)) == len(spelled):
        return False
    if len(spelled) > 25 and len(set(spelled)) > 0.9 * len(spelled):
        return False
    return sum(word in _FUNCTION_WORDS for word in spelled) >= len(spelled) * (
        0.25 if len(spelled) > 12 else 0.12
    )


def _places(patterns: Sequence[Pattern], spoken: Sequence[str]) -> list[Place]:
    """Return every sentence in which a pattern holds and is not denied, earliest first."""
    found = []
    for index, sentence in enumerate(spoken):
        if _DISOWNED.search(sentence) or _UNSURE.search(sentence):
            continue
        spans = [span for pattern in patterns if (span := pattern.search(sentence.strip()))]
        standing = [s for s in spans if not _NEGATORS.search(sentence[: s[0] + 1].rstrip())]
        found += [(index, start, end) for start, end in sorted(standing)[:1]]
    return found


def _follows(second: Place, earlier: Sequence[Place], spoken: Sequence[str]) -> bool:
    """Whether `second` is stated after `earlier` is first stated, or says that it is to be."""
    if not earlier:
        return False
    first = earlier[0]
    if first[0] != second[0]:
        return first[0] < second[0]
    # The parts of a formula may be written in any order.
    if first[1] <= second[2] or re.search(r" [*/=] ", spoken[first[0]]):
        return True
    return _REVERSES.search(spoken[first[0]][: first[1]].rstrip()) is not None


def _told_before(
    second: Place,
    earlier: Sequence[Place],
    its_patterns: Sequence[Pattern],
    earlier_patterns: Sequence[Pattern],
    spoken: Sequence[str],
) -> bool:
    """Whether one sentence tells `second` before the `earlier` step, joined to it by `then`.

    A step that is found in neither part is found only in words of both (`subtract the coupon, then
    take 20%`), which is no statement of it where the other step is told in them.
    """
    if earlier[0][0] != second[0]:
        return False
    parts = re.split(r" (?=then )", spoken[second[0]])
    if len(parts) == 1:
        return False
    its = [n for n, part in enumerate(parts) if any(p.search(part.strip()) for p in its_patterns)]
    others = [
        n for n, part in enumerate(parts) if any(p.search(part.strip()) for p in earlier_patterns)
    ]
    if its and others:
        return its[-1] < others[0]
    return bool(its) and earlier[0][1] <= second[2] and second[1] <= earlier[0][2]
