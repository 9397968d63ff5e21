"""A small language for recognising a step in a sentence, whatever words it is put in.

    subtract~ ... coupon        a word that begins with `subtract`, then `coupon` within eight words
    <multiply> & 0.8|80 %       both in one sentence, in any order; `|` separates alternatives
    <subtract>                  a word of the shared vocabulary below
    #                           any number

Patterns are matched against sentences that `goodhart_gap.evaluation.text` has cut into tokens, and
are normalised in the same way, so `80%`, `80 %` and `80 percent` are one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from goodhart_gap.evaluation.text import tokens

VOCABULARY = {
    "add": "add~|plus|+|sum of|sum up|sum the|sum them|the sum|increas~|on top of",
    "subtract": "subtract~|minus|-|deduct~|take~ ... off|take~ away|took off|remov~|reduc~|less"
    "|knock~ ... off|decreas~|lower~",
    "multiply": "multipl~|times|*|product",
    "divide": "divid~|/|split~|over|quotient",
    "find": "find~|calculat~|comput~|determin~|work~ out|figur~ out|get",
    "compare": "compar~|relat~|look~ at|check~",
}
"""Verbs and signs of the elementary operations, for `<name>` in a pattern."""

_GAP = r"(?:\S+ ){0,8}?"
_NUMBER = r"\d+(?:\.\d+)?"


@dataclass(frozen=True)
class Pattern:
    """Groups that must all be found in a sentence."""

    source: str
    groups: tuple[re.Pattern[str], ...]

    def search(self, sentence: str) -> tuple[int, int] | None:
        """Return the span of the match in a sentence of tokens, or None.

        `sentence` is the tokens joined by spaces. The span runs from the start of the first group's
        match to its end; where several groups match, from the earliest start to the latest end.
        """
        spaced = f" {sentence} "
        spans = []
        for group in self.groups:
            match = group.search(spaced)
            if match is None:
                return None
            spans.append((match.start(), match.end() - 2))
        return min(start for start, _ in spans), max(end for _, end in spans)


@cache
def compile_pattern(source: str) -> Pattern:
    """Compile a pattern. Raises ValueError when it is empty or names an unknown word list."""
    groups = []
    for group in source.split("&"):
        alternatives = [_phrase(phrase) for phrase in _alternatives(group, source)]
        groups.append(re.compile(" (?:" + "|".join(alternatives) + ")(?= )"))
    return Pattern(source, tuple(groups))


def check_pattern(source: str) -> None:
    """Raise ValueError where `compile_pattern` would, in a hundredth of its time.

    Whoever reads a task set checks its patterns, every start of Snakemake among them; only graders
    need them compiled.
    """
    for group in source.split("&"):
        _alternatives(group, source)


def words_of(source: str) -> list[str]:
    """Return the plain words and numbers a pattern mentions: what a keyword dump would hold."""
    words = []
    for group in source.split("&"):
        for phrase in _alternatives(group, source):
            words += [w for w in phrase.replace("~", "").split() if re.match(r"[\w:.]+$", w)]
    return [word for word in dict.fromkeys(words) if word != "..."]


def _alternatives(group: str, source: str) -> Sequence[str]:
    """Return the phrases of a group, word lists filled in."""

    def fill(match: re.Match[str]) -> str:
        if match[1] not in VOCABULARY:
            raise ValueError(f"pattern '{source}': there is no word list <{match[1]}>")
        return match[0]

    phrases: list[str] = []
    for phrase in group.split("|"):
        named = re.search(r"<([a-z]+)>", phrase)
        if named is None:
            phrases.append(phrase.strip())
            continue
        fill(named)
        phrases += [
            phrase.replace(named[0], word).strip() for word in VOCABULARY[named[1]].split("|")
        ]
    if not all(phrases):
        raise ValueError(f"pattern '{source}' has an empty part")
    if any(re.search(r"<[a-z]+>", phrase) for phrase in phrases):
        return _alternatives("|".join(phrases), source)
    if any(re.search(r"<[a-z]", phrase) for phrase in phrases):
        raise ValueError(f"pattern '{source}': there is no word list of that name")
    return phrases


@cache
def _phrase(phrase: str) -> str:
    """Return the regular expression of a phrase, without the spaces around it."""
    parts: list[str] = []
    for word in phrase.split():
        if word == "...":
            parts.append(_GAP)
        elif word == "#":
            parts.append(_NUMBER + " ")
        elif word.endswith("~"):
            parts.append(re.escape(word[:-1].lower()) + r"\S* ")
        else:
            parts += [re.escape(token) + " " for token in tokens(word)]
    return "".join(parts).removesuffix(" ")
