"""How the model learns: recipes, SFT, Bi-Level GRPO, rollouts, checkpoints."""
