"""Promote: the gate compares the candidate with the champion on the same items, and the alias moves or stays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from datastore.registry import CHAMPION, ModelVersion
from evaluation.gate import Decision, decide, evidence_from_rows, load_policy
from tasks.evaluate import evaluate_model, read_rows
from tasks.progress import tell
from tasks.steps import Output, StepResult, step
from tasks.workspace import Workspace
from training.config import Recipe


@dataclass(frozen=True)
class Promotion:
    """What the gate said of a candidate, and which version is champion after it."""

    verdict: str
    reasons: tuple[dict[str, Any], ...]
    candidate: int
    champion_before: int | None
    champion_after: int | None

    @property
    def happened(self) -> str:
        """What it comes to, in one clause."""
        return {
            "promote": f"promoted: version {self.candidate} is champion",
            "hold": f"held: version {self.champion_after} stays champion"
            if self.champion_after
            else "held: no champion yet",
            "reject": f"rejected: version {self.candidate} does not qualify",
        }[self.verdict]

    @property
    def in_words(self) -> str:
        """One sentence: what happened, and the reasons that decided it."""
        return f"{self.happened} ({'; '.join(reason['text'] for reason in self.reasons)})"


@step("promote")
def decide_promotion(
    workspace: Workspace, recipe: Recipe, version: ModelVersion, evaluated: StepResult, dataset: Output
) -> Promotion:
    """Compare on the candidate's own items (the champion answers them too), decide, and write it all down."""
    name = workspace.settings.model
    registry = workspace.registry
    alias = registry.alias(name, CHAMPION)
    if alias is not None and alias.version == version.number:
        text = f"version {version.number} is the champion already: nothing changed since it was promoted"
        promotion = Promotion("hold", ({"text": text},), version.number, alias.version, alias.version)
    else:
        champion = registry.version(name, alias.version) if alias else None
        decision = _decide(workspace, recipe, evaluated, champion, dataset)
        before = alias.version if alias else None
        after = version.number if decision.verdict == "promote" else before
        reasons = tuple(dataclasses.asdict(reason) for reason in decision.reasons)
        promotion = Promotion(decision.verdict, reasons, version.number, before, after)
        recorded = {"verdict": decision.verdict, "policy": recipe.gate.policy, "reasons": list(reasons)}
        if decision.verdict == "promote":
            expected = alias.revision if alias else None
            registry.move_alias(
                name, CHAMPION, version.number, expected=expected, reason=promotion.in_words, decision=recorded
            )
        else:
            registry.keep_alias(name, CHAMPION, version.number, reason=promotion.in_words, decision=recorded)
    tell(f"{'gate':<10} {promotion.happened}")
    return promotion


def _decide(
    workspace: Workspace, recipe: Recipe, evaluated: StepResult, champion: ModelVersion | None, dataset: Output
) -> Decision:
    folder = workspace.home / "cache"
    candidate = evidence_from_rows(read_rows(workspace, evaluated.outputs["rows"], folder))
    policy = load_policy(recipe.gate.policy)
    if champion is None:
        return decide(candidate, None, policy)
    model = Output("model", "model", f"version {champion.number}", champion.artifact_id, champion.digest)
    answers = evaluate_model(workspace, recipe, model, dataset, "champion")
    return decide(candidate, evidence_from_rows(read_rows(workspace, answers.outputs["rows"], folder)), policy)
