"""The examples in published prompts: each answer is what the program does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from evaluation.jails import Jails
from evaluation.published_prompts import cruxeval_prompt, livecodebench_prompt
from evaluation.published_reval_examples import EXAMPLES, RevalExample
from evaluation.reval import Pair, Point, RevalRow
from evaluation.reval_items import reval_items
from evaluation.scorers.livecodebench import IMPORTS

TEST = """\
import unittest

class First(unittest.TestCase):
    def setUp(self):
        self.tally = Tally(2)

    def test_add(self):
        self.tally.add(8)
        self.assertEqual(self.tally.seen, [8])
"""
POINTS = [(task, example) for task in ("coverage", "state", "path") for example in EXAMPLES[task]]


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails("local") as opened:
        yield opened


@pytest.mark.parametrize(("task", "example"), POINTS, ids=lambda one: one if isinstance(one, str) else one.answer)
def test_revals_examples_are_what_our_judge_takes_for_right(task: str, example: RevalExample, jails: Jails) -> None:
    source = re.sub(r"^\d+\t", "", example.program, flags=re.MULTILINE)
    is_class = source.startswith("class")
    source = source.split("\n\n# ")[0] + "\n"
    line, text = re.findall(r"Line (\d+) \((.*)\) (?:executed when|when)", example.question)[0]
    assert source.split("\n")[int(line) - 1].strip() == text.strip()
    call = re.findall(r"`(\w+)\((.*?)\)` is called", example.question)
    name, arguments = call[0] if call else ("Tally", "")
    variable = re.findall(r"type of `(.*?)` after", example.question)
    pair = Pair(0, f"({arguments},)", None, (Point(int(line), variable[0] if variable else "self"),), "")
    row = RevalRow("Test/0", 0, name, source, TEST if is_class else None, (pair,))
    [item] = reval_items([row], "direct", "compact", jails, tasks=(task,))
    assert item.judge is not None
    judged = item.judge(example.answer, jails)
    assert judged.official is not None
    assert (judged.strict.correct, judged.official.correct) == (True, True), (item.expected, example.answer)


def test_revals_output_examples_hold() -> None:
    function, in_class = EXAMPLES["output"]
    exec(f"{function.program}\n{function.answer}", {})
    body = in_class.answer.replace("assertEqual(done, True)", "assert done is True").replace("self.tally", "tally")
    exec(f"{in_class.program}\ntally = Tally(2)\n{body}", {})


@pytest.mark.parametrize("direction", ["output", "input"])
def test_the_examples_of_the_other_benchmarks_hold(direction: str) -> None:
    crux = cruxeval_prompt("def f(): ...", "", "1", direction, "direct").text  # type: ignore[arg-type]
    named = livecodebench_prompt("def g(): ...", "g", "g()", "1", direction, "direct").text  # type: ignore[arg-type]
    for prompt in (crux, named):
        blocks = re.findall(
            r"\[PYTHON\]\n(.*?)\nassert [^\n]*\n\[/PYTHON\]\n\[ANSWER\]\n(.*?)\n\[/ANSWER\]", prompt, re.S
        )
        assert len(blocks) == 2
        for source, answer in blocks:
            exec(f"{IMPORTS}\n{source}\n{answer}", {})
