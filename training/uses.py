"""Data dependences of rollouts as a tensor: which later anchors use the value of which earlier ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluation.inputs import anchor_lines
from execution.dependences import influences
from execution.traces import Trace


def uses_of(traces: Sequence[Trace | None], sequences: Sequence[Sequence[str]], num_anchors: int) -> Tensor:
    """(B, N, N) booleans: anchor j (last axis) may use the value of anchor i, j after i in the rollout's sequence.

    `sequences` are those of `training.grading.Graded`, the anchors' indexes as text. Where a trace's anchors are of
    another instrumentor, or its sequence is not known, every later anchor is taken to use every earlier one.
    """
    uses_BNN = torch.zeros(len(traces), num_anchors, num_anchors, dtype=torch.bool)
    for b, (trace, sequence) in enumerate(zip(traces, sequences, strict=True)):
        flows = _flows(trace)
        for i in range(len(sequence)):
            for j in range(i + 1, len(sequence)):
                uses_BNN[b, i, j] = (
                    flows is None or not sequence[i].isdigit() or (int(sequence[i]), int(sequence[j])) in flows
                )
    return uses_BNN


def _flows(trace: Trace | None) -> frozenset[tuple[int, int]] | None:
    if trace is None:
        return None
    lines = anchor_lines(trace.program.source, trace.instrumented)
    return None if lines is None else influences(trace.instrumented, lines)
