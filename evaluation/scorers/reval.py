"""REval's verdicts on coverage and path answers, by the published rule and strictly, and how an answer is cut out.

Source: r-eval/REval, evaluation.py (Chen et al., arXiv 2403.16437). State and output answers are judged by
`evaluation.scorers.reval_state` and `evaluation.scorers.reval_output`.

Strict differs from the published rule in that coverage is the word YES or NO, not three letters that hold it; a path
answer is stripped whether tags stand around it or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evaluation.reval_truth import PointTruth
from evaluation.scorers.judgement import MALFORMED, Judgement, Mode

Form = Literal["direct", "cot"]
NO_LINE, UNUSABLE = -1, -2
_OPEN, _CLOSE, _THOUGHT_ENDS = "[ANSWER]", "[/ANSWER", "[/THOUGHT]"


@dataclass(frozen=True)
class Cut:
    """The answer in a generated text; `text` is None where the form is not kept."""

    text: str | None
    tagged: bool = False


def cut_answer(generated: str, form: Form) -> Cut:
    """What follows the first [ANSWER] and precedes the first [/ANSWER of a text whose prompt ended in an open answer
    tag (direct) or thought tag (cot: without [/THOUGHT] there is no answer). Stripped where a tag was cut off."""
    if form == "cot" and _THOUGHT_ENDS not in generated:
        return Cut(None)
    text, tagged = generated, False
    if _OPEN in text:
        text, tagged = text.split(_OPEN, 1)[1].strip(), True
    if _CLOSE in text:
        text, tagged = text.split(_CLOSE, 1)[0].strip(), True
    return Cut(text, tagged)


def says_covered(generated: str, form: Form) -> bool:
    """The published reading of a coverage answer: YES in its first three letters, anything else means NO."""
    return "YES" in _coverage_text(generated, form)[:3]


def _coverage_text(generated: str, form: Form) -> str:
    return (cut_answer(generated.upper(), form).text or "").strip()


def judge_coverage(generated: str, form: Form, truth: PointTruth, mode: Mode) -> Judgement:
    """Whether YES or NO was said of the line. Official: in the first three letters, anything else means NO, and the
    text is put in capitals before its tags are looked for."""
    said = _coverage_text(generated, form)
    if mode == "official":
        return Judgement.of(("YES" in said[:3]) == truth.covered, MALFORMED if _is_neither(said[:3]) else "wrong")
    if said not in {"YES", "NO"}:
        return Judgement(False, MALFORMED)
    return Judgement.of((said == "YES") == truth.covered)


def _is_neither(said: str) -> bool:
    return ("YES" in said) == ("NO" in said)


def judge_path(generated: str, form: Form, truth: PointTruth, source: str, mode: Mode) -> Judgement:
    """Whether any line with the text that was given is a line that follows."""
    found = path_lines(cut_answer(generated, form), source, mode)
    return Judgement.of(not found.isdisjoint(truth.next_lines), MALFORMED if found == {UNUSABLE} else "wrong")


def path_lines(cut: Cut, source: str, mode: Mode) -> set[int]:
    """The lines (1-based) whose stripped text is the first line of the answer; {-1}, or {-2} where there is none."""
    if cut.text is None:
        return {UNUSABLE}
    text = cut.text.strip() if mode == "strict" else cut.text
    first = text.split("\n", 1)[0].strip()
    if mode == "strict" and first != text:
        return {UNUSABLE}
    if first == "-1":
        return {NO_LINE}
    found = {number for number, line in enumerate(source.split("\n"), 1) if first and line.strip() == first}
    return found or {UNUSABLE}
