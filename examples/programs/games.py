"""Games and puzzles."""


def tic_tac_toe_winner(board):
    """X, O or None; the board is three rows of text."""
    lines = list(board)
    lines += ["".join(column) for column in zip(*board)]
    lines.append("".join(board[i][i] for i in range(3)))
    lines.append("".join(board[i][2 - i] for i in range(3)))
    for player in "XO":
        if player * 3 in lines:
            return player
    return None


def life_step(cells):
    """One step of Conway's Game of Life; cells are (row, column) pairs, sorted."""
    around = {}
    for row, column in cells:
        for r in (row - 1, row, row + 1):
            for c in (column - 1, column, column + 1):
                if (r, c) != (row, column):
                    around[r, c] = around.get((r, c), 0) + 1
    alive = [cell for cell, n in around.items() if n == 3 or (n == 2 and cell in cells)]
    return sorted(alive)


def rock_paper_scissors(first, second):
    """1 or 2 for the winner, 0 for a draw."""
    beats = {"rock": "scissors", "scissors": "paper", "paper": "rock"}
    if first == second:
        return 0
    winner = 1 if beats[first] == second else 2
    return winner


def bowling_score(rolls):
    """Score of a whole game of ten frames."""
    score = 0
    roll = 0
    for _ in range(10):
        if rolls[roll] == 10:
            score += 10 + rolls[roll + 1] + rolls[roll + 2]
            roll += 1
        elif rolls[roll] + rolls[roll + 1] == 10:
            score += 10 + rolls[roll + 2]
            roll += 2
        else:
            score += rolls[roll] + rolls[roll + 1]
            roll += 2
    return score


def word_hints(secret, guess):
    """G: right place, Y: elsewhere in the word, -: not in it."""
    hints = ""
    for wanted, letter in zip(secret, guess):
        if wanted == letter:
            hints += "G"
        elif letter in secret:
            hints += "Y"
        else:
            hints += "-"
    return hints


def josephus(num_people, step):
    """Who is left when every `step`-th person leaves the circle."""
    people = list(range(1, num_people + 1))
    place = 0
    while len(people) > 1:
        place = (place + step - 1) % len(people)
        people.pop(place)
    return people[0]


def hanoi_moves(num_discs, source, target, spare):
    """Moves of the Towers of Hanoi."""
    if num_discs == 0:
        return []
    before = hanoi_moves(num_discs - 1, source, spare, target)
    after = hanoi_moves(num_discs - 1, spare, target, source)
    return before + [source + target] + after


def fizz_buzz(limit):
    """1 to limit, with Fizz, Buzz and FizzBuzz."""
    lines = []
    for n in range(1, limit + 1):
        word = "Fizz" * (n % 3 == 0) + "Buzz" * (n % 5 == 0)
        lines.append(word or str(n))
    return lines


def dice_score(dice):
    """Sum of the dice, doubled for a full set of equal ones."""
    total = sum(dice)
    if len(set(dice)) == 1:
        total *= 2
    return total


def look_and_say(term):
    """1211 is read as 111221."""
    result = ""
    while term:
        digit = term[0]
        rest = term.lstrip(digit)
        count = len(term) - len(rest)
        result += str(count) + digit
        term = rest
    return result


assert tic_tac_toe_winner(["XOX", "OXO", "OOX"]) == "X"
assert tic_tac_toe_winner(["OOO", "XX.", "X.."]) == "O"
assert tic_tac_toe_winner(["XO.", "...", "..."]) is None
assert life_step([(1, 0), (1, 1), (1, 2)]) == [(0, 1), (1, 1), (2, 1)]
assert life_step([(0, 0)]) == []
assert life_step([(0, 0), (0, 1), (1, 0), (1, 1)]) == [(0, 0), (0, 1), (1, 0), (1, 1)]
assert rock_paper_scissors("rock", "scissors") == 1
assert rock_paper_scissors("rock", "paper") == 2
assert rock_paper_scissors("paper", "paper") == 0
assert bowling_score([10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]) == 300
assert bowling_score([3, 4] * 10) == 70
assert bowling_score([5] * 21) == 150
assert word_hints("crane", "caper") == "GY-YY"
assert word_hints("abc", "abc") == "GGG"
assert word_hints("dog", "cat") == "---"
assert josephus(7, 3) == 4
assert josephus(1, 5) == 1
assert josephus(5, 2) == 3
assert hanoi_moves(1, "A", "C", "B") == ["AC"]
assert hanoi_moves(2, "A", "C", "B") == ["AB", "AC", "BC"]
assert hanoi_moves(0, "A", "C", "B") == []
assert fizz_buzz(5) == ["1", "2", "Fizz", "4", "Buzz"]
assert fizz_buzz(0) == []
assert fizz_buzz(3) == ["1", "2", "Fizz"]
assert dice_score([4, 4, 4]) == 24
assert dice_score([1, 2, 3]) == 6
assert dice_score([6]) == 12
assert look_and_say("1211") == "111221"
assert look_and_say("1") == "11"
assert look_and_say("333") == "33"
