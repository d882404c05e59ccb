"""Rollout engines: what generates the responses that reinforcement learning learns from, behind one interface."""

from training.engines.open import ENGINES, open_engine
from training.engines.probe import Probe, difference_limit
from training.engines.protocol import RolloutEngine, Sampling
from training.engines.weights import weights_of

__all__ = ["ENGINES", "Probe", "RolloutEngine", "Sampling", "difference_limit", "open_engine", "weights_of"]
