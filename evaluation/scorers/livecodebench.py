"""LiveCodeBench, code execution: the imports that stand before its programs, which bring none of their own.

Source: LiveCodeBench/LiveCodeBench, lcb_runner/evaluation/utils_execute.py (Jain et al., arXiv 2403.07974). Two of its
lines bring numpy and pandas into scope: the sandbox must show PACKAGES.
"""

from __future__ import annotations

from evaluation.scorers.completions import Completion

PACKAGES = ("numpy", "pandas")
IMPORTS = """
from itertools import accumulate, chain, combinations, count, permutations, product, groupby, islice, repeat
from itertools import zip_longest, cycle
from copy import deepcopy
from string import ascii_lowercase
from math import floor, log2, log10, sqrt, comb, gcd, ceil, inf, isqrt, log, prod
from collections import defaultdict, deque, Counter, OrderedDict
from bisect import bisect, bisect_left, bisect_right, insort
from heapq import heappush, heappop, heapify, merge
from functools import reduce, cache, lru_cache, partial
from random import randrange, shuffle
from operator import itemgetter, sub, iand
from re import search as re_search
from os.path import commonprefix
from typing import List, Tuple, Dict, Set, Optional, Union, Any, Callable, Iterable, Iterator, Generator
import copy, string, math, collections, bisect, heapq, functools, random, itertools, operator, re, sys
import numpy as np
import pandas as pd
"""


def completion(source: str, entry_point: str, call: str, output: str) -> Completion:
    """A row of livecodebench/execution-v2: `call` is the whole call, with keyword arguments."""
    return Completion(f"{IMPORTS}\n{source}", entry_point, call, output, failed_when_none_passed=False)
