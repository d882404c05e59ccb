"""Grading: what one sampled response earned, step by step, and which of its tokens earned it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from evaluation.inputs import literal_call
from evaluation.own_states import OwnStatesFailed
from evaluation.own_states import own_states as own_states_of
from evaluation.questions import Question
from evaluation.responses import Response, parse_response
from evaluation.scoring import Scored, score_answer, score_input, score_output, steps_correct
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
    not be judged for a reason of ours; steps may be NaN for themselves. `final_reward` is 0 or 1; of a program that was
    asked for it is from 0 to 1 + format_bonus, and 1 or more where all tests passed. `own_rewards`, where asked for,
    are those of the steps given the model's own previous states (`evaluation.own_states`). `verdicts` say how the runs
    ended that judged it, in the words of `evaluation.run_verdicts`.
    """

    text: str
    step_rewards: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]
    final_reward: float
    sequence: tuple[str, ...]
    faults: tuple[str, ...]
    judged: bool
    reason: str
    own_rewards: tuple[float, ...] = ()
    verdicts: tuple[str, ...] = ()

    @property
    def credited(self) -> tuple[float, ...]:
        """The step rewards that a credit rule sees."""
        return self.own_rewards or self.step_rewards

    @property
    def all_correct(self) -> bool:
        return self.final_reward >= 1 and all(reward == 1 for reward in self.step_rewards)


def sampled_text(token_ids: Sequence[int], tokenizer: PreTrainedTokenizerFast) -> TokenMap:
    """The text of sampled ids and its tokens, without the end token and padding."""
    silent = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    ids = list(token_ids)
    while ids and ids[-1] in silent:
        ids.pop()
    return TokenMap(ids, lambda some: decode(tokenizer, some))


def grade(
    task: str,
    trace: Trace,
    token_ids: Sequence[int],
    tokenizer: PreTrainedTokenizerFast,
    sandbox: Sandbox | None,
    *,
    format_gate: bool = True,
    credit_reasoning: bool = True,
    own_states: bool = False,
) -> Graded:
    """Judge the sampled ids of a response to `task` ("output" or "input") on `trace`.

    The end token and padding are left out of the text. `sandbox` runs committed inputs and programs set to the model's
    own states; it is needed for "input" and for `own_states`.
    """
    mapped = sampled_text(token_ids, tokenizer)
    response = parse_response(mapped.text, task)
    if task == "output":
        scored = score_output(response, trace, format_gate=format_gate)
    else:
        assert sandbox is not None, "input prediction runs the committed input in a sandbox"
        scored = score_input(response, trace, sandbox, format_gate=format_gate)
    rewards = tuple(NAN if correct is None else float(correct) for correct in scored.step_correct)
    own_rewards: tuple[float, ...] = ()
    own_verdict = ""
    if own_states:
        own_rewards, own_verdict = _own_rewards(task, trace, response, scored, rewards, sandbox)
    return Graded(
        text=mapped.text,
        step_rewards=rewards,
        spans=_spans(mapped, response, len(rewards), credit_reasoning),
        final_reward=NAN if scored.final_correct is None else float(scored.final_correct),
        sequence=_sequence(trace, scored),
        faults=scored.faults,
        judged=scored.judged,
        reason=scored.reason,
        own_rewards=own_rewards,
        verdicts=tuple(filter(None, (scored.verdict, own_verdict))),
    )


def grade_question(question: Question, token_ids: Sequence[int], tokenizer: PreTrainedTokenizerFast) -> Graded:
    """Judge the sampled ids of an answer to a question about the trace; it has no steps: all credit is terminal."""
    text = sampled_text(token_ids, tokenizer).text
    scored = score_answer(question.task, text, question)
    return Graded(text, (), (), float(scored.final_correct is True), (), scored.faults, True, scored.reason)


def _own_rewards(
    task: str, trace: Trace, response: Response, scored: Scored, rewards: tuple[float, ...], sandbox: Sandbox | None
) -> tuple[tuple[float, ...], str]:
    """Step rewards given the model's own previous states, and the verdict of the run that they took ("": none). Up to
    the first wrong step they are those of the trace, `rewards`; NaN after it where the sandbox failed."""
    first_wrong = rewards.index(0.0) if 0.0 in rewards else len(rewards)
    anchors = _sequence(trace, scored)
    if first_wrong + 1 >= len(rewards) or len(scored.true_states) != len(rewards):
        return rewards, ""
    assert sandbox is not None, "a program set to the model's own states runs in a sandbox"
    program = trace.program
    call = program.call
    if task == "input":
        call = literal_call(program.entry_point or "", response.input or "")
    states = [(int(anchor), text) for anchor, text in zip(anchors, scored.true_states, strict=True)]
    try:
        own = own_states_of(program.source, trace.instrumented, call, states, response.steps, sandbox)
    except OwnStatesFailed:
        return rewards[: first_wrong + 1] + (NAN,) * (len(rewards) - first_wrong - 1), "failed"
    judged = tuple(map(float, steps_correct(response.steps, own.texts)))
    return rewards[: first_wrong + 1] + judged[first_wrong + 1 :], own.verdict


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
