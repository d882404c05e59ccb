"""Jails: one sandbox per limits, packages and hash seed, closed together."""

from __future__ import annotations

from dataclasses import replace

from evaluation.jails import Jails
from execution.limits import DEFAULT_LIMITS


def test_a_sandbox_is_opened_once_for_each_limits_and_hash_seed() -> None:
    longer = replace(DEFAULT_LIMITS, cpu_s=3.0)
    with Jails("local") as jails:
        first = jails.get()
        assert jails.get() is first
        assert jails.get(DEFAULT_LIMITS, (), 0) is first
        others = [jails.get(longer), jails.get(hash_seed=1)]
        assert len({id(one) for one in (first, *others)}) == 3
        assert [one.hash_seed for one in others] == [0, 1]
        assert others[0].limits == longer
