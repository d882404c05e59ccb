"""Examples in REval's published prompts: programs of our own, each with a question, a short thought and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.reval_listing import numbered


@dataclass(frozen=True)
class RevalExample:
    program: str
    question: str
    thought: str
    answer: str


_GRADE = """\
def grade(points):
    best = max(points)
    if best >= 50:
        label = "pass"
    else:
        label = "fail"
    return label"""
_TALLY = """\
class Tally:
    def __init__(self, limit):
        self.limit = limit
        self.seen = []

    def add(self, number):
        if len(self.seen) == self.limit:
            return False
        self.seen.append(number)
        return True
"""
_TALLY_SET_UP = "# self.tally = Tally(2)\n"
_TALLY_TEST = f"{_TALLY}\n{_TALLY_SET_UP}\nself.tally.add(8)\nself.assertEqual(self.tally.seen, [8])"
_SHRINK = """\
def shrink(number):
    steps = 0
    while number > 1:
        number = number // 2
        steps = steps + 1
    return steps"""

EXAMPLES: dict[str, tuple[RevalExample, ...]] = {
    "coverage": (
        RevalExample(
            _GRADE,
            'Is Line 6 (label = "fail") executed when `grade([20, 60])` is called?',
            "1. best is 60.\n2. 60 >= 50 holds, so the lines under else are passed over.",
            "NO",
        ),
        RevalExample(
            _TALLY_TEST,
            "Is Line 9 (self.seen.append(number)) executed when the test code above is run?",
            "1. The limit is 2 and nothing has been seen.\n2. add(8) does not return early and goes on to Line 9.",
            "YES",
        ),
    ),
    "state": (
        RevalExample(
            _GRADE,
            'Is Line 6 (label = "fail") executed when `grade([20, 60])` is called? If so, what are the value and the'
            " type of `label` after it is executed?",
            "1. best is 60 and 60 >= 50 holds.\n2. The lines under else are not executed.",
            "Nil",
        ),
        RevalExample(
            _SHRINK,
            "Is Line 4 (number = number // 2) executed when `shrink(5)` is called? If so, what are the value and the"
            " type of `number` after it is executed?",
            "1. 5 > 1, so the loop is entered.\n2. number becomes 2, and in the next turn 1. One of them is enough.",
            "2; int",
        ),
        RevalExample(
            _TALLY_TEST,
            "Is Line 9 (self.seen.append(number)) executed when the test code above is run? If so, what are the value"
            " and the type of `self.seen` after it is executed?",
            "1. seen starts empty.\n2. add(8) appends 8 to it.",
            "[8]; list",
        ),
    ),
    "path": (
        RevalExample(
            numbered(_SHRINK),
            "Which line is executed right after Line 5 (        steps = steps + 1) when `shrink(5)` is called?",
            "1. The loop is entered.\n2. After the last line of its body its condition is looked at again.",
            "while number > 1:",
        ),
        RevalExample(
            numbered(_GRADE),
            'Which line is executed right after Line 6 (        label = "fail") when `grade([20, 60])` is called?',
            "1. best is 60, so the lines under else are not executed.",
            "-1",
        ),
        RevalExample(
            _TALLY_TEST,
            "Which line is executed right after Line 9 (        self.seen.append(number)) when the test code above is"
            " run?",
            "1. add(8) goes on to Line 9.\n2. The line after it returns True.",
            "return True",
        ),
    ),
    "output": (
        RevalExample(
            _SHRINK,
            "assert shrink(5) == ??",
            "1. number goes from 5 to 2 and to 1: two turns.\n2. 2 is returned.",
            "assert shrink(5) == 2",
        ),
        RevalExample(
            f"{_TALLY}\n{_TALLY_SET_UP.rstrip()}",
            "done = self.tally.add(8)\nassertEqual(done, ??)",
            "1. Nothing has been seen, so add(8) appends 8 and returns True.",
            "done = self.tally.add(8)\nassertEqual(done, True)",
        ),
    ),
}
