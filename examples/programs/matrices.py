"""Tables of numbers."""


def transpose(matrix):
    """Rows become columns."""
    if not matrix:
        return []
    result = []
    for column in range(len(matrix[0])):
        result.append([row[column] for row in matrix])
    return result


def multiply(a, b):
    """Matrix product."""
    rows, inner, columns = len(a), len(b), len(b[0])
    product = [[0] * columns for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            for k in range(inner):
                product[i][j] += a[i][k] * b[k][j]
    return product


def determinant(matrix):
    """Expansion along the first row."""
    if len(matrix) == 1:
        return matrix[0][0]
    total = 0
    for column, value in enumerate(matrix[0]):
        minor = [row[:column] + row[column + 1 :] for row in matrix[1:]]
        total += (-1) ** column * value * determinant(minor)
    return total


def spiral_order(matrix):
    """Elements from the outside in, clockwise."""
    rest = [list(row) for row in matrix]
    order = []
    while rest:
        order += rest.pop(0)
        rest = [list(row) for row in zip(*rest)][::-1]
    return order


def rotate_clockwise(matrix):
    """The matrix turned by a quarter."""
    turned = [list(row) for row in zip(*matrix[::-1])]
    return turned


def diagonal_sums(matrix):
    """Sums of both diagonals of a square matrix."""
    size = len(matrix)
    main = sum(matrix[i][i] for i in range(size))
    other = sum(matrix[i][size - 1 - i] for i in range(size))
    return main, other


def identity(size):
    """Ones on the diagonal."""
    matrix = [[0] * size for _ in range(size)]
    for i in range(size):
        matrix[i][i] = 1
    return matrix


def pascal_triangle(num_rows):
    """Each number is the sum of the two above."""
    rows = []
    row = [1]
    for _ in range(num_rows):
        rows.append(row)
        row = [1] + [a + b for a, b in zip(row, row[1:])] + [1]
    return rows


def saddle_point(matrix):
    """Position of an element that is largest in its row and smallest in its column."""
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            column = [other[j] for other in matrix]
            if value == max(row) and value == min(column):
                return i, j
    return None


def is_magic_square(square):
    """Whether rows, columns and diagonals have the same sum."""
    size = len(square)
    target = sum(square[0])
    sums = [sum(row) for row in square]
    sums += [sum(column) for column in zip(*square)]
    sums.append(sum(square[i][i] for i in range(size)))
    sums.append(sum(square[i][-1 - i] for i in range(size)))
    return all(value == target for value in sums)


assert transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]
assert transpose([[7]]) == [[7]]
assert transpose([]) == []
assert multiply([[1, 2], [3, 4]], [[5, 6], [7, 8]]) == [[19, 22], [43, 50]]
assert multiply([[2]], [[3]]) == [[6]]
assert multiply([[1, 0, 2]], [[1], [2], [3]]) == [[7]]
assert determinant([[3]]) == 3
assert determinant([[1, 2], [3, 4]]) == -2
assert determinant([[5, 0], [9, 2]]) == 10
assert spiral_order([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == [1, 2, 3, 6, 9, 8, 7, 4, 5]
assert spiral_order([[1, 2], [3, 4]]) == [1, 2, 4, 3]
assert spiral_order([[5]]) == [5]
assert rotate_clockwise([[1, 2], [3, 4]]) == [[3, 1], [4, 2]]
assert rotate_clockwise([[1, 2, 3]]) == [[1], [2], [3]]
assert rotate_clockwise([[9]]) == [[9]]
assert diagonal_sums([[1, 2], [3, 4]]) == (5, 5)
assert diagonal_sums([[2, 0, 1], [0, 3, 0], [4, 0, 5]]) == (10, 8)
assert diagonal_sums([[6]]) == (6, 6)
assert identity(2) == [[1, 0], [0, 1]]
assert identity(1) == [[1]]
assert identity(3) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
assert pascal_triangle(4) == [[1], [1, 1], [1, 2, 1], [1, 3, 3, 1]]
assert pascal_triangle(1) == [[1]]
assert pascal_triangle(0) == []
assert saddle_point([[1, 2, 3], [4, 5, 6]]) == (0, 2)
assert saddle_point([[3, 1], [1, 3]]) is None
assert saddle_point([[2, 1], [5, 4]]) == (0, 0)
assert is_magic_square([[2, 7, 6], [9, 5, 1], [4, 3, 8]]) == True
assert is_magic_square([[1, 2], [3, 4]]) == False
assert is_magic_square([[1]]) == True
