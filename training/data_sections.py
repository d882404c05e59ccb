"""Sections of a recipe that are about data: programs, traces, datasets, what is shown of them, and the tokenizer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from training.section import Section

QuestionTask = Literal["coverage", "state", "path", "next_statement", "variable"]
QUESTION_TASKS: tuple[QuestionTask, ...] = ("coverage", "state", "path")


class CorpusSection(Section):
    """[corpus]: which programs are collected."""

    programs_per_level: dict[int, int] = Field(
        default={1: 500, 2: 500, 3: 500, 4: 500, 5: 500, 6: 500},
        description="Synthesised programs per level of difficulty.",
    )
    inputs_per_program: int = Field(default=3, ge=1, description="Calls per synthesised program.")
    profile: Literal["tiny", "tiny_chains", "general"] = Field(
        default="general", description="What the synthesiser may use."
    )
    max_bad_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of unusable rows above which the run fails."
    )

    @field_validator("programs_per_level", mode="before")
    @classmethod
    def _list_or_table(cls, value: Any) -> Any:
        """A list counts levels from 1; a table names them."""
        if isinstance(value, list):
            return dict(enumerate(value, start=1))
        return value

    @field_validator("programs_per_level")
    @classmethod
    def _known_levels(cls, value: dict[int, int]) -> dict[int, int]:
        if bad := [level for level in value if not 1 <= level <= 6]:
            raise ValueError(f"levels are 1 to 6, not {bad}")
        if any(count < 0 for count in value.values()):
            raise ValueError("a level can't have a negative number of programs")
        return {level: count for level, count in sorted(value.items()) if count}


class TraceSection(Section):
    """[trace]: how programs are run."""

    max_states: int = Field(default=10, ge=1, description="Programs that print more lines are set aside (paper: 10).")
    min_traces: int = Field(default=100, ge=1, description="Fewer traces than this fail the run.")
    hash_seeds: tuple[int, int] = Field(default=(0, 1), description="Seeds of the two runs that must agree.")


class DatasetSection(Section):
    """[dataset]: how traces become a dataset version."""

    held_out_share: float = Field(default=0.1, gt=0, lt=1, description="Share of near-duplicate clusters held out.")
    near_duplicate_threshold: float = Field(default=0.8, gt=0, le=1, description="Jaccard similarity of sources.")
    decontaminate_ngram: int = Field(
        default=10, ge=1, description="Shared n-grams with a benchmark drop a program (paper: 10)."
    )


class SliceSection(Section):
    """[slice]: which part of the dataset the model is trained on, and in which tasks.

    `output`, `input`, `questions` and `code` are shares of the SFT rows; `rl_input`, `rl_questions` and `rl_code` those
    of input prediction, questions about the trace and programs to write among the RL prompts (the rest is output
    prediction).
    """

    levels: tuple[int, ...] | None = Field(default=None, description="Synthesised levels used; none: all.")
    real_programs: bool = Field(default=True, description="Whether real programs (no level) are used too.")
    min_states: int = Field(default=1, ge=0, description="Fewest anchors of a program that is used.")
    max_states: int = Field(default=10, ge=1, description="Most anchors of a program that is used.")
    max_prompt_tokens: int = Field(default=1024, ge=8)
    max_response_tokens: int = Field(default=4096, ge=8)
    output: float = Field(default=0.5, ge=0, le=1)
    input: float = Field(default=0.5, ge=0, le=1)
    questions: float = Field(default=0.0, ge=0, le=1)
    code: float = Field(default=0.0, ge=0, le=1)
    rl_input: float = Field(default=0.5, ge=0, le=1)
    rl_code: float = Field(default=0.0, ge=0, le=1)
    rl_questions: float = Field(default=0.0, ge=0, le=1)
    question_tasks: tuple[QuestionTask, ...] = Field(
        default=QUESTION_TASKS,
        min_length=1,
        description="Kinds of question: REval's coverage, state, path; ExecVerify's next_statement, variable.",
    )
    code_hole: Literal["statement", "body", "either"] = Field(
        default="statement", description="What is left out of a program that is to be written: one statement, or all."
    )
    problems: str = Field(
        default="", description="JSONL file of problems with tests (docs/training.md); empty: from the corpus."
    )
    rl_share: float = Field(
        default=0.5, ge=0, lt=1, description="Share of sources kept for RL alone; 0: RL repeats those of SFT."
    )
    verbosity: Literal["compact", "full"] = Field(default="full", description="How the teacher words its reasoning.")
    prompt_style: Literal["compact", "instruct"] = Field(default="instruct", description="How prompts are worded.")

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SliceSection:
        total = self.output + self.input + self.questions + self.code
        if abs(total - 1) > 1e-6:
            raise ValueError(f"output, input, questions and code are shares and must sum to 1, not {total:g}")
        asked = self.rl_input + self.rl_questions + self.rl_code
        if asked > 1 + 1e-6:
            raise ValueError(f"rl_input, rl_questions and rl_code are shares and sum to {asked:g}, above 1")
        return self


class TokenizerSection(Section):
    """[tokenizer]: used where the model is made from scratch."""

    vocab_size: int = Field(default=512, ge=288)
    sample_rows: int = Field(default=4000, ge=1, description="Rows of text that the merges are learned from.")
