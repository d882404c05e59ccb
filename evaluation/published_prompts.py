"""Published prompts: CRUXEval and LiveCodeBench execution as their benchmarks ask them, in our own words.

Designs: facebookresearch/cruxeval, inference/prompts (Gu et al., arXiv 2401.03065); LiveCodeBench/LiveCodeBench,
lcb_runner/prompts/code_execution.py (Jain et al., arXiv 2403.07974). An instruction, solved examples, then the question
in the same tags; the prompt ends with an open tag, [ANSWER] ("direct") or [THOUGHT] ("cot"), which the response goes on
from. LiveCodeBench has no input prediction of its own: ours has the same design. The wording is ours, so figures are
comparable with published ones in form, not to the letter. REval's are in `evaluation.published_reval`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PublishedForm = Literal["direct", "cot"]
Direction = Literal["output", "input"]

STOP = "[/ANSWER]"
# LiveCodeBench's own stop text is `###` alone. The tag is added: what comes after it is cut off anyway.
LIVECODEBENCH_STOPS = (STOP, "###")
# CRUXEval limits prompt and answer together, to 1,024 (direct) and 2,048 (cot) tokens: its prompts take up to 512.
CRUXEVAL_NEW_TOKENS: dict[str, int] = {"direct": 512, "cot": 1536}
LIVECODEBENCH_NEW_TOKENS = 2000


@dataclass(frozen=True)
class PublishedPrompt:
    """The text to go on from, what ends the response, and the published limit of new tokens."""

    text: str
    stop: tuple[str, ...]
    max_new_tokens: int


@dataclass(frozen=True)
class Example:
    """A solved question: `asked` holds `??`, `answered` is the completed assertion."""

    source: str
    asked: str
    thought: str
    answered: str


def cruxeval_prompt(
    source: str, arguments: str, output: str, direction: Direction, form: PublishedForm
) -> PublishedPrompt:
    """CRUXEval's question about `f`: `assert f(arguments) == ??` or `assert f(??) == output`."""
    asked = f"assert f({arguments}) == ??" if direction == "output" else f"assert f(??) == {output}"
    text = _completion(source, asked, _EXAMPLES[direction], direction, form, called="f")
    return PublishedPrompt(text, (STOP,), CRUXEVAL_NEW_TOKENS[form])


def livecodebench_prompt(
    source: str, function_name: str, call: str, output: str, direction: Direction, form: PublishedForm
) -> PublishedPrompt:
    """LiveCodeBench's question: `call` is the whole call, with keyword arguments."""
    asked = f"assert {call} == ??" if direction == "output" else f"assert {function_name}(??) == {output}"
    text = _completion(source, asked, _NAMED_EXAMPLES[direction], direction, form, called=function_name)
    return PublishedPrompt(text, LIVECODEBENCH_STOPS, LIVECODEBENCH_NEW_TOKENS)


def tagged(name: str, content: str) -> str:
    return f"[{name}]\n{content.strip()}\n[/{name}]"


def _completion(
    source: str, asked: str, examples: tuple[Example, ...], direction: Direction, form: PublishedForm, called: str
) -> str:
    """The direct form shows two examples, the chain of thought one: the last, which has the longer thought."""
    parts = [_INSTRUCTIONS[direction, form].format(name=called)]
    for example in examples if form == "direct" else examples[-1:]:
        thought = [tagged("THOUGHT", example.thought)] if form == "cot" else []
        parts.append("\n".join([_question(example.source, example.asked), *thought, _answer(example.answered)]))
    parts.append(f"{_question(source, asked)}\n[{'ANSWER' if form == 'direct' else 'THOUGHT'}]\n")
    return "\n\n".join(parts)


def _question(source: str, asked: str) -> str:
    return tagged("PYTHON", f"{source.strip()}\n{asked}")


def _answer(answered: str) -> str:
    return f"[ANSWER]\n{answered}\n[/ANSWER]"


_LITERAL = (
    "The answer is a literal with nothing left to compute: no expression that could be made simpler and no call."
    " Answer by what the code does, even where that looks like a mistake."
)
_ANY_INPUT = "Where several inputs do, give any one of them. No explanation is part of the answer."
_INSTRUCTIONS: dict[tuple[Direction, PublishedForm], str] = {
    ("output", "direct"): (
        "Below are a Python function and an assertion about what it returns for a given input. Complete the assertion"
        f" with the value that the function returns. {_LITERAL} Write the completed assertion between [ANSWER] and"
        " [/ANSWER], in the form of the examples, and nothing besides."
    ),
    ("output", "cot"): (
        "Below are a Python function and an assertion about what it returns for a given input. First execute the"
        " program on that input one step at a time, between [THOUGHT] and [/THOUGHT]. Then complete the assertion with"
        f" the value that is returned, between [ANSWER] and [/ANSWER], in the form of the example. {_LITERAL}"
    ),
    ("input", "direct"): (
        "Below are a Python function {name} and an assertion about what it returns, with the input left open. Find an"
        f" input for which the assertion holds when {{name}} is executed on it. {_ANY_INPUT} Write the completed"
        " assertion between [ANSWER] and [/ANSWER], in the form of the examples."
    ),
    ("input", "cot"): (
        "Below are a Python function {name} and an assertion about what it returns, with the input left open. Find an"
        f" input for which the assertion holds when {{name}} is executed on it. {_ANY_INPUT} First reason from the"
        " result back to the input, between [THOUGHT] and [/THOUGHT]; then write the completed assertion between"
        " [ANSWER] and [/ANSWER], in the form of the example."
    ),
}

_EXAMPLES: dict[Direction, tuple[Example, ...]] = {
    "output": (
        Example(
            "def f(k):\n    return k",
            "assert f(23) == ??",
            "f returns its argument unchanged, and that is 23.",
            "assert f(23) == 23",
        ),
        Example(
            'def f(word):\n    word = word + "q"\n    return word',
            'assert f("mnq") == ??',
            '1. f is called with "mnq", so word is "mnq".\n'
            '2. The first line puts "q" at the end of word.\n'
            '3. "mnq" and "q" together are "mnqq", which word is now.\n'
            "4. The next line returns word.\n"
            '5. So the returned value is "mnqq".',
            'assert f("mnq") == "mnqq"',
        ),
    ),
    "input": (
        Example(
            "def f(words):\n    n = 0\n    for word in words:\n        if len(word) % 2 == 0:\n            n += 1\n"
            "    return n",
            "assert f(??) == 2",
            "f counts words of even length; two such words and any number of others will do.",
            'assert f(["ab", "c", "defg"]) == 2',
        ),
        Example(
            "def f(left, right):\n    return left + right",
            'assert f(??) == "dusk"',
            'The result is left followed by right, and it is to be "dusk". Any place to cut "dusk" in two will do. With'
            ' "du" for left, right has to be what remains, "sk". Then f("du", "sk") is "du" + "sk", which is "dusk".',
            'assert f("du", "sk") == "dusk"',
        ),
    ),
}


_NAMED_EXAMPLES: dict[Direction, tuple[Example, ...]] = {
    "output": (
        Example(
            "def sameNumber(number: int) -> int:\n    return number",
            "assert sameNumber(number = 23) == ??",
            "sameNumber returns its argument unchanged, and that is 23.",
            "assert sameNumber(number = 23) == 23",
        ),
        Example(
            'def addLetter(word: str) -> str:\n    word = word + "q"\n    return word',
            'assert addLetter(word = "mnq") == ??',
            '1. addLetter is called with word = "mnq".\n'
            '2. The first line puts "q" at the end of word.\n'
            '3. "mnq" and "q" together are "mnqq", which word is now.\n'
            "4. The next line returns word.\n"
            '5. So the returned value is "mnqq".',
            'assert addLetter(word = "mnq") == "mnqq"',
        ),
    ),
    "input": (
        Example(
            "def countEven(words: List[str]) -> int:\n    return sum(len(word) % 2 == 0 for word in words)",
            "assert countEven(??) == 2",
            "countEven counts words of even length; two such words and any number of others will do.",
            'assert countEven(words = ["ab", "c", "defg"]) == 2',
        ),
        Example(
            "def joinBoth(left: str, right: str) -> str:\n    return left + right",
            'assert joinBoth(??) == "dusk"',
            'The result is left followed by right, and it is to be "dusk". Any place to cut "dusk" in two will do. With'
            ' "du" for left, right has to be what remains, "sk". Then left + right is "du" + "sk", which is "dusk".',
            'assert joinBoth(left = "du", right = "sk") == "dusk"',
        ),
    ),
}
