"""Tables of smaller answers."""


def climb_stairs(steps):
    """Ways to climb by one or two stairs."""
    ways = [1, 1]
    for i in range(2, steps + 1):
        ways.append(ways[i - 1] + ways[i - 2])
    return ways[steps]


def fewest_coins(coins, amount):
    """Fewest coins that make the amount, or -1."""
    best = [0] + [amount + 1] * amount
    for value in range(1, amount + 1):
        for coin in coins:
            if coin <= value:
                best[value] = min(best[value], best[value - coin] + 1)
    return best[amount] if best[amount] <= amount else -1


def count_change(coins, amount):
    """In how many ways coins make the amount."""
    ways = [1] + [0] * amount
    for coin in coins:
        for value in range(coin, amount + 1):
            ways[value] += ways[value - coin]
    return ways[amount]


def knapsack(weights, values, capacity):
    """Largest value that fits."""
    best = [0] * (capacity + 1)
    for weight, value in zip(weights, values):
        for room in range(capacity, weight - 1, -1):
            best[room] = max(best[room], best[room - weight] + value)
    return best[capacity]


def longest_common_subsequence(a, b):
    """Letters that both texts have in the same order."""
    rows = [[""] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            if x == y:
                rows[i + 1][j + 1] = rows[i][j] + x
            else:
                rows[i + 1][j + 1] = max(rows[i][j + 1], rows[i + 1][j], key=len)
    return rows[-1][-1]


def edit_distance(a, b):
    """Levenshtein's number of insertions, deletions and replacements."""
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        current = [i]
        for j, y in enumerate(b, start=1):
            change = previous[j - 1] + (x != y)
            current.append(min(change, previous[j] + 1, current[j - 1] + 1))
        previous = current
    return previous[-1]


def longest_increasing(numbers):
    """Length of the longest increasing subsequence."""
    lengths = []
    for i, number in enumerate(numbers):
        before = [lengths[j] for j in range(i) if numbers[j] < number]
        lengths.append(1 + max(before, default=0))
    return max(lengths, default=0)


def max_loot(houses):
    """Most money from houses that are not neighbours."""
    with_last = without_last = 0
    for money in houses:
        with_last, without_last = without_last + money, max(with_last, without_last)
    return max(with_last, without_last)


def grid_paths(rows, columns):
    """Ways from corner to corner, right and down only."""
    paths = [1] * columns
    for _ in range(rows - 1):
        for column in range(1, columns):
            paths[column] += paths[column - 1]
    return paths[-1]


def best_trade(prices):
    """Largest gain from buying once and selling later."""
    lowest = prices[0]
    gain = 0
    for price in prices[1:]:
        gain = max(gain, price - lowest)
        lowest = min(lowest, price)
    return gain


def can_sum(numbers, target):
    """Whether some of the numbers add up to the target."""
    reachable = {0}
    for number in numbers:
        reachable |= {total + number for total in reachable}
    found = target in reachable
    return found


assert climb_stairs(5) == 8
assert climb_stairs(1) == 1
assert climb_stairs(3) == 3
assert fewest_coins([1, 3, 4], 6) == 2
assert fewest_coins([2], 3) == -1
assert fewest_coins([5], 0) == 0
assert count_change([1, 2, 5], 5) == 4
assert count_change([2], 3) == 0
assert count_change([1], 0) == 1
assert knapsack([1, 3, 4], [15, 20, 30], 4) == 35
assert knapsack([5], [10], 4) == 0
assert knapsack([2, 2], [3, 4], 3) == 4
assert longest_common_subsequence("abcde", "ace") == "ace"
assert longest_common_subsequence("ab", "cd") == ""
assert longest_common_subsequence("aggtab", "gxtxayb") == "gtab"
assert edit_distance("kitten", "sitting") == 3
assert edit_distance("", "abc") == 3
assert edit_distance("flaw", "lawn") == 2
assert longest_increasing([10, 9, 2, 5, 3, 7, 101, 18]) == 4
assert longest_increasing([3, 2, 1]) == 1
assert longest_increasing([]) == 0
assert max_loot([2, 7, 9, 3, 1]) == 12
assert max_loot([5]) == 5
assert max_loot([1, 2, 3, 1]) == 4
assert grid_paths(3, 3) == 6
assert grid_paths(1, 5) == 1
assert grid_paths(3, 7) == 28
assert best_trade([7, 1, 5, 3, 6, 4]) == 5
assert best_trade([7, 6, 4]) == 0
assert best_trade([2, 9]) == 7
assert can_sum([3, 34, 4, 12], 7) == True
assert can_sum([3, 5], 4) == False
assert can_sum([], 0) == True
