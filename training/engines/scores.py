"""Log-probabilities of given tokens by a transformers model: one plain forward pass, no cache.

Shapes: R rows, L tokens with padding on the right, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel


def model_logprobs(
    model: PreTrainedModel,
    prompt_ids: Sequence[Sequence[int]],
    completion_ids: Sequence[Sequence[int]],
    temperature: float = 1.0,
) -> list[list[float]]:
    """The log-probability of each token of each completion after its prompt; dropout is off meanwhile."""
    rows = [[*prompt, *completion] for prompt, completion in zip(prompt_ids, completion_ids, strict=True)]
    if not rows:
        return []
    logp_RLV, ids_RL = _forward(model, rows, temperature)
    logp_RL = logp_RLV.gather(2, ids_RL[:, 1:, None])[..., 0].cpu()
    spans = zip(prompt_ids, rows, strict=True)
    return [logp_RL[place, len(prompt) - 1 : len(row) - 1].tolist() for place, (prompt, row) in enumerate(spans)]


def model_distributions(
    model: PreTrainedModel, prompt_ids: Sequence[Sequence[int]], completion_ids: Sequence[Sequence[int]]
) -> torch.Tensor:
    """The log-probabilities of every token at each place of the completions, all places one after another: (places, V),
    on the CPU."""
    rows = [[*prompt, *completion] for prompt, completion in zip(prompt_ids, completion_ids, strict=True)]
    if not rows:
        return torch.zeros(0, 0)
    logp_RLV, _ = _forward(model, rows, 1.0)
    spans = zip(prompt_ids, rows, strict=True)
    return torch.cat([logp_RLV[at, len(prompt) - 1 : len(row) - 1] for at, (prompt, row) in enumerate(spans)]).cpu()


def _forward(
    model: PreTrainedModel, rows: Sequence[Sequence[int]], temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of each next token, and the ids."""
    width = max(map(len, rows))
    ids_RL = torch.zeros((len(rows), width), dtype=torch.long)
    mask_RL = torch.zeros_like(ids_RL)
    for place, row in enumerate(rows):
        ids_RL[place, : len(row)] = torch.tensor(row)
        mask_RL[place, : len(row)] = 1
    ids_RL, mask_RL = ids_RL.to(model.device), mask_RL.to(model.device)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits_RLV = model(input_ids=ids_RL, attention_mask=mask_RL, use_cache=False).logits[:, :-1].float()
    finally:
        model.train(was_training)
    return (logits_RLV / temperature).log_softmax(-1), ids_RL.to(logits_RLV.device)
