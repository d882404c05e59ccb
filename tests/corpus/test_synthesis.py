"""Synthesised programs: deterministic, different, within their level's constraints, and they run."""

from __future__ import annotations

import ast
import builtins
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from corpus.difficulty import shape
from corpus.member_table import SEEDS
from corpus.normal_form import normal_source
from corpus.synthesis import SynthesisError, synthesise
from execution.anchors import instrument
from execution.program import Program

PROFILES = ("tiny", "tiny_chains", "general")
LEVELS = range(1, 7)


def run(program: Program) -> tuple[object, int]:
    """Result and number of printed states. The generator's own programs only: they are trusted here."""
    states: list[object] = []
    namespace: dict[str, object] = {"print": states.append}
    exec(instrument(program.source).source, namespace)
    return eval(program.call, namespace), len(states)


def text(programs: list[Program]) -> str:
    return "\n".join(f"{program.source}{program.call} {program.origin} {program.level}" for program in programs)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("level", LEVELS)
def test_nearly_all_programs_run_and_give_short_literals(profile: str, level: int) -> None:
    programs = synthesise(level, 11, 40, 2, profile)
    failed = 0
    for program in programs:
        try:
            result, num_states = run(program)
        except Exception as error:  # noqa: BLE001 - whatever a generated program raises is what is counted
            print(f"{type(error).__name__}: {error}\n{program.source}{program.call}")
            failed += 1
            continue
        assert len(repr(result)) <= 80
        assert ast.literal_eval(repr(result)) == result
        assert 1 <= num_states <= 10
    assert failed <= 0.05 * len(programs)


def digest() -> str:
    programs = [program for profile in PROFILES for program in synthesise(4, 5, 15, 2, profile)]
    return hashlib.sha256(text(programs).encode()).hexdigest()


def test_the_same_seed_gives_the_same_programs_under_any_hash_seed() -> None:
    code = "from tests.corpus.test_synthesis import digest; print(digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {digest()}


@pytest.mark.parametrize("profile", PROFILES)
def test_seeds_levels_and_a_larger_count(profile: str) -> None:
    few = synthesise(3, 5, 10, 2, profile)
    assert synthesise(3, 5, 20, 2, profile)[:20] == few
    assert text(synthesise(3, 6, 10, 2, profile)) != text(few)
    assert {program.level for program in few} == {3}


@pytest.mark.parametrize("profile", PROFILES)
def test_sources_differ_by_more_than_names_and_each_has_its_calls(profile: str) -> None:
    programs = synthesise(1, 0, 100, 3, profile)
    assert len({normal_source(program.source) for program in programs}) == 100
    assert len({program.program_id for program in programs}) == 300
    assert [program.source_id for program in programs[0::3]] == [program.source_id for program in programs[2::3]]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("level", "depth", "functions"), [(1, 0, 1), (2, 0, 1), (3, 1, 1), (4, 2, 1), (5, 3, 1), (6, 3, 2)]
)
def test_control_structures_and_functions_are_those_of_the_level(
    profile: str, level: int, depth: int, functions: int
) -> None:
    for program in synthesise(level, 2, 40, 1, profile):
        # A comprehension counts as a structure of its own for difficulty, not on the ladder.
        plain = program.source.replace("for value in", "").replace("for word in", "")
        if "for key" in program.source or plain != program.source:
            continue
        assert shape(program.source) == (depth, functions), program.source


def test_the_helper_of_level_6_is_called() -> None:
    for program in synthesise(6, 3, 30, 1, "general"):
        helper = program.source.split("(")[0].removeprefix("import math").strip().removeprefix("def ")
        assert program.source.count(f"{helper}(") >= 2


def test_chains_have_one_to_ten_anchors_about_equally_often() -> None:
    programs = synthesise(1, 4, 300, 1, "tiny_chains")
    counts = Counter(run(program)[1] for program in programs)
    assert sorted(counts) == list(range(1, 11))
    assert min(counts.values()) >= 15
    assert not any("print" in program.source for program in programs)


def test_inputs_take_different_ways() -> None:
    programs = synthesise(3, 0, 80, 3, "tiny")
    results = [repr(run(program)[0]) for program in programs]
    differing = sum(len(set(results[start : start + 3])) > 1 for start in range(0, len(results), 3))
    assert differing >= 0.8 * 80


def test_tiny_programs_are_small() -> None:
    programs = [program for level in (1, 2, 3) for program in synthesise(level, 1, 60, 2, "tiny")]
    for program in programs:
        assert program.entry_point == "f"
        assert len(program.source.splitlines()) <= 9
        names = {node.id for node in ast.walk(ast.parse(program.source)) if isinstance(node, ast.Name)}
        assert all(len(name) == 1 or hasattr(builtins, name) for name in names)
        numbers = [value for value in ast.walk(ast.parse(program.call)) if isinstance(value, ast.Constant)]
        assert all(number.value in range(10) for number in numbers if isinstance(number.value, int))
        result, _ = run(program)
        assert not isinstance(result, int) or -99 <= result <= 99


def test_the_origin_names_the_constraints() -> None:
    program = synthesise(3, 7, 42, 1, "general")[41]
    assert program.origin.startswith("synthesis:level=3,seed=7,index=41,type=")
    assert ",member=" in program.origin and ",nesting=" in program.origin


def test_every_type_is_tested() -> None:
    programs = synthesise(1, 0, len(SEEDS), 1, "general")
    types = {program.origin.split("type=")[1].split(",")[0] for program in programs}
    assert types == {"str", "list", "dict", "set", "tuple", "int", "float", "bool", "builtins"}


@pytest.mark.parametrize(
    ("level", "count", "inputs", "profile", "message"),
    [
        (7, 1, 1, "tiny", "no level 7: levels are 1 to 6"),
        (1, 1, 1, "huge", "no profile 'huge': profiles are general, tiny"),
        (1, -1, 1, "tiny", "give at least 0 and 1"),
        (1, 1, 0, "tiny", "give at least 0 and 1"),
        (6, 1, 101, "tiny", "ask for fewer programs or inputs"),
    ],
)
def test_what_can_not_be_given_is_said(level: int, count: int, inputs: int, profile: str, message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        synthesise(level, 0, count, inputs, profile)
