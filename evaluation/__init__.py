"""What a good answer is: prompts, responses, scoring, questions, benchmarks, gate."""
