"""REval's verdict on state answers, `value; type` or Nil, by the published rule and strictly.

Source: r-eval/REval, evaluation.py (Chen et al., arXiv 2403.16437): the type's text is lower-cased and looked up, the
value evaluated, and both compared with the true values. Here a literal is read as one; any other text is evaluated in
the sandbox, and the canonical text of what it gives is compared outside. Scalars of numpy and dates are made outside,
from literals and by dateutil, as they need packages that the sandbox does not show.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from typing import Any

from evaluation.reval_truth import PointTruth
from evaluation.scorers.judgement import MALFORMED, NOT_LITERAL, SANDBOX_FAILED, WRONG, Judgement, Mode
from evaluation.scorers.reval import Form, cut_answer
from evaluation.scorers.reval_numpy import is_one_of_numpy
from execution.sandbox import Job, Sandbox, Verdict
from execution.shown import Shown
from execution.values import canonical, equal_literals, parse_literal

NIL = "Nil"
TOLERANCE = 1e-6
_CURLY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})
_CLASS = re.compile(r"<class '(.*)'>")
_GENERICS = re.compile(r"\[.*?\]")  # shortest: of nested ones a bracket is left, and the type not found
_ALIASES = {"string": "str", "integer": "int"}
_DATES = {"datetime.datetime"}
_NOT_FOUND = "names no type"


class _Unusable(ValueError):
    """An answer in which no value and type can be found."""


class _NotJudged(RuntimeError):
    """Our own sandbox failed."""


def judge_state(generated: str, form: Form, truth: PointTruth, mode: Mode, sandbox: Sandbox) -> Judgement:
    """Whether the value and its type are one of the true ones, or Nil was said of a line without."""
    cut = cut_answer(generated, form)
    if cut.text is None:
        return Judgement(False, MALFORMED)
    text = cut.text.strip()
    if mode == "strict":
        return _strict(text, truth.values)
    try:
        said = _said(text.translate(_CURLY))
        if said is None or not truth.values:
            return Judgement.of(said is None and not truth.values)
        return Judgement.of(_official(*said, truth.values, sandbox))
    except _Unusable:
        return Judgement(False, MALFORMED)
    except _NotJudged:
        return Judgement(None, SANDBOX_FAILED)


def _strict(text: str, values: Sequence[Shown]) -> Judgement:
    if text == NIL or not values:
        return Judgement.of(text == NIL and not values)
    value, semicolon, kind = (part.strip() for part in text.rpartition(";"))
    if not semicolon:
        return Judgement(False, MALFORMED)
    equal = [value == true or equal_literals(value, true) for name, true in values if name == kind]
    return Judgement.of(any(equal), NOT_LITERAL if equal and all(one is None for one in equal) else WRONG)


def _said(text: str) -> tuple[str, str] | None:
    """The answer's value and its type's name as the published code cleans it; None for Nil."""
    if text.upper() == NIL.upper() or text == f"[{NIL}]":
        return None
    value, semicolon, kind = (part.strip() for part in text.rpartition(";"))
    if not semicolon:
        raise _Unusable
    if value.upper() == NIL.upper():
        return None
    kind = kind.lower()
    if found := _CLASS.search(kind):
        kind = found[1]
    kind = _GENERICS.sub("", kind)
    if "," in kind or "tuple" in kind:
        kind = "tuple"
    kind = _ALIASES.get(kind, kind)
    return value, ".".join(part for part in kind.split(".") if part)  # as pydoc.locate reads it


def _official(value: str, kind: str, truths: Sequence[Shown], sandbox: Sandbox) -> bool:
    module, _, name = kind.rpartition(".")
    if module in {"numpy", "np"}:
        shown_truths = [text for true_name, text in truths if true_name == name]
        return (module == "numpy" or name == "ndarray") and is_one_of_numpy(name, value, shown_truths)
    name, shown = _made(value, kind, sandbox)
    if name not in {true_name for true_name, _ in truths} or shown[0] != name:
        return False
    mine = _literal(shown[1])
    for _, true_text in truths:
        if true_text == shown[1] and name != "float":  # nan and the infinities equal nothing by the rule below
            return True
        true = _literal(true_text)
        if mine is None or true is None:
            continue
        if isinstance(mine[0], float) and isinstance(true[0], int | float):
            if abs(mine[0] - true[0]) < TOLERANCE:
                return True
        elif mine[0] == true[0]:
            return True
    return False


def _made(value: str, kind: str, sandbox: Sandbox) -> tuple[str, Shown]:
    """The name of the type that `kind` names, and what the answer's value comes to. Raises _Unusable."""
    if kind == "str":
        try:
            return kind, _evaluated(value, sandbox)
        except _Unusable:
            return kind, ("str", repr(value))
    if kind in _DATES:
        return "datetime", _date(value)
    if value == "None":
        return "NoneType", ("NoneType", "None")
    if isinstance(getattr(builtins, kind, None), type):
        return kind, _evaluated(value, sandbox)
    module, _, name = kind.rpartition(".")
    if not module or not all(part.isidentifier() for part in kind.split(".")):
        raise _Unusable(_NOT_FOUND)
    for argument in (f"({value})", repr(value)):
        try:
            return name, _evaluated(f"__import__('pydoc').locate({kind!r})({argument})", sandbox)
        except _Unusable:
            continue
    raise _Unusable(_NOT_FOUND)


def _evaluated(text: str, sandbox: Sandbox) -> Shown:
    if (literal := _literal(text)) is not None:
        return canonical(literal[0])[:2]
    seen = sandbox.run(Job("", text))
    if seen.verdict is Verdict.SANDBOX_FAILED:
        seen = sandbox.run(Job("", text))
    if seen.verdict is Verdict.SANDBOX_FAILED:
        raise _NotJudged(seen.detail)
    if seen.verdict is not Verdict.OK or seen.result is None or seen.result_type is None:
        raise _Unusable(str(seen.exception or seen.verdict))
    return seen.result_type, seen.result


def _literal(text: str) -> tuple[Any] | None:
    """The literal's value in a tuple of its own; None where the text is no literal."""
    try:
        return (parse_literal(text),)
    except ValueError:
        return None


def _date(text: str) -> Shown:
    from dateutil import parser

    try:
        return canonical(parser.parse(text))[:2]
    except (ValueError, OverflowError, TypeError) as error:
        raise _Unusable(str(error)) from None
