"""Muon with AdamW: against torch's own, and through a save and load."""

import torch
from torch import nn

from training.optimizers import MuonAdamW, muon_adamw, orthogonalised


def test_orthogonalised_moves_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 8, 24), (2, 24, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.3
        assert values.max() < 1.3


def test_orthogonalised_keeps_singular_vectors() -> None:
    # a diagonal matrix stays diagonal, with its signs
    out = orthogonalised(torch.diag(torch.tensor([3.0, -1.0]))[None])[0]
    assert out[0, 1].abs() < 1e-6
    assert out[0, 0] > 0.5
    assert out[1, 1] < -0.5


def _same_steps(ours: MuonAdamW, theirs: torch.optim.Optimizer, a: nn.Parameter, b: nn.Parameter) -> None:
    torch.manual_seed(1)
    for _ in range(4):
        gradient = torch.randn_like(a)
        a.grad, b.grad = gradient.clone(), gradient.clone()
        ours.step()
        theirs.step()


def test_adamw_part_equals_torchs() -> None:
    start = torch.randn(5, 7)
    a, b = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    ours = MuonAdamW([{"params": [a], "lr": 0.01, "weight_decay": 0.1}], betas=(0.9, 0.95))
    theirs = torch.optim.AdamW([b], lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    _same_steps(ours, theirs, a, b)
    assert torch.allclose(a, b, atol=1e-6)


def test_muon_part_is_near_torchs_bfloat16_one() -> None:
    start = torch.randn(8, 16)
    a, b = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    ours = MuonAdamW([{"params": [a], "lr": 0.02, "muon": True}])
    theirs = torch.optim.Muon([b], lr=0.02, momentum=0.95, weight_decay=0.0)
    _same_steps(ours, theirs, a, b)
    moved = (b - start).norm()
    assert moved > 0.1
    assert (a - b).norm() < 0.05 * moved


def test_saved_and_loaded_state_goes_on_the_same() -> None:
    def model() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    def updates(optimizer: MuonAdamW, net: nn.Module, seeds: range) -> None:
        for seed in seeds:
            torch.manual_seed(seed)
            optimizer.zero_grad()
            net(torch.randn(3, 4)).square().sum().backward()
            optimizer.step()

    straight = model()
    optimizer = muon_adamw(straight, 0.02, 0.003)
    updates(optimizer, straight, range(6))

    first = model()
    optimizer = muon_adamw(first, 0.02, 0.003)
    updates(optimizer, first, range(3))
    second = model()
    second.load_state_dict(first.state_dict())
    restored = muon_adamw(second, 0.02, 0.003)
    restored.load_state_dict(optimizer.state_dict())
    updates(restored, second, range(3, 6))
    for p, q in zip(straight.parameters(), second.parameters(), strict=True):
        assert torch.equal(p, q)


def test_embeddings_head_and_vectors_are_adamws() -> None:
    net = nn.ModuleDict(
        {"embed_tokens": nn.Embedding(5, 4), "proj": nn.Linear(4, 4), "lm_head": nn.Linear(4, 5, bias=False)}
    )
    muon, rest = muon_adamw(net, 0.02, 0.003).param_groups
    assert [tuple(p.shape) for p in muon["params"]] == [(4, 4)]
    assert len(rest["params"]) == 3
