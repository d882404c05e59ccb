"""Sorting by hand."""


def bubble_sort(items):
    """Neighbours change places until nothing moves."""
    items = list(items)
    for end in range(len(items) - 1, 0, -1):
        for i in range(end):
            if items[i] > items[i + 1]:
                items[i], items[i + 1] = items[i + 1], items[i]
    return items


def insertion_sort(items):
    """Each item goes back to its place among those before it."""
    result = []
    for item in items:
        place = len(result)
        while place > 0 and result[place - 1] > item:
            place -= 1
        result.insert(place, item)
    return result


def selection_sort(items):
    """The smallest of the rest comes next."""
    rest = list(items)
    result = []
    while rest:
        smallest = min(rest)
        rest.remove(smallest)
        result.append(smallest)
    return result


def merge(left, right):
    """Two sorted lists as one."""
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]


def merge_sort(items):
    """Halves are sorted, then merged."""
    if len(items) <= 1:
        return items
    middle = len(items) // 2
    return merge(merge_sort(items[:middle]), merge_sort(items[middle:]))


def quick_sort(items):
    """Smaller, equal and larger than the first item."""
    if len(items) <= 1:
        return items
    pivot = items[0]
    smaller = [item for item in items[1:] if item < pivot]
    larger = [item for item in items[1:] if item >= pivot]
    return quick_sort(smaller) + [pivot] + quick_sort(larger)


def counting_sort(numbers):
    """Counts how often each small number occurs."""
    if not numbers:
        return []
    counts = [0] * (max(numbers) + 1)
    for number in numbers:
        counts[number] += 1
    result = []
    for number, count in enumerate(counts):
        result += [number] * count
    return result


def is_sorted(items):
    """Whether no item is smaller than the one before."""
    return all(a <= b for a, b in zip(items, items[1:]))


def rank(scores):
    """Place of each score, the highest first; equal scores share a place."""
    ordered = sorted(scores, reverse=True)
    places = [ordered.index(score) + 1 for score in scores]
    return places


def dutch_flag(colours):
    """Sorts a list of 0, 1 and 2 in one pass."""
    colours = list(colours)
    low, i, high = 0, 0, len(colours) - 1
    while i <= high:
        if colours[i] == 0:
            colours[low], colours[i] = colours[i], colours[low]
            low += 1
            i += 1
        elif colours[i] == 2:
            colours[i], colours[high] = colours[high], colours[i]
            high -= 1
        else:
            i += 1
    return colours


assert bubble_sort([5, 1, 4, 2]) == [1, 2, 4, 5]
assert bubble_sort([]) == []
assert bubble_sort(["pear", "fig", "apple"]) == ["apple", "fig", "pear"]
assert insertion_sort([3, 1, 2]) == [1, 2, 3]
assert insertion_sort([2, 2, 1]) == [1, 2, 2]
assert insertion_sort([9]) == [9]
assert selection_sort([64, 25, 12, 22]) == [12, 22, 25, 64]
assert selection_sort([1, 1]) == [1, 1]
assert selection_sort([]) == []
assert merge([1, 4, 9], [2, 3]) == [1, 2, 3, 4, 9]
assert merge([], [7]) == [7]
assert merge([1, 1], [1]) == [1, 1, 1]
assert merge_sort([3, 1, 2]) == [1, 2, 3]
assert merge_sort([2, 1]) == [1, 2]
assert merge_sort([5]) == [5]
assert quick_sort([3, 1, 2]) == [1, 2, 3]
assert quick_sort([2, 2]) == [2, 2]
assert quick_sort([]) == []
assert counting_sort([3, 0, 2, 3, 1]) == [0, 1, 2, 3, 3]
assert counting_sort([5]) == [5]
assert counting_sort([]) == []
assert is_sorted([1, 2, 2, 5]) == True
assert is_sorted([3, 1]) == False
assert is_sorted([]) == True
assert rank([50, 80, 80, 20]) == [3, 1, 1, 4]
assert rank([1]) == [1]
assert rank([10, 30, 20]) == [3, 1, 2]
assert dutch_flag([2, 0, 1, 2, 0]) == [0, 0, 1, 2, 2]
assert dutch_flag([1, 0]) == [0, 1]
assert dutch_flag([]) == []
