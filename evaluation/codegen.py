"""Code generation: HumanEval, MBPP, HumanEval+, MBPP+ and LiveCodeBench as items that are judged by running them.

Prompts are in our own words, in the published shape: EvalPlus asks a chat model for a self-contained script and opens
its code block (evalplus/evalplus, evalplus/provider/utility.py); LiveCodeBench shows the problem with its starter code,
or says that stdin is read (LiveCodeBench/LiveCodeBench, lcb_runner/prompts/code_generation.py). Generated code runs in
the sandbox in either mode, and is cut out of the response by the published rule (official) or by ours (strict).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

from evaluation import humaneval, livecodebench_code
from evaluation.evalplus import EvalPlusRow
from evaluation.extraction import evalplus_program, livecodebench_program, strict_program
from evaluation.humaneval import HumanEvalRow
from evaluation.items import Item, Judge, Judged
from evaluation.jails import Jails
from evaluation.livecodebench_code import ProblemRow
from evaluation.mbpp import MbppRow
from evaluation.scorers import evalplus as evalplus_scorer
from evaluation.scorers import livecodebench_code as livecodebench_scorer
from evaluation.scorers.evalplus import References
from evaluation.scorers.functional import HUMANEVAL_LIMITS, MBPP_LIMITS, Task, score_generations
from evaluation.scorers.judgement import MALFORMED, Judgement, Mode

CodeRow = HumanEvalRow | MbppRow | EvalPlusRow | ProblemRow
CodeForm = Literal["direct", "cot"]
CODE, CODE_PLUS = "code", "code_plus"
FENCE = "```"
MAX_NEW_TOKENS, LIVECODEBENCH_TOKENS = 768, 2000  # of a direct answer, as published
_KEPT_RESPONSES = 8
_THINK = "First think step by step about how to solve it. Then give the whole script in one Python code block.\n"
_ONLY = "Give one self-contained Python script in a code block, and nothing else.\n"


def code_items(rows: Sequence[CodeRow], form: CodeForm = "direct") -> list[Item]:
    """An item per row, in order; two of EvalPlus' rows, `code` on the base inputs and `code_plus` on all, with one
    prompt and one run for both. Raises ValueError for another form."""
    if form not in ("direct", "cot"):
        raise ValueError(f"code is not asked for in the form {form!r}; the forms are direct and cot")
    references = References()
    items: list[Item] = []
    for row in rows:
        if isinstance(row, HumanEvalRow):
            # as published the prompt comes first: a few tests use its helpers; its function is then defined anew
            task = Task(f"{row.prompt}\n", f"{row.test}\ncheck({row.entry_point})")
            judge = _tests_judge(task, row.entry_point, row.prompt, HUMANEVAL_LIMITS)
            items.append(_item(row.item_id, humaneval.NAME, CODE, form, function_prompt(row.prompt, form), judge))
        elif isinstance(row, MbppRow):
            name = _tested_name(row)
            task = Task("\n".join([*row.set_up, ""]), "\n".join(row.tests))
            judge = _tests_judge(task, name, "", MBPP_LIMITS)
            items.append(_item(row.item_id, row.benchmark, CODE, form, mbpp_prompt(row, form), judge))
        elif isinstance(row, EvalPlusRow):
            both = _EvalPlusJudge(row, references)
            prompt = function_prompt(row.prompt, form)
            for number, task_name in enumerate((CODE, CODE_PLUS)):
                items.append(_item(row.item_id, f"{row.dataset}_plus", task_name, form, prompt, both.judge(number)))
        else:
            prompt = problem_prompt(row, form)
            items.append(_item(row.item_id, livecodebench_code.NAME, CODE, form, prompt, _problem_judge(row)))
    return items


def _item(item_id: str, benchmark: str, task: str, form: CodeForm, prompt: str, judge: Judge) -> Item:
    opened = prompt.endswith(f"{FENCE}python\n")
    most = LIVECODEBENCH_TOKENS if benchmark == livecodebench_code.NAME else MAX_NEW_TOKENS
    return Item(
        f"{benchmark}/{item_id}/{task}",
        cluster=f"{benchmark}/{item_id}",
        benchmark=benchmark,
        task=task,
        form=form,
        prompt=prompt,
        judge=judge,
        stop=(f"\n{FENCE}",) if opened else (),
        max_new_tokens=most if form == "direct" else None,
    )


def function_prompt(prompt: str, form: CodeForm) -> str:
    """HumanEval and EvalPlus: the task as it stands; asked directly, the answer's code block is open already."""
    asked = f"Solve this problem in Python.\n{FENCE}python\n{prompt.strip()}\n{FENCE}\n"
    return asked + (_THINK if form == "cot" else f"{_ONLY}{FENCE}python\n")


def mbpp_prompt(row: MbppRow, form: CodeForm) -> str:
    """MBPP: the description and, as its paper does, all tests."""
    tests = "\n".join(row.tests)
    return function_prompt(f'"""\n{row.text.strip()}\n{tests}\n"""', form)


def problem_prompt(row: ProblemRow, form: CodeForm) -> str:
    """LiveCodeBench: the problem, and its starter code or how input comes; the answer in a code block of its own."""
    if row.starter_code.strip():
        how = f"Write your solution into this code, keeping its names.\n{FENCE}python\n{row.starter_code}\n{FENCE}\n"
    else:
        how = "The program reads its input from stdin and writes the answer to stdout, and nothing else.\n"
    asked = "You are an expert Python programmer. Here is a problem; the program must pass all its tests.\n\n"
    return f"{asked}{row.question.strip()}\n\n{how}{_THINK if form == 'cot' else _ONLY}"


def _tested_name(row: MbppRow) -> str:
    """The last function of the reference that the tests call."""
    defined = [line[4:].partition("(")[0].strip() for line in row.source.splitlines() if line.startswith("def ")]
    tests = "\n".join(row.tests)
    return next((name for name in reversed(defined) if f"{name}(" in tests), defined[-1] if defined else "")


def official_program(text: str, entry_point: str, prompt: str = "") -> str:
    """EvalPlus's cut; where the response does not define the entry point, it goes on where the prompt ends."""
    program = evalplus_program(text, entry_point)
    if prompt and f"def {entry_point}" not in program:
        return evalplus_program(f"{prompt}\n{text}", entry_point)
    return program


def strictly_cut(text: str, entry_point: str, prompt: str = "") -> str:
    """Our cut: see `extraction.strict_program`; a response that goes on where the prompt ends, or in a block that the
    prompt opened, is read so too."""
    given = [text, f"{FENCE}python\n{text}"]
    if prompt:
        given += [f"{FENCE}python\n{prompt}{text}", f"{FENCE}python\n{prompt}\n{text}"]
    return next(filter(None, (strict_program(one, entry_point) for one in given)), "")


def _both(text: str, cut: Callable[[Mode], str], run: Callable[[str, Mode], Judgement]) -> Judged:
    """Strict and official verdicts on one response; a program that is cut out the same is run once per rule."""
    programs: dict[Mode, str] = {"strict": cut("strict"), "official": cut("official")}
    strict = run(programs["strict"], "strict") if programs["strict"].strip() else Judgement(False, MALFORMED)
    return Judged(strict, run(programs["official"], "official"), answer=programs["strict"] or None)


def _tests_judge(task: Task, entry_point: str, prompt: str, limits: object) -> Judge:
    def judge(text: str, jails: Jails) -> Judged:
        def run(program: str, mode: Mode) -> Judgement:
            return score_generations(task, [program], mode, jails.get(limits)).judgements[0]  # type: ignore[arg-type]

        def cut(mode: Mode) -> str:
            return (strictly_cut if mode == "strict" else official_program)(text, entry_point, prompt)

        return _both(text, cut, run)

    return judge


def _problem_judge(row: ProblemRow) -> Judge:
    def judge(text: str, jails: Jails) -> Judged:
        def run(program: str, mode: Mode) -> Judgement:
            return livecodebench_scorer.judge_program(row, program, mode, jails)

        return _both(text, lambda mode: (strict_program if mode == "strict" else livecodebench_program)(text), run)

    return judge


class _EvalPlusJudge:
    """Both verdicts on a response, found together; the last responses' verdicts are kept for the other item."""

    def __init__(self, row: EvalPlusRow, references: References) -> None:
        self.row = row
        self.references = references
        self.known: OrderedDict[str, tuple[Judged, Judged]] = OrderedDict()

    def judge(self, number: int) -> Judge:
        """The judge of the base inputs (0) or of all (1)."""

        def judge(text: str, jails: Jails) -> Judged:
            if text not in self.known:
                self.known[text] = self._judged(text, jails)
                if len(self.known) > _KEPT_RESPONSES:
                    self.known.popitem(last=False)
            return self.known[text][number]

        return judge

    def _judged(self, text: str, jails: Jails) -> tuple[Judged, Judged]:
        row = self.row
        prompt = row.prompt if row.dataset == "humaneval" else ""
        cut = strictly_cut(text, row.entry_point, prompt)
        official = official_program(text, row.entry_point, prompt)
        missing = Judgement(False, MALFORMED)
        strict_both = (missing, missing)
        if cut:
            strict_both = evalplus_scorer.judge_program(row, cut, "strict", jails, self.references)
        official_both = evalplus_scorer.judge_program(row, official, "official", jails, self.references)
        base, plus = (
            Judged(strict, published, answer=cut or None)
            for strict, published in zip(strict_both, official_both, strict=True)
        )
        return base, plus
