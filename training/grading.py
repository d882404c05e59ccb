"""Grading: what one sampled response earned, step by step, and which of its tokens earned it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from evaluation.responses import Response, parse_response
from evaluation.scoring import Scored, score_input, score_output
from execution.sandbox import Sandbox
from execution.traces import Trace
from training.spans import TokenMap
from training.tokenizer import decode

NAN = math.nan


@dataclass(frozen=True)
class Graded:
    """Rewards of one response and the tokens of its steps.

    `step_rewards` has one value per true anchor state, `spans` the tokens (first, past the last) of the step at the
    same position, empty where the block is missing. NaN is "could not be judged". `sequence` names the anchors that
    the truth has: rollouts are compared only with the same sequence. `judged` is False where the final answer could
    not be judged for a reason of ours; steps may be NaN for themselves.
    """

    text: str
    step_rewards: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]
    final_reward: float
    sequence: tuple[str, ...]
    faults: tuple[str, ...]
    judged: bool
    reason: str

    @property
    def all_correct(self) -> bool:
        return self.final_reward == 1 and all(reward == 1 for reward in self.step_rewards)


def grade(
    task: str,
    trace: Trace,
    token_ids: Sequence[int],
    tokenizer: PreTrainedTokenizerFast,
    sandbox: Sandbox | None,
    *,
    format_gate: bool = True,
    credit_reasoning: bool = True,
) -> Graded:
    """Judge the sampled ids of a response to `task` ("output" or "input") on `trace`.

    The end token and padding are left out of the text. `sandbox` runs committed inputs and is needed for "input".
    """
    silent = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    ids = list(token_ids)
    while ids and ids[-1] in silent:
        ids.pop()
    mapped = TokenMap(ids, lambda some: decode(tokenizer, some))
    response = parse_response(mapped.text, task)
    if task == "output":
        scored = score_output(response, trace, format_gate=format_gate)
    else:
        assert sandbox is not None, "input prediction runs the committed input in a sandbox"
        scored = score_input(response, trace, sandbox, format_gate=format_gate)
    rewards = tuple(NAN if correct is None else float(correct) for correct in scored.step_correct)
    return Graded(
        text=mapped.text,
        step_rewards=rewards,
        spans=_spans(mapped, response, len(rewards), credit_reasoning),
        final_reward=NAN if scored.final_correct is None else float(scored.final_correct),
        sequence=_sequence(trace, scored),
        faults=scored.faults,
        judged=scored.judged,
        reason=scored.reason,
    )


def _spans(
    mapped: TokenMap, response: Response, num_anchors: int, credit_reasoning: bool
) -> tuple[tuple[int, int], ...]:
    spans = []
    for step in response.steps[:num_anchors]:
        start, end = step.span.start, step.span.end
        if not credit_reasoning:
            start = max(start, mapped.text.rfind("<print>", start, end))
        spans.append(mapped.token_span(start, end))
    return tuple(spans + [(0, 0)] * (num_anchors - len(spans)))


def _sequence(trace: Trace, scored: Scored) -> tuple[str, ...]:
    if scored.anchor_keys is not None:
        return scored.anchor_keys
    return tuple(f"{state.anchor}" for state in trace.states)
