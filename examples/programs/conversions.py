"""Numerals, codes and check digits."""

ROMAN = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL")]
ROMAN += [(10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def to_roman(number):
    """1994 becomes MCMXCIV."""
    result = ""
    for value, letters in ROMAN:
        while number >= value:
            result += letters
            number -= value
    return result


def from_roman(numeral):
    """MCMXCIV becomes 1994."""
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    total = 0
    previous = 0
    for letter in reversed(numeral):
        value = values[letter]
        total += value if value >= previous else -value
        previous = max(previous, value)
    return total


def to_base(number, base):
    """Digits of a number in base 2 to 36."""
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    number = abs(number)
    digits = ""
    while number > 0:
        digits = DIGITS[number % base] + digits
        number //= base
    return sign + digits


def from_base(digits, base):
    """The number that digits stand for in a base."""
    value = 0
    for digit in digits.lower():
        value = value * base + DIGITS.index(digit)
    return value


def count_bits(number):
    """Kernighan: how many bits are set."""
    count = 0
    while number:
        number &= number - 1
        count += 1
    return count


def reverse_bits(number, width):
    """The bits of a number from right to left."""
    result = 0
    for _ in range(width):
        result = result << 1 | number & 1
        number >>= 1
    return result


def gray_code(num_bits):
    """All codes; neighbours differ in one bit."""
    codes = [n ^ (n >> 1) for n in range(2**num_bits)]
    return codes


def luhn_valid(card):
    """The check digit of card numbers."""
    digits = [int(ch) for ch in card if ch.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        if place % 2 == 1:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return total % 10 == 0


def isbn10_valid(isbn):
    """Weighted sum of ten digits; X stands for 10."""
    text = isbn.replace("-", "")
    if len(text) != 10:
        return False
    total = 0
    for weight, ch in zip(range(10, 0, -1), text):
        total += weight * (10 if ch == "X" else int(ch))
    return total % 11 == 0


def celsius_to_fahrenheit(celsius):
    """Rounded to one decimal."""
    fahrenheit = celsius * 9 / 5 + 32
    return round(fahrenheit, 1)


def morse(text):
    """Letters of SOS and a few more in Morse code."""
    table = {"s": "...", "o": "---", "e": ".", "t": "-", "a": ".-", "n": "-."}
    codes = [table.get(ch, "?") for ch in text.lower()]
    return " ".join(codes)


def make_change(cents):
    """Fewest coins of 25, 10, 5 and 1."""
    coins = {}
    for coin in (25, 10, 5, 1):
        count, cents = divmod(cents, coin)
        if count:
            coins[coin] = count
    return coins


assert to_roman(1994) == "MCMXCIV"
assert to_roman(4) == "IV"
assert to_roman(58) == "LVIII"
assert from_roman("MCMXCIV") == 1994
assert from_roman("III") == 3
assert from_roman("XLII") == 42
assert to_base(255, 16) == "ff"
assert to_base(-10, 2) == "-1010"
assert to_base(0, 8) == "0"
assert from_base("ff", 16) == 255
assert from_base("1010", 2) == 10
assert from_base("z", 36) == 35
assert count_bits(13) == 3
assert count_bits(0) == 0
assert count_bits(255) == 8
assert reverse_bits(6, 4) == 6
assert reverse_bits(1, 8) == 128
assert reverse_bits(11, 5) == 26
assert gray_code(2) == [0, 1, 3, 2]
assert gray_code(1) == [0, 1]
assert gray_code(3) == [0, 1, 3, 2, 6, 7, 5, 4]
assert luhn_valid("4539 1488 0343 6467") == True
assert luhn_valid("8273 1232 7352 0569") == False
assert luhn_valid("0") == True
assert isbn10_valid("3-598-21508-8") == True
assert isbn10_valid("3-598-21507-X") == True
assert isbn10_valid("3-598-21508-9") == False
assert isbn10_valid("12345") == False
assert celsius_to_fahrenheit(100) == 212.0
assert celsius_to_fahrenheit(-40) == -40.0
assert celsius_to_fahrenheit(36.6) == 97.9
assert morse("SOS") == "... --- ..."
assert morse("tea") == "- . .-"
assert morse("ox") == "--- ?"
assert make_change(68) == {25: 2, 10: 1, 5: 1, 1: 3}
assert make_change(30) == {25: 1, 5: 1}
assert make_change(0) == {}
