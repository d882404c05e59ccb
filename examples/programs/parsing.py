"""Small parsers."""


def parse_settings(text):
    """`name = value` lines; `#` starts a comment."""
    settings = {}
    for line in text.split("\n"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        key, _, value = line.partition("=")
        settings[key.strip()] = value.strip()
    return settings


def parse_query(query):
    """`a=1&b=2` as a dict."""
    pairs = [part.split("=", 1) for part in query.split("&") if "=" in part]
    return {key: value for key, value in pairs}


def parse_csv_line(line):
    """Fields of a line; commas and doubled quotes may stand in quotes."""
    fields, field, quoted = [], "", False
    i = 0
    while i < len(line):
        ch = line[i]
        if quoted and line[i : i + 2] == '""':
            field += '"'
            i += 1
        elif ch == '"':
            quoted = not quoted
        elif ch == "," and not quoted:
            fields.append(field)
            field = ""
        else:
            field += ch
        i += 1
    fields.append(field)
    return fields


def brackets_match(text):
    """Whether every bracket is closed by its partner."""
    partners = {")": "(", "]": "[", "}": "{"}
    stack = []
    for ch in text:
        if ch in "([{":
            stack.append(ch)
        elif ch in partners:
            if not stack or stack.pop() != partners[ch]:
                return False
    return not stack


def deepest_nesting(text):
    """How many round brackets are open at most."""
    depth = deepest = 0
    for ch in text:
        if ch == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif ch == ")":
            depth -= 1
    return deepest


def evaluate_postfix(expression):
    """`3 4 + 2 *` is 14."""
    stack = []
    for token in expression.split():
        if token.isdigit():
            stack.append(int(token))
            continue
        right, left = stack.pop(), stack.pop()
        if token == "+":
            stack.append(left + right)
        elif token == "-":
            stack.append(left - right)
        else:
            stack.append(left * right)
    return stack.pop()


def calculate(expression):
    """Sums and products of whole numbers, products first."""
    total = 0
    for term in expression.replace(" ", "").replace("-", "+-").split("+"):
        if not term:
            continue
        product = 1
        for factor in term.split("*"):
            product *= int(factor)
        total += product
    return total


def tokenize(expression):
    """Numbers, names and signs of an expression."""
    tokens = []
    i = 0
    while i < len(expression):
        j = i + 1
        if expression[i].isalnum():
            while j < len(expression) and expression[j].isalnum():
                j += 1
        if not expression[i].isspace():
            tokens.append(expression[i:j])
        i = j
    return tokens


def parse_version(version):
    """`v1.2.10` as numbers."""
    version = version.lstrip("v")
    parts = [int(part) for part in version.split(".")]
    while len(parts) < 3:
        parts.append(0)
    return tuple(parts)


def parse_ranges(text):
    """`1-3,7` as a list of numbers."""
    numbers = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if dash:
            numbers.extend(range(int(first), int(last) + 1))
        else:
            numbers.append(int(first))
    return numbers


def is_valid_ipv4(address):
    """Four numbers of 0 to 255, without leading zeros."""
    parts = address.split(".")
    if len(parts) != 4:
        return False
    for part in parts:
        if not part.isdigit() or int(part) > 255 or (len(part) > 1 and part[0] == "0"):
            return False
    return True


assert parse_settings("name = demo\n# note\nsize=3") == {"name": "demo", "size": "3"}
assert parse_settings("a=1 # first\n\nb = x=y") == {"a": "1", "b": "x=y"}
assert parse_settings("") == {}
assert parse_query("a=1&b=2") == {"a": "1", "b": "2"}
assert parse_query("q=x=y&skip") == {"q": "x=y"}
assert parse_query("") == {}
assert parse_csv_line("a,b,c") == ["a", "b", "c"]
assert parse_csv_line('x,"1,5",y') == ["x", "1,5", "y"]
assert parse_csv_line('"say ""hi""",') == ['say "hi"', ""]
assert brackets_match("{[()]}") == True
assert brackets_match("(]") == False
assert brackets_match("f(x[0]") == False
assert deepest_nesting("(1 + (2 * (3)))") == 3
assert deepest_nesting("no brackets") == 0
assert deepest_nesting("()(())") == 2
assert evaluate_postfix("3 4 + 2 *") == 14
assert evaluate_postfix("10 2 8 * - ") == -6
assert evaluate_postfix("7") == 7
assert calculate("2 + 3 * 4") == 14
assert calculate("10 - 2*3 - 1") == 3
assert calculate("-5 + 2") == -3
assert tokenize("x1 + 42*(y)") == ["x1", "+", "42", "*", "(", "y", ")"]
assert tokenize("a==b") == ["a", "=", "=", "b"]
assert tokenize("  ") == []
assert parse_version("v1.2.10") == (1, 2, 10)
assert parse_version("3") == (3, 0, 0)
assert parse_version("0.9") == (0, 9, 0)
assert parse_ranges("1-3,7") == [1, 2, 3, 7]
assert parse_ranges("5") == [5]
assert parse_ranges("8-8,2-3") == [8, 2, 3]
assert is_valid_ipv4("192.168.0.1") == True
assert is_valid_ipv4("256.1.1.1") == False
assert is_valid_ipv4("1.2.3") == False
assert is_valid_ipv4("1.02.3.4") == False
