"""Jobs give their observations; inputs run together see what they would see alone; a backend that fails says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from execution.limits import Limits
from execution.local import LocalSandbox
from execution.records import Answer
from execution.sandbox import Job, Observation, Sandbox, SandboxError, Verdict, open_sandbox
from execution.zygote import Zygote
from tests.execution.conftest import LOW_LIMITS, open_jail

SUM = """
def f(xs):
    total = 0
    for x in xs:
        total += x
    print(f'total: {total}')
    print('done')
    xs.append(total)
    return total
"""


def without_times(seen: Observation) -> dict[str, object]:
    return {name: value for name, value in vars(seen).items() if name not in {"cpu_s", "wall_s"}}


def test_a_run_shows_states_result_output_and_arguments_after(jail: Sandbox) -> None:
    seen = jail.run(Job(SUM, "f([1, 2])", anchor_lines=(6,)))
    assert without_times(seen) == without_times(
        Observation(
            Verdict.OK,
            states=((0, "total: 3"),),
            result="3",
            result_type="int",
            result_is_literal=True,
            stdout="done\n",
            arguments_after=("[1, 2, 3]",),
        )
    )


def test_without_anchor_lines_the_same_line_is_output(jail: Sandbox) -> None:
    seen = jail.run(Job(SUM, "f([1, 2])"))
    assert (seen.states, seen.stdout) == ((), "total: 3\ndone\n")


def test_arguments_after_the_call_show_keywords_by_name(jail: Sandbox) -> None:
    seen = jail.run(Job("def f(a, *, b):\n    a.pop()\n    b['x'] = 1", "f([1, 2], b={})"))
    assert seen.arguments_after == ("[1]", "b={'x': 1}")


def test_an_exception_has_its_type_and_message(jail: Sandbox) -> None:
    seen = jail.run(Job("def f(d):\n    return d['k']", "f({})"))
    assert (seen.verdict, seen.exception, seen.result) == (Verdict.EXCEPTION, ("KeyError", "'k'"), None)


def test_a_source_that_does_not_parse_is_an_exception(jail: Sandbox) -> None:
    seen = jail.run(Job("def f(:", "f()"))
    assert seen.exception == ("SyntaxError", "invalid syntax (<program>, line 1)")


def test_a_line_without_anchor_is_refused(jail: Sandbox) -> None:
    seen = jail.run(Job(SUM, "f([])", anchor_lines=(3,)))
    assert (seen.verdict, seen.detail) == (
        Verdict.REFUSED,
        "line 3 holds no anchor, that is no print(f'NAME: {NAME}')",
    )


def test_a_program_is_a_module_of_its_own(jail: Sandbox) -> None:
    source = """
from __future__ import annotations
import asyncio, dataclasses, pickle, sys, typing
@dataclasses.dataclass
class Point:
    x: int
async def later(point):
    await asyncio.sleep(0)
    return point
def f():
    same = pickle.loads(pickle.dumps(Point(1)))
    return __name__, asyncio.run(later(same)) == Point(1), typing.get_type_hints(Point)['x'] is int, sys.argv
"""
    assert jail.run(Job(source, "f()")).result == "('program', True, True, [''])"


def test_a_source_over_the_size_is_refused(jail: Sandbox) -> None:
    seen = jail.run(Job("x = 1 #" + "y" * jail.limits.request_bytes, "x"))
    assert seen.verdict == Verdict.REFUSED


def test_states_over_the_limits_are_cut_and_flagged() -> None:
    source = "def f(n):\n    for i in range(n):\n        print(f'i: {i}')\n    return i"
    with LocalSandbox(limits=Limits(num_states=3, state_chars=5)) as sandbox:
        fits = sandbox.run(Job(source, "f(3)", anchor_lines=(3,)))
        many = sandbox.run(Job(source, "f(4)", anchor_lines=(3,)))
        long = sandbox.run(Job("def f(x):\n    print(f'x: {x}')", "f(123)", anchor_lines=(2,)))
    assert (len(fits.states), fits.flags) == (3, ())
    assert (len(many.states), many.flags, many.result) == (3, ("states_cut",), "3")
    assert (long.states, long.flags) == (((0, "x: 12…"),), ("states_cut",))


# -- together


def both_ways(sandbox: Sandbox, source: str, calls: list[str]) -> list[str | None]:
    """Results of the calls run together, after checking that they are the same one by one."""
    jobs = [Job(source, call) for call in calls]
    together = sandbox.run_together(jobs)
    assert [without_times(seen) for seen in together] == [without_times(sandbox.run(job)) for job in jobs]
    return [seen.result for seen in together]


def test_runs_together_see_what_runs_alone_see(jail: Sandbox) -> None:
    assert both_ways(jail, SUM, ["f([1])", "f([2, 3])", "f(4)", "f([5])"]) == ["1", "5", None, "5"]


@pytest.mark.parametrize(
    ("source", "num_processes"),
    [
        (
            "import random, decimal\ndef f(x):\n    random.seed(x)\n    return decimal.Decimal(x).sqrt()",
            1,
        ),
        (
            "import collections, dataclasses, typing, re, json\ndef f(x):\n    return json.dumps(re.findall('a', 'a'))",
            1,
        ),
        ("def f(x):\n    return 1 // 0", 1),
        ("import calendar\ndef f(x):\n    return x", 5),
        ("import math\ndef f(x):\n    math.x = x", 5),
        ("import collections\ndef f(x):\n    collections.Counter.x = x", 5),
    ],
)
def test_inputs_share_a_process_exactly_where_nothing_is_left_behind(
    jail: Sandbox, monkeypatch: pytest.MonkeyPatch, source: str, num_processes: int
) -> None:
    exchanges: list[bytes] = []
    exchange = Zygote.exchange

    def counted(self: Zygote, request: bytes, limits: Limits) -> Answer:
        exchanges.append(request)
        return exchange(self, request, limits)

    monkeypatch.setattr(Zygote, "exchange", counted)
    jail.run_together([Job(source, f"f({x})") for x in range(5)])
    assert len(exchanges) == num_processes


def test_module_state_is_fresh_for_every_input(jail: Sandbox) -> None:
    source = (
        "seen = []\ncount = 0\ndef f(x):\n    global count\n    count += 1\n    seen.append(x)\n    return count, seen"
    )
    assert both_ways(jail, source, ["f(1)", "f(2)"]) == ["(1, [1])", "(1, [2])"]


def test_the_random_generator_and_the_decimal_context_are_put_back(jail: Sandbox) -> None:
    source = """
import decimal, random
def f(seed):
    before = random.random() == random.Random(1).random(), decimal.getcontext().prec
    random.seed(1)
    decimal.getcontext().prec = 5
    return before
"""
    assert both_ways(jail, source, ["f(1)", "f(2)"]) == ["(False, 28)", "(False, 28)"]


def test_use_of_the_random_generator_is_told_by_its_state_afterwards(jail: Sandbox) -> None:
    source = "import random\ndef f(seed):\n    if seed: random.seed(seed)\n    return random.random() >= 0"
    first, again, other, unseeded, unseeded_again = (
        jail.run(Job(source, call)).random_state for call in ("f(1)", "f(1)", "f(2)", "f(0)", "f(0)")
    )
    assert first == again != other
    assert unseeded != unseeded_again
    assert jail.run(Job("import random\ndef f():\n    return 1", "f()")).random_state is None


@pytest.mark.parametrize(
    "poison",
    [
        "import builtins; builtins.len = lambda given: 0",
        "import math; math.pi = 3",
        "import collections; collections.Counter.total = None",
        "import sys; sys.setrecursionlimit(5000)",
        "import json; json.extra = 1",
        "__import__('sys').modules['math'] = None",
        "import calendar; calendar.setfirstweekday(3)",
    ],
)
def test_what_one_input_poisons_the_next_does_not_see(jail: Sandbox, poison: str) -> None:
    source = f"""
def f(evil):
    import math, collections, sys, json, calendar
    seen = len('ab'), math.pi, collections.Counter('aa').total(), sys.getrecursionlimit() > 4000, hasattr(json, 'extra')
    seen += (calendar.firstweekday(),)
    if evil:
        {poison}
    return seen
"""
    clean = "(2, 3.141592653589793, 2, False, False, 0)"
    assert both_ways(jail, source, ["f(True)", "f(False)", "f(True)", "f(False)"]) == [clean] * 4


def test_an_input_that_ends_badly_costs_only_itself(jail: Sandbox) -> None:
    source = "import os\ndef f(x):\n    if x == 1: os._exit(3)\n    while x == 2: pass\n    return x"
    seen = jail.run_together([Job(source, f"f({x})") for x in (0, 1, 2, 3)])
    assert [(one.verdict, one.result) for one in seen] == [
        (Verdict.OK, "0"),
        (Verdict.CRASHED, None),
        (Verdict.TIMEOUT, None),
        (Verdict.OK, "3"),
    ]


def test_an_input_that_takes_long_is_not_charged_to_the_others() -> None:
    """Each of four inputs takes half the limit, together twice the limit."""
    source = "import time\ndef f(x):\n    while time.process_time() < x: pass\n    return x"
    source = source.replace("< x", "< start + x").replace("    while", "    start = time.process_time()\n    while")
    with LocalSandbox(limits=Limits(cpu_s=0.4, wall_s=20.0)) as sandbox:
        seen = sandbox.run_together([Job(source, "f(0.2)") for _ in range(4)])
    assert [one.verdict for one in seen] == [Verdict.OK] * 4


def test_more_inputs_than_fit_one_process_all_run() -> None:
    limits = Limits(num_together=3)
    with LocalSandbox(limits=limits) as sandbox:
        seen = sandbox.run_together([Job("def f(x):\n    return x", f"f({x})") for x in range(8)])
    assert [one.result for one in seen] == [str(x) for x in range(8)]


# -- seeds


def test_hash_order_follows_the_seed_and_is_the_same_after_a_restart(jails: tuple[Sandbox, Sandbox]) -> None:
    job = Job("def f():\n    return list({'a', 'b', 'c', 'd', 'e', 'f'})", "f()")
    orders = [sandbox.run(job).result for sandbox in jails]
    assert orders[0] != orders[1]
    with open_jail(1) as again:
        assert again.run(job).result == orders[1]


# -- life and death


# -- backends


def test_without_bubblewrap_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        open_sandbox("bubblewrap")


def test_a_bubblewrap_that_fails_is_an_error_and_never_a_run_without_isolation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):  # root gives up its rights before it starts bubblewrap
        if os.getuid() == 0 and folder.owner() == "root":
            folder.chmod(folder.stat().st_mode | 0o055)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="user namespaces may be off"):
        open_sandbox("bubblewrap")


def test_an_unknown_backend_is_an_error() -> None:
    with pytest.raises(SandboxError, match="'bubblewrap' and 'local'"):
        open_sandbox("none")


def test_the_local_backend_says_that_it_does_not_isolate() -> None:
    with open_sandbox("local", limits=LOW_LIMITS) as sandbox:
        assert (sandbox.isolated, sandbox.name) == (False, "local")
        assert sandbox.run(Job(SUM, "f([1, 2])")).result == "3"
        assert sandbox.run(Job("def f():\n    while True: pass", "f()")).verdict == Verdict.TIMEOUT


def test_a_wall_limit_close_to_the_cpu_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 times"):
        Limits(cpu_s=2.0, wall_s=5.0)
