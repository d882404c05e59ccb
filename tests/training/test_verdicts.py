"""How runs ended is counted for every task: committed inputs, programs asked for, programs set to a model's states."""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from evaluation.run_verdicts import VERDICTS
from execution.sandbox import Sandbox
from tests.evaluation.test_scoring import BrokenSandbox
from tests.training.test_code_rewards import PROBLEM, RIGHT, respond
from tests.training.test_modes import blocks, real_trace
from training.code_rewards import grade_code
from training.grading import Graded, grade
from training.rollout_metrics import rollout_metrics
from training.tokenizer import encode

DIVIDES = real_trace("def f(x):\n    a = x + 1\n    b = 6 // a\n    return b\n", "f(2)")


def counted(graded: list[Graded]) -> dict[str, int]:
    """The columns that are not 0."""
    figures = rollout_metrics(graded, [1] * len(graded), len(graded))
    columns = {f"sandbox_{word}" for word in VERDICTS}
    assert columns <= figures.keys()
    return {name: number for name, number in figures.items() if name in columns and number}


def test_programs_that_were_asked_for_are_counted(tokenizer: PreTrainedTokenizerFast, jail: Sandbox) -> None:
    programs = [
        RIGHT,
        "def f(x):\n    return 0",
        "def f(x):\n    return x.missing",
        "def f(x):\n    while True: pass",
        "def f(x):\n    return [0] * 2**40",
        "import os\ndef f(x):\n    os._exit(0)",
        "import os\ndef f(x):\n    os.fork()",
        "import sys\ndef f(x):\n    return sys._getframe()",
    ]
    texts = [*map(respond, programs), "no answer: nothing is run"]
    graded = [grade_code(PROBLEM, encode(tokenizer, text), tokenizer, jail, 0.05) for text in texts]
    words = ("raised", "timeout", "memory", "crashed", "refused", "tampered")
    assert counted(graded) == {"sandbox_ok": 2} | {f"sandbox_{word}": 1 for word in words}
    broken = grade_code(PROBLEM, encode(tokenizer, respond(RIGHT)), tokenizer, BrokenSandbox(), 0.05)
    assert counted([broken]) == {"sandbox_failed": 1}


def test_runs_from_a_models_own_states_are_counted(tokenizer: PreTrainedTokenizerFast, jail: Sandbox) -> None:
    def judged(sandbox: Sandbox, *states: str) -> Graded:
        ids = encode(tokenizer, blocks(*states) + "<answer>2</answer>")
        return grade("output", DIVIDES, ids, tokenizer, sandbox, own_states=True)

    right = judged(jail, "a: 3", "b: 2", "b: 2")
    other = judged(jail, "a: 1", "b: 6", "b: 6")
    by_zero = judged(jail, "a: 0", "b: 6", "b: 6")
    assert counted([right]) == {}, "without a wrong step nothing is run"
    assert counted([right, other, by_zero]) == {"sandbox_ok": 1, "sandbox_raised": 1}
    assert counted([judged(BrokenSandbox(), "a: 1", "b: 6", "b: 6")]) == {"sandbox_failed": 1}


def test_runs_on_committed_inputs_are_counted(tokenizer: PreTrainedTokenizerFast, jail: Sandbox) -> None:
    def judged(sandbox: Sandbox, given: str, own: bool = False) -> Graded:
        text = f"<input>{given}</input>" + blocks("a: 1", "b: 6", "b: 6") + "<answer>2</answer>"
        return grade("input", DIVIDES, encode(tokenizer, text), tokenizer, sandbox, own_states=own)

    graded = [judged(jail, given) for given in ("2", "5", "-1", "x")]
    assert counted(graded) == {"sandbox_ok": 2, "sandbox_raised": 1}
    assert counted([judged(BrokenSandbox(), "2")]) == {"sandbox_failed": 1}
    assert counted([judged(jail, "2", own=True)]) == {"sandbox_ok": 2}, "on the input, and from the model's states"
