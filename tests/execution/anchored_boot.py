"""Starts Python with anchored modules and runs unit tests on them: `python -S … FOLDER TEST_MODULE…`.

FOLDER holds NAME.code, the marshalled code of each anchored module with the path of its original. Nothing is
imported before the hook is in place, and there is no `site`, so that a module is anchored wherever it is used.
Prints one JSON object; exit status 77 where this Python has no tests.
"""

import _frozen_importlib_external as external  # type: ignore[import-not-found]
import marshal
import posix
import sys

# A longer list, tuple, dict or set is formatted as its first so many elements: the whole of it at each anchor
# makes heapq's tests, on heaps of thousands, take eleven minutes.
MOST_ELEMENTS = 100
num_shown = 0


def sink(value: object, type: object = type, len: object = len, zip: object = zip) -> None:
    """Make the anchor's text as `f'{value}'` does, and drop it; tests that replace builtins do not reach it."""
    global num_shown
    num_shown += 1
    kind = type(value)  # type: ignore[operator]
    if kind in (list, tuple) and len(value) > MOST_ELEMENTS:  # type: ignore[arg-type]
        value = value[:MOST_ELEMENTS]  # type: ignore[index]
    elif kind in (dict, set, frozenset) and len(value) > MOST_ELEMENTS:  # type: ignore[arg-type]
        value = [element for element, _ in zip(value, range(MOST_ELEMENTS))]  # type: ignore[call-overload]
    f"{value}"


class Loader(external.SourceFileLoader):  # type: ignore[misc]
    def __init__(self, name: str, path: str, code: object) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> object:
        return self.code

    def exec_module(self, module: object) -> None:
        module._sink = sink  # type: ignore[attr-defined]
        super().exec_module(module)


class Finder:
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names = {name[: -len(".code")] for name in posix.listdir(folder) if name.endswith(".code")}

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name not in self.names:
            return None
        with open(f"{self.folder}/{name}.code", "rb") as file:  # noqa: PTH123 - pathlib may be anchored itself
            origin, is_package, code = marshal.load(file)
        places = [origin.rpartition("/")[0]] if is_package else None
        loader = Loader(name, origin, code)
        return external.spec_from_file_location(name, origin, loader=loader, submodule_search_locations=places)


def main() -> None:
    finder = Finder(sys.argv[1])
    sys.meta_path.insert(0, finder)
    for name in finder.names:
        sys.modules.pop(name, None)
    for name in ["os", *sorted(finder.names)]:  # os first: it resolves the circle of os, posixpath and genericpath
        __import__(name)
    try:
        import test.support
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(77)
    import io
    import json
    import unittest

    test.support.use_resources = []  # as `python -m test`: no network, no big memory, nothing that takes minutes
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[2:])
    stdout = sys.stdout
    sys.stdout = io.StringIO()
    result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
    sys.stdout = stdout
    failed = {str(case): text for case, text in result.failures + result.errors}
    print(json.dumps({"num_shown": num_shown, "num_run": result.testsRun, "failed": failed}))
    sys.stdout.flush()
    posix._exit(0)  # some suites leave threads behind


if __name__ == "__main__":
    main()
