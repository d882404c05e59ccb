"""How the tests attack: run a hostile program, then see that an honest one notices nothing."""

from __future__ import annotations

from textwrap import dedent

from execution.sandbox import Job, Observation, Sandbox, Verdict


def attack(jail: Sandbox, source: str, *, events: bool = False, files: bool = False) -> Observation:
    """Run `f()` of the source; afterwards an honest program must still give its result."""
    seen = jail.run(Job(dedent(source), "f()", events=events, files=files))
    honest = jail.run(Job("def f(x):\n    return len(sorted([x, 1])), print('hi')", "f(3)"))
    assert (honest.verdict, honest.result, honest.stdout) == (Verdict.OK, "(2, None)", "hi\n"), honest
    return seen


def errors_of(jail: Sandbox, imports: str, *actions: str, files: bool = False) -> str | None:
    """The canonical list of what each action raised: an errno, a type name, or 'DONE'."""
    source = f"{imports}\ndef f():\n    seen = []\n"
    for action in actions:
        source += (
            f"    try:\n        {action}\n        seen.append('DONE')\n"
            "    except OSError as error:\n        seen.append(error.errno)\n"
            "    except BaseException as error:\n        seen.append(type(error).__name__)\n"
        )
    return attack(jail, source + "    return seen\n", files=files).result
