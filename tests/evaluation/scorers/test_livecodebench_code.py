"""LiveCodeBench's code: methods and programs against tests, and the right programs that the official checker fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from evaluation.jails import Jails
from evaluation.livecodebench_code import Case
from evaluation.scorers.judgement import MALFORMED, RAISED, TIMEOUT, WRONG, Judgement, Mode
from evaluation.scorers.livecodebench_code import CODES, judge_program, same_output, same_value

MODES: tuple[Mode, ...] = ("official", "strict")
RIGHT = Judgement(True)


@dataclass(frozen=True)
class Problem:
    """A problem whose tests are at hand."""

    cases: tuple[Case, ...]
    entry_point: str | None = None

    def tests(self) -> tuple[Case, ...]:
        return self.cases


def stdin(*pairs: tuple[str, str]) -> Problem:
    return Problem(tuple(Case(given, right, "stdin") for given, right in pairs))


def method(*pairs: tuple[list[Any], Any]) -> Problem:
    cases = [Case("\n".join(map(json.dumps, given)), json.dumps(right), "functional") for given, right in pairs]
    return Problem(tuple(cases), "solve")


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails() as opened:
        yield opened


def judged(jails: Jails, problem: Any, program: str, mode: Mode) -> Judgement:
    return judge_program(problem, program, mode, jails)


ADD = stdin(("1 2\n", "3\n"), ("5 5\n", "10"))
SUM = method(([[1, 2], 3], 6), ([[], 0], 0))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", RIGHT),
        ("def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()", RIGHT),
        ("import sys\nprint(sum(map(int, sys.stdin.read().split())))\nsys.exit()", RIGHT),
        ("import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", RIGHT),
        ("print(Counter(input().split()) and 3)", Judgement(False, WRONG)),  # right on the first test only
        ("a, b = map(int, input().split())\nprint(a - b)", Judgement(False, WRONG)),
        ("print(3)\nprint(3)", Judgement(False, WRONG)),
        ("print(1 // 0)", Judgement(False, RAISED)),
        ("this is no program", Judgement(False, RAISED)),
        ("", Judgement(False, MALFORMED)),
        (
            "import threading\ndef main(): print(sum(map(int, input().split())))\n"
            "t = threading.Thread(target=main)\nt.start()\nt.join()",
            RIGHT,
        ),
    ],
)
def test_programs_are_judged_by_what_they_print(program: str, expected: Judgement, mode: Mode, jails: Jails) -> None:
    assert judged(jails, ADD, program, mode) == expected


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
        "print(sum(map(int, open(0).read().split())))",
        "total = 0\ndef add(n):\n    global total\n    total += int(n)\n[*map(add, input().split())]\nprint(total)",
        "from sys import stdin\nprint(sum(map(int, stdin.readline().split())))",
        "import sys\nsys.stdout.buffer.write(str(sum(map(int, input().split()))).encode())",
        "try:\n    while True:\n        input(), print(3)\nexcept EOFError:\n    pass",
    ],
)
def test_right_programs_that_the_official_checker_fails_are_right_strictly(program: str, jails: Jails) -> None:
    problem = stdin(("1 2", "3"))  # no line end: the mocked stdin then ends in StopIteration
    assert judged(jails, problem, program, "strict") == RIGHT
    assert judged(jails, problem, program, "official").correct is False


def test_the_official_buffer_gives_the_first_line_again(jails: Jails) -> None:
    program = "import sys\nr = sys.stdin.buffer.readline\nprint(int(r()) + int(r()))"
    problem = stdin(("1\n2\n", "3"))
    assert judged(jails, problem, program, "strict") == RIGHT
    assert judged(jails, problem, program, "official") == Judgement(False, WRONG)


def test_a_large_input_reaches_the_program_whole(jails: Jails) -> None:
    numbers = list(range(40_000))
    problem = stdin((" ".join(map(str, numbers)) + "\n", str(sum(numbers))))
    program = "print(sum(map(int, input().split())))"
    assert [judged(jails, problem, program, mode) for mode in MODES] == [RIGHT, RIGHT]


@pytest.mark.parametrize("mode", MODES)
def test_a_program_that_does_not_end_is_late(mode: Mode, jails: Jails) -> None:
    assert judged(jails, stdin(("1", "1")), "while True: pass", mode) == Judgement(False, TIMEOUT)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (
            "class Solution:\n    def solve(self, items: List[int], n: int) -> int:\n        return sum(items) + n",
            RIGHT,
        ),
        ("def solve(items, n): return sum(items) + n", RIGHT),
        ("class Solution:\n    def solve(self, items, n): return 6", Judgement(False, WRONG)),
        ("class Solution:\n    def solve(self, items, n): return items[0] + 5", Judgement(False, RAISED)),
        ("class Solution:\n    def other(self): pass", Judgement(False, RAISED)),
        (
            "class A(int):\n    def __eq__(self, other): return True\ndef solve(items, n): return A(99)",
            Judgement(False, WRONG),
        ),
    ],
)
def test_methods_are_judged_by_what_they_return(program: str, expected: Judgement, mode: Mode, jails: Jails) -> None:
    assert judged(jails, SUM, program, mode) == expected


def test_a_solution_is_used_again_officially_and_new_for_each_test_strictly(jails: Jails) -> None:
    program = "class Solution:\n    seen = 0\n    def solve(self, n):\n        self.seen += n\n        return self.seen"
    problem = method(([1], 1), ([1], 1))
    assert judged(jails, problem, program, "official") == Judgement(False, WRONG)
    assert judged(jails, problem, program, "strict") == RIGHT


def test_an_import_from_the_future_fails_officially_only(jails: Jails) -> None:
    line = "from __future__ import annotations\n"
    assert judged(jails, SUM, f"{line}def solve(items: Unknown, n): return sum(items) + n", "strict") == RIGHT
    assert judged(jails, SUM, f"{line}def solve(items, n): return sum(items) + n", "official").correct is False
    assert judged(jails, ADD, f"{line}print(sum(map(int, input().split())))", "strict") == RIGHT


@pytest.mark.parametrize(
    ("given", "right", "official", "strict"),
    [
        ((1, 2), [1, 2], True, True),
        ([(1, 2)], [[1, 2]], False, True),
        (0.1 + 0.2, 0.3, False, True),
        (0.31, 0.3, False, False),
        ([1], [1, 2], False, False),
        ({"a": (1,)}, {"a": [1]}, False, True),
        (3, 3.0, True, True),
        (None, [], False, False),
        (10**20 + 1, 10**20, False, False),
    ],
)
def test_values_official_and_strict(given: Any, right: Any, official: bool, strict: bool) -> None:
    assert (same_value(given, right, "official"), same_value(given, right, "strict")) == (official, strict)


@pytest.mark.parametrize(
    ("given", "right", "official", "strict"),
    [
        ("  1 2 \n\n", "1 2", True, True),
        ("1.50", "1.5", True, True),
        ("1  2", "1 2", True, True),
        ("0.30000000000000004", "0.3", False, True),
        ("0.31", "0.3", False, False),
        ("50000000000000001", "50000000000000000", False, False),
        ("Yes", "YES", False, False),
        ("1\n2", "1 2", False, False),
        ("nan", "1", False, False),
        ("", "1", False, False),
    ],
)
def test_texts_official_and_strict(given: str, right: str, official: bool, strict: bool) -> None:
    assert (same_output(given, right, "official"), same_output(given, right, "strict")) == (official, strict)


def test_reasons_have_the_published_codes() -> None:
    assert (CODES[WRONG], CODES[TIMEOUT], CODES[RAISED]) == (-2, -3, -4)
