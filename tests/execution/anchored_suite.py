"""Runs unit tests against modules that carry anchors: `python -m … MODULE[,MODULE…] TEST_MODULE…`.

The anchors are evaluated and sent to a sink. Prints one JSON object; exit status 77 where this Python has no tests.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import io
import json
import sys
import types
import unittest
from collections.abc import Sequence

from execution.anchors import instrument
from tests.execution.behaviour_batch import compile_anchored

num_anchors = 0


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name in self.names else None
        if spec is not None and spec.origin is not None:
            spec.loader = Loader(name, spec.origin)
        return spec


class Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, name: str) -> types.CodeType:
        global num_anchors
        source = self.get_source(name)
        assert source is not None
        num_anchors += len(instrument(source).anchors)
        code: types.CodeType = compile_anchored(source)
        return code

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["_sink"] = lambda text: None
        super().exec_module(module)


def main() -> None:
    names = sys.argv[1].split(",")
    try:
        importlib.import_module("test.support")
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(77)
    for name in names:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Finder(set(names)))
    for name in names:
        importlib.import_module(name)
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[2:])
    stdout, sys.stdout = sys.stdout, io.StringIO()
    result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
    sys.stdout = stdout
    failed = [str(test) for test, _ in result.failures + result.errors]
    print(json.dumps({"num_anchors": num_anchors, "num_run": result.testsRun, "failed": failed}))


if __name__ == "__main__":
    main()
