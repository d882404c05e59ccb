"""Searching in lists."""


def linear_search(items, wanted):
    """Position of the first match, or -1."""
    for position, item in enumerate(items):
        if item == wanted:
            return position
    return -1


def binary_search(items, wanted):
    """Position of `wanted` in a sorted list, or -1."""
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == wanted:
            return middle
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def insertion_point(items, value):
    """Where `value` goes in a sorted list, left of its equals."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


def two_sum(numbers, target):
    """Positions of the first pair that adds up to `target`."""
    seen = {}
    for position, number in enumerate(numbers):
        if target - number in seen:
            return seen[target - number], position
        seen[number] = position
    return None


def second_largest(numbers):
    """The second largest of the different numbers."""
    best = second = None
    for number in numbers:
        if best is None or number > best:
            best, second = number, best
        elif number != best and (second is None or number > second):
            second = number
    return second


def majority_element(votes):
    """Boyer and Moore's vote: the element that fills more than half of the list."""
    candidate, count = None, 0
    for vote in votes:
        if count == 0:
            candidate = vote
        count += 1 if vote == candidate else -1
    return candidate


def missing_number(numbers):
    """The one number of 0..n that is not in the list."""
    n = len(numbers)
    expected = n * (n + 1) // 2
    found = sum(numbers)
    return expected - found


def max_subarray(numbers):
    """Kadane: the largest sum of neighbouring numbers."""
    best = current = numbers[0]
    for number in numbers[1:]:
        current = max(number, current + number)
        best = max(best, current)
    return best


def rotate(items, steps):
    """The list turned to the right by `steps`."""
    if not items:
        return []
    shift = steps % len(items)
    tail = items[-shift:] if shift else []
    head = items[: len(items) - shift]
    return tail + head


def first_duplicate(items):
    """The first item that occurred before, or None."""
    seen = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


assert linear_search([4, 8, 15, 16], 15) == 2
assert linear_search(["a", "b"], "c") == -1
assert linear_search([], 1) == -1
assert binary_search([1, 3, 5, 7, 9, 11], 9) == 4
assert binary_search([1, 3, 5, 7], 4) == -1
assert binary_search([2], 2) == 0
assert insertion_point([10, 20, 20, 30], 20) == 1
assert insertion_point([10, 20, 30], 35) == 3
assert insertion_point([], 5) == 0
assert two_sum([2, 7, 11, 15], 9) == (0, 1)
assert two_sum([3, 2, 4], 6) == (1, 2)
assert two_sum([1, 2, 3], 100) is None
assert second_largest([3, 9, 4, 9, 7]) == 7
assert second_largest([5, 5]) is None
assert second_largest([1, 2]) == 1
assert majority_element([3, 3, 4, 2, 3, 3]) == 3
assert majority_element(["x"]) == "x"
assert majority_element([1, 2, 2]) == 2
assert missing_number([3, 0, 1]) == 2
assert missing_number([0, 1, 2, 3]) == 4
assert missing_number([1]) == 0
assert max_subarray([-2, 1, -3, 4, -1, 2, 1, -5, 4]) == 6
assert max_subarray([-3, -1, -2]) == -1
assert max_subarray([5, 4, -1, 7]) == 15
assert rotate([1, 2, 3, 4, 5], 2) == [4, 5, 1, 2, 3]
assert rotate([1, 2, 3], 3) == [1, 2, 3]
assert rotate([], 4) == []
assert first_duplicate([2, 5, 1, 5, 2]) == 5
assert first_duplicate("banana") == "a"
assert first_duplicate([1, 2, 3]) is None
