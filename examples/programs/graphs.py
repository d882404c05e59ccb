"""Graphs, given as dicts of neighbours."""


def breadth_first(graph, start):
    """Nodes in the order in which a breadth-first search meets them."""
    order = [start]
    queue = [start]
    while queue:
        node = queue.pop(0)
        for neighbour in graph[node]:
            if neighbour not in order:
                order.append(neighbour)
                queue.append(neighbour)
    return order


def depth_first(graph, start):
    """Nodes in the order in which a depth-first search meets them."""
    order = []
    stack = [start]
    while stack:
        node = stack.pop()
        if node in order:
            continue
        order.append(node)
        for neighbour in reversed(graph[node]):
            stack.append(neighbour)
    return order


def shortest_path(graph, start, goal):
    """Fewest edges between two nodes, as the list of nodes."""
    came_from = {start: None}
    queue = [start]
    for node in queue:
        for neighbour in graph[node]:
            if neighbour not in came_from:
                came_from[neighbour] = node
                queue.append(neighbour)
    path = []
    node = goal if goal in came_from else None
    while node is not None:
        path.insert(0, node)
        node = came_from[node]
    return path


def topological_order(needs):
    """Tasks in an order in which all that a task needs comes before it."""
    order = []
    waiting = {task: list(before) for task, before in needs.items()}
    while waiting:
        ready = [task for task, before in waiting.items() if all(b in order for b in before)]
        if not ready:
            return None
        order += ready
        for task in ready:
            del waiting[task]
    return order


def count_components(num_nodes, edges):
    """Union-find: number of connected parts."""
    parent = list(range(num_nodes))
    count = num_nodes
    for a, b in edges:
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        if a != b:
            parent[b] = a
            count -= 1
    return count


def degrees(edges):
    """How many edges each node has."""
    counts = {}
    for a, b in edges:
        counts[a] = counts.get(a, 0) + 1
        counts[b] = counts.get(b, 0) + 1
    return counts


def dijkstra(roads, start):
    """Distance to every place that can be reached."""
    distances = {}
    candidates = {start: 0}
    while candidates:
        place = min(candidates, key=candidates.get)
        distances[place] = candidates.pop(place)
        for neighbour, length in roads.get(place, {}).items():
            if neighbour not in distances:
                distance = distances[place] + length
                candidates[neighbour] = min(distance, candidates.get(neighbour, distance))
    return distances


def count_islands(grid):
    """Groups of `#` that touch by a side."""
    land = [(r, c) for r, row in enumerate(grid) for c, ch in enumerate(row) if ch == "#"]
    islands = 0
    while land:
        islands += 1
        stack = [land.pop()]
        while stack:
            r, c = stack.pop()
            for place in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                if place in land:
                    land.remove(place)
                    stack.append(place)
    return islands


def has_cycle(follows):
    """Whether following the links from any node ever comes back to a node."""
    for start in follows:
        seen = []
        node = start
        while node in follows and node not in seen:
            seen.append(node)
            node = follows[node]
        if node in seen:
            return True
    return False


assert breadth_first({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, "a") == ["a", "b", "c", "d"]
assert breadth_first({1: [2], 2: [1]}, 2) == [2, 1]
assert breadth_first({"x": []}, "x") == ["x"]
assert depth_first({"a": ["b", "c"], "b": ["d"], "c": [], "d": []}, "a") == ["a", "b", "d", "c"]
assert depth_first({1: [2, 3], 2: [3], 3: [1]}, 1) == [1, 2, 3]
assert depth_first({0: []}, 0) == [0]
assert shortest_path({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, "a", "d") == ["a", "b", "d"]
assert shortest_path({1: [2], 2: [], 3: []}, 1, 3) == []
assert shortest_path({1: [1]}, 1, 1) == [1]
assert topological_order({"eat": ["cook"], "cook": ["buy"], "buy": []}) == ["buy", "cook", "eat"]
assert topological_order({"a": ["b"], "b": ["a"]}) is None
assert topological_order({}) == []
assert count_components(5, [(0, 1), (3, 4)]) == 3
assert count_components(3, [(0, 1), (1, 2), (0, 2)]) == 1
assert count_components(2, []) == 2
assert degrees([(1, 2), (2, 3)]) == {1: 1, 2: 2, 3: 1}
assert degrees([]) == {}
assert degrees([("a", "b"), ("a", "b")]) == {"a": 2, "b": 2}
assert dijkstra({"a": {"b": 4, "c": 1}, "c": {"b": 2}}, "a") == {"a": 0, "c": 1, "b": 3}
assert dijkstra({}, "x") == {"x": 0}
assert dijkstra({1: {2: 7}, 2: {1: 7}}, 2) == {2: 0, 1: 7}
assert count_islands(["##.", "..#", "#.#"]) == 3
assert count_islands(["...", "..."]) == 0
assert count_islands(["###", "#.#"]) == 1
assert has_cycle({1: 2, 2: 3, 3: 1}) == True
assert has_cycle({1: 2, 2: 3}) == False
assert has_cycle({}) == False
