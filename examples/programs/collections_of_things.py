"""Lists, dicts and sets in daily use."""


def merge_intervals(intervals):
    """Overlapping intervals become one."""
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def histogram(values, width):
    """How many values fall into each bin of a width, by its start."""
    bins = {}
    for value in values:
        start = value // width * width
        bins[start] = bins.get(start, 0) + 1
    return dict(sorted(bins.items()))


def group_by_length(words):
    """Words by their length, in order of appearance."""
    groups = {}
    for word in words:
        groups.setdefault(len(word), []).append(word)
    return groups


def flatten(nested):
    """Lists in lists as one list."""
    stack = list(reversed(nested))
    flat = []
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        else:
            flat.append(item)
    return flat


def chunks(items, size):
    """Pieces of `size` items; the last may be shorter."""
    pieces = []
    for start in range(0, len(items), size):
        pieces.append(items[start : start + size])
    return pieces


def moving_average(numbers, window):
    """Mean of each run of `window` numbers."""
    averages = []
    for start in range(len(numbers) - window + 1):
        part = numbers[start : start + window]
        averages.append(sum(part) / window)
    return averages


def median(numbers):
    """The middle of the sorted numbers."""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def most_common(items):
    """The item that occurs most often, the first of equals."""
    counts = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    best = max(counts, key=counts.get)
    return best, counts[best]


def invert(table):
    """Values become keys; keys of the same value are listed."""
    inverted = {}
    for key, value in table.items():
        inverted.setdefault(value, []).append(key)
    return inverted


def without_duplicates(items):
    """Items in the order of their first appearance."""
    result = []
    for item in items:
        if item not in result:
            result.append(item)
    return result


def running_totals(numbers):
    """Sum of everything so far."""
    totals = []
    total = 0
    for number in numbers:
        total += number
        totals.append(total)
    return totals


def set_report(first, second):
    """Sorted: in both, only in the first, only in the second."""
    first, second = set(first), set(second)
    both = sorted(first & second)
    only_first = sorted(first - second)
    only_second = sorted(second - first)
    return both, only_first, only_second


def letter_grades(scores):
    """A from 90, B from 80, C from 70, else F."""
    grades = {}
    for name, score in scores.items():
        if score >= 90:
            grade = "A"
        elif score >= 80:
            grade = "B"
        elif score >= 70:
            grade = "C"
        else:
            grade = "F"
        grades[name] = grade
    return grades


def move_zeros(numbers):
    """Zeros to the end, the rest in order."""
    kept = [number for number in numbers if number != 0]
    num_zeros = len(numbers) - len(kept)
    return kept + [0] * num_zeros


assert merge_intervals([(1, 3), (2, 6), (8, 10)]) == [(1, 6), (8, 10)]
assert merge_intervals([(5, 7), (1, 9)]) == [(1, 9)]
assert merge_intervals([]) == []
assert histogram([1, 4, 12, 15, 27], 10) == {0: 2, 10: 2, 20: 1}
assert histogram([], 5) == {}
assert histogram([-1, 1], 2) == {-2: 1, 0: 1}
assert group_by_length(["a", "bb", "c"]) == {1: ["a", "c"], 2: ["bb"]}
assert group_by_length([]) == {}
assert group_by_length(["one", "two"]) == {3: ["one", "two"]}
assert flatten([1, [2, [3, 4]], 5]) == [1, 2, 3, 4, 5]
assert flatten([]) == []
assert flatten([[["x"]]]) == ["x"]
assert chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
assert chunks([], 3) == []
assert chunks("abcd", 3) == ["abc", "d"]
assert moving_average([1, 2, 3, 4], 2) == [1.5, 2.5, 3.5]
assert moving_average([5], 2) == []
assert moving_average([2, 4, 6], 3) == [4.0]
assert median([3, 1, 2]) == 2
assert median([4, 1, 3, 2]) == 2.5
assert median([7]) == 7
assert most_common(["a", "b", "a"]) == ("a", 2)
assert most_common([5]) == (5, 1)
assert most_common("mississippi") == ("i", 4)
assert invert({"a": 1, "b": 2, "c": 1}) == {1: ["a", "c"], 2: ["b"]}
assert invert({}) == {}
assert invert({"x": "y"}) == {"y": ["x"]}
assert without_duplicates([3, 1, 3, 2, 1]) == [3, 1, 2]
assert without_duplicates("hello") == ["h", "e", "l", "o"]
assert without_duplicates([]) == []
assert running_totals([1, 2, 3]) == [1, 3, 6]
assert running_totals([]) == []
assert running_totals([5, -5, 2]) == [5, 0, 2]
assert set_report([1, 2, 3], [2, 3, 4]) == ([2, 3], [1], [4])
assert set_report([], [1]) == ([], [], [1])
assert set_report("ab", "ba") == (["a", "b"], [], [])
assert letter_grades({"Ann": 95, "Bob": 72}) == {"Ann": "A", "Bob": "C"}
assert letter_grades({"Cy": 10, "Di": 80}) == {"Cy": "F", "Di": "B"}
assert letter_grades({}) == {}
assert move_zeros([0, 1, 0, 3]) == [1, 3, 0, 0]
assert move_zeros([0]) == [0]
assert move_zeros([2, 1]) == [2, 1]
