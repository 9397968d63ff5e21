"""Normal forms of what a model writes: characters, sentences and tokens.

>>> tokens("Multiply $25 × 80%")
['multiply', '25', '*', '80', '%']
>>> sentences("First halve it. Then:\\n2 x 3 = 6")
['First halve it.', 'Then: 2 * 3 = 6']
"""

import re
import unicodedata


def words(text: str) -> list[str]:
    """Return the words of a list written as one text."""
    return text.split()


_CHARACTERS = str.maketrans(
    {
        "×": "*",
        "·": "*",
        "∗": "*",
        "⋅": "*",
        "÷": "/",
        "−": "-",
        "–": "-",
        "—": "-",
        "→": " to ",
        "≈": "=",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "°": " degrees ",
    }
)
_LATEX = (
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,!;:])(?=\d{3}(?!\d))"), ","),
    (re.compile(r"(?<=\d)\{([:.])\}(?=\d)"), r"\1"),
    (re.compile(r"\$\$((?:\\\$|[^$])+)\$\$"), r" \1 "),
    # Inline math by Pandoc's rule: `$79$` is no price, and `$20 - $5` is two.
    (
        re.compile(
            r"(?<![\\$])\$(?![$\s])((?:\\[^\n]|[^$\\\n])*(?:\\[^\s]|[^$\\\s]))(?<!\\)\$(?![\d$])"
        ),
        r"\1",
    ),
    (re.compile(r"(?<![\\$])\$ ([^$\n]*[^$\s]) \$(?!\s?\d)"), r"\1"),
    (re.compile(r"\\approx\b"), "="),
    (re.compile(r"(?:\{\})?\^\s*\{?\s*\\circ\b\s*\}?"), " degrees "),
    (re.compile(r"(?<=\w)~(?=[\w\\])"), " "),
    (re.compile(r"\\(?:times|cdot)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}"), r"\1 / \2"),
    (re.compile(r"\\[()\[\]]"), " "),
    (re.compile(r"\\([%$#&_])"), r"\1"),
    (re.compile(r"\\(?:quad|,|;|!)"), " "),
)
# Of spaces only those that hold digits together: "2 500" with a plain one may be two numbers.
_SPACED_THOUSANDS = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<![\d.])(\d{1,3}(?:,\d{3})+)(?![\d,]*\d)")
_TIMES_SIGN = re.compile(r"(?<=\d)(\s*)[xX](\s*)(?=[\d$(])")
_PERCENT = re.compile(r"\bper\s?cent\b", re.IGNORECASE)
_TOKEN = re.compile(r"\d{1,2}:\d{2}|\d+(?:\.\d+)?|\.\d+|[a-z]+(?:'[a-z]+)?|[%*/+=<>-]|{|}")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-z][.)]|#+|step \d+\s*[:.])\s+", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=\S)")
_SMALL = {
    word: str(value)
    for value, word in enumerate(
        words("two three four five six seven eight nine ten eleven twelve"), start=2
    )
}


def clean(text: str) -> str:
    """Return `text` with one form for each sign, LaTeX and emphasis marks taken off."""
    text = _SPACED_THOUSANDS.sub(",", text.replace("−", "-"))
    text = unicodedata.normalize("NFKC", text).translate(_CHARACTERS)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    text = re.sub(r"\*\*|__|`", "", text)
    text = _THOUSANDS.sub(lambda match: match[1].replace(",", ""), text)
    text = _PERCENT.sub("%", text)
    return _TIMES_SIGN.sub(r"\1*\2", text)


def tokens(text: str) -> list[str]:
    """Return the lower-case words, numbers and signs of `text`; punctuation is dropped."""
    return [_normal(token) for token in _TOKEN.findall(clean(text).lower())]


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`, one a list item or line; a heading joins what follows it."""
    found: list[str] = []
    heading = ""
    lines = (_LIST_MARK.sub("", line) for line in clean(text).splitlines())
    for part in (part.strip() for line in lines for part in _SENTENCE_END.split(line)):
        if not re.search(r"\w", part):
            continue
        joined = f"{heading} {part}".strip()
        if part.endswith(":"):
            heading = joined
            continue
        found.append(joined)
        heading = ""
    return [*found, heading] if heading else found


def _normal(token: str) -> str:
    if re.fullmatch(r"\d*\.\d+", token):
        return f"{float(token):.10g}"
    if re.fullmatch(r"0\d:\d\d", token):
        return token[1:]
    return _SMALL.get(token, token)
