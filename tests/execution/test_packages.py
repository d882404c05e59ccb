"""Packages that a jail shows where asked: those and what they need, imported already, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from execution.limits import MEBIBYTE, Limits
from execution.packages import shown_packages
from execution.sandbox import Job, Sandbox, Verdict, open_sandbox

ROOMY = replace(Limits(), memory_bytes=4096 * MEBIBYTE)


@pytest.fixture(scope="module", params=["bubblewrap", "local"])
def with_numpy(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with open_sandbox(request.param, limits=ROOMY, packages=("numpy", "not-installed-anywhere")) as sandbox:
        yield sandbox


def test_a_package_that_was_asked_for_works(with_numpy: Sandbox) -> None:
    seen = with_numpy.run(Job("import numpy\ndef f(n):\n    return numpy.linalg.inv(numpy.eye(n) * 2)", "f(2)"))
    assert (seen.verdict, seen.result) == (Verdict.OK, "array([[0.5, 0.0], [0.0, 0.5]])")


def test_it_is_fresh_for_the_next_program(with_numpy: Sandbox) -> None:
    with_numpy.run(Job("import numpy\nnumpy.pi = 3\ndef f():\n    return 1", "f()"))
    assert with_numpy.run(Job("import numpy\ndef f():\n    return numpy.pi > 3", "f()")).result == "True"


def test_in_an_isolated_jail_no_other_package_is_there() -> None:
    with open_sandbox("bubblewrap", limits=ROOMY, packages=("numpy",)) as sandbox:
        seen = sandbox.run(Job("import os\ndef f():\n    return sorted(os.listdir('/packages'))", "f()"))
        assert seen.result == "['numpy', 'numpy.libs']"
        writing = sandbox.run(Job("def f():\n    open('/packages/numpy/x', 'w')", "f()"))
        assert writing.verdict == Verdict.REFUSED


def test_what_a_package_needs_is_shown_with_it_and_only_the_package_is_imported() -> None:
    shown = shown_packages(("beautifulsoup4",))
    assert {"bs4", "soupsieve"} <= set(shown.entries) and shown.imports == ("bs4",)


def test_one_that_is_not_installed_is_not_shown() -> None:
    assert shown_packages(("not-installed-anywhere",)).entries == {}
