"""Small classes, each with a function that uses it."""


class Stack:
    """Last in, first out."""

    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop() if self.items else None


def use_stack(commands):
    """Runs `push x` and `pop`; what was popped."""
    stack = Stack()
    popped = []
    for command in commands:
        name, _, value = command.partition(" ")
        if name == "push":
            stack.push(value)
        else:
            popped.append(stack.pop())
    return popped


class Queue:
    """First in, first out, with two stacks."""

    def __init__(self):
        self.inbox = []
        self.outbox = []

    def put(self, item):
        self.inbox.append(item)

    def get(self):
        if not self.outbox:
            while self.inbox:
                self.outbox.append(self.inbox.pop())
        return self.outbox.pop()


def serve(customers, num_served):
    """Who is served first, and how many still wait."""
    queue = Queue()
    for customer in customers:
        queue.put(customer)
    served = [queue.get() for _ in range(num_served)]
    waiting = len(queue.inbox) + len(queue.outbox)
    return served, waiting


class Account:
    """A balance that can't be overdrawn."""

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        self.balance += amount

    def withdraw(self, amount):
        if amount > self.balance:
            return False
        self.balance -= amount
        return True


def bank_day(start, amounts):
    """Final balance and number of refusals; negative amounts are withdrawals."""
    account = Account("Ada", start)
    refused = 0
    for amount in amounts:
        if amount >= 0:
            account.deposit(amount)
        elif not account.withdraw(-amount):
            refused += 1
    balance = account.balance
    return balance, refused


class LruCache:
    """Forgets what was not used for longest."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.items = {}

    def get(self, key):
        if key not in self.items:
            return -1
        self.items[key] = self.items.pop(key)
        return self.items[key]

    def put(self, key, value):
        self.items.pop(key, None)
        if len(self.items) == self.capacity:
            oldest = next(iter(self.items))
            del self.items[oldest]
        self.items[key] = value


def cache_hits(capacity, keys):
    """How often a key was still in the cache."""
    cache = LruCache(capacity)
    hits = 0
    for key in keys:
        if cache.get(key) != -1:
            hits += 1
        else:
            cache.put(key, key)
    return hits


class Point:
    """A place in the plane."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    def distance(self):
        return abs(self.x) + abs(self.y)


def walk(directions):
    """Where N, S, E and W lead from the origin, and how far that is."""
    moves = {"N": Point(0, 1), "S": Point(0, -1), "E": Point(1, 0), "W": Point(-1, 0)}
    place = Point(0, 0)
    for direction in directions:
        place = place + moves[direction]
    x, y = place.x, place.y
    return x, y, place.distance()


class Node:
    """One link of a chain."""

    def __init__(self, value, rest=None):
        self.value = value
        self.rest = rest


def reverse_chain(values):
    """The values of a linked list after it was reversed."""
    head = None
    for value in reversed(values):
        head = Node(value, head)
    turned = None
    while head is not None:
        turned, head = Node(head.value, turned), head.rest
    result = []
    while turned is not None:
        result.append(turned.value)
        turned = turned.rest
    return result


class Tree:
    """A binary search tree."""

    def __init__(self, value):
        self.value = value
        self.left = None
        self.right = None

    def insert(self, value):
        side = "left" if value < self.value else "right"
        child = getattr(self, side)
        if child is None:
            setattr(self, side, Tree(value))
        else:
            child.insert(value)

    def height(self):
        sides = [side.height() for side in (self.left, self.right) if side]
        return 1 + max(sides, default=0)


def tree_height(values):
    """Height of the tree after inserting the values in order."""
    tree = Tree(values[0])
    for value in values[1:]:
        tree.insert(value)
    return tree.height()


class Inventory:
    """Counts of goods and their prices."""

    def __init__(self, prices):
        self.prices = prices
        self.counts = {}

    def add(self, name, count):
        self.counts[name] = self.counts.get(name, 0) + count

    def total(self):
        return sum(self.prices[name] * count for name, count in self.counts.items())


def basket_price(prices, basket):
    """Price of all goods in a basket."""
    inventory = Inventory(prices)
    for name in basket:
        inventory.add(name, 1)
    counts = inventory.counts
    total = inventory.total()
    return counts, total


assert use_stack(["push a", "push b", "pop", "pop", "pop"]) == ["b", "a", None]
assert use_stack(["push x"]) == []
assert use_stack(["pop"]) == [None]
assert serve(["Ann", "Bob", "Cy"], 2) == (["Ann", "Bob"], 1)
assert serve(["Ann"], 1) == (["Ann"], 0)
assert serve([], 0) == ([], 0)
assert bank_day(100, [50, -30, -200]) == (120, 1)
assert bank_day(0, [-1, -1]) == (0, 2)
assert bank_day(10, []) == (10, 0)
assert cache_hits(2, [1, 2, 1, 3, 2]) == 1
assert cache_hits(1, ["a", "a", "b"]) == 1
assert cache_hits(3, [1, 2, 3, 1, 2]) == 2
assert walk("NNEW") == (0, 2, 2)
assert walk("SSE") == (1, -2, 3)
assert walk("") == (0, 0, 0)
assert reverse_chain([1, 2, 3]) == [3, 2, 1]
assert reverse_chain(["a"]) == ["a"]
assert reverse_chain([]) == []
assert tree_height([5, 3, 8]) == 2
assert tree_height([1, 2, 3]) == 3
assert tree_height([4]) == 1
assert basket_price({"tea": 3, "milk": 2}, ["tea", "milk", "tea"]) == ({"tea": 2, "milk": 1}, 8)
assert basket_price({"tea": 3}, []) == ({}, 0)
assert basket_price({"pen": 1}, ["pen"]) == ({"pen": 1}, 1)
