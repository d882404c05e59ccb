"""Which programs the model learns from: sources, synthesis, difficulty, duplicates, reasoning text."""
