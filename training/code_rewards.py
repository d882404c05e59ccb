"""Rewards of the task "code": the share of unit tests passed, as in ExecVerify's second stage (arXiv 2603.11226)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from evaluation.code_problems import CodeProblem, CodeScored, passes_hidden, score_code
from evaluation.prompts import CODE
from evaluation.responses import parse_response
from execution.sandbox import Sandbox
from training.credit import MODES
from training.examples import Example
from training.grading import Graded, grade, grade_question, sampled_text
from training.training_sections import RlSection


def code_reward(problem: CodeProblem, scored: CodeScored, format_bonus: float) -> float:
    """Share of tests passed, plus `format_bonus` for a response without a fault: 0, or up to 1 + format_bonus.

    0 where no hidden test passed, so that repeating the shown assertions earns nothing. The bonus is never paid to
    failing code, as in ExecVerify's published code (there by accident: its scorer raises where nothing passed, and
    the caller records 0). NaN where it could not be judged.
    """
    if not scored.judged:
        return math.nan
    if not passes_hidden(problem, scored.passed):
        return 0.0
    share = sum(bool(one) for one in scored.passed) / len(scored.passed)
    return share + (0.0 if scored.faults else format_bonus)


def grade_code(
    problem: CodeProblem,
    token_ids: Sequence[int],
    tokenizer: PreTrainedTokenizerFast,
    sandbox: Sandbox,
    format_bonus: float,
) -> Graded:
    """Judge the sampled ids of a response; it has no steps: the terminal reward is all of its credit."""
    text = sampled_text(token_ids, tokenizer).text
    scored = score_code(parse_response(text, CODE), problem, sandbox)
    return Graded(
        text=text,
        step_rewards=(),
        spans=(),
        final_reward=code_reward(problem, scored, format_bonus),
        sequence=(),
        faults=scored.faults,
        judged=scored.judged,
        reason=scored.reason or "right",
        verdicts=(scored.verdict,) if scored.verdict else (),
    )


def grade_example(
    example: Example,
    token_ids: Sequence[int],
    tokenizer: PreTrainedTokenizerFast,
    section: RlSection,
    sandbox: Sandbox | None,
    code_sandbox: Sandbox | None,
) -> Graded:
    """Judge a response to any example: `sandbox` runs committed inputs, `code_sandbox` programs (of PROGRAM_LIMITS)."""
    if example.problem is not None:
        assert code_sandbox is not None, "programs are run in a sandbox"
        return grade_code(example.problem, token_ids, tokenizer, code_sandbox, section.format_bonus)
    if example.question is not None:
        return grade_question(example.question, token_ids, tokenizer)
    assert example.trace is not None, "an example has a trace or a problem"
    mode = MODES[section.mode]
    return grade(
        example.task,
        example.trace,
        token_ids,
        tokenizer,
        sandbox,
        format_gate=section.format_gate and mode.format_gate,
        credit_reasoning=section.credit_reasoning,
        own_states=mode.own_states,
    )
