"""Words and letters."""


def is_palindrome(text):
    """The same forwards and backwards, letters and digits only."""
    letters = [ch.lower() for ch in text if ch.isalnum()]
    return letters == letters[::-1]


def are_anagrams(first, second):
    """Whether two texts use the same letters."""
    left = sorted(first.replace(" ", "").lower())
    right = sorted(second.replace(" ", "").lower())
    return left == right


def caesar(text, shift):
    """Letters moved along the alphabet."""
    result = ""
    for ch in text:
        if ch.islower():
            result += chr((ord(ch) - ord("a") + shift) % 26 + ord("a"))
        elif ch.isupper():
            result += chr((ord(ch) - ord("A") + shift) % 26 + ord("A"))
        else:
            result += ch
    return result


def word_count(text):
    """How often each word occurs, small letters."""
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


def run_length_encode(text):
    """`aaab` becomes `a3b1`."""
    result = ""
    i = 0
    while i < len(text):
        j = i
        while j < len(text) and text[j] == text[i]:
            j += 1
        result += f"{text[i]}{j - i}"
        i = j
    return result


def run_length_decode(code):
    """`a3b1` becomes `aaab`."""
    result = ""
    letter, digits = "", ""
    for ch in code + "#":
        if ch.isdigit():
            digits += ch
        else:
            result += letter * int(digits or "0")
            letter, digits = ch, ""
    return result


def title_case(text):
    """A capital at the start of each word but the small ones."""
    small = ("of", "the", "and", "in")
    words = text.lower().split()
    titled = [word if word in small and i > 0 else word.capitalize() for i, word in enumerate(words)]
    return " ".join(titled)


def count_vowels(text):
    """Number of a, e, i, o and u."""
    total = 0
    for ch in text.lower():
        if ch in "aeiou":
            total += 1
    return total


def longest_word(text):
    """The first of the longest words."""
    best = ""
    for word in text.split():
        word = word.strip(".,!?")
        if len(word) > len(best):
            best = word
    return best


def reverse_words(text):
    """The words from last to first."""
    words = text.split()
    words.reverse()
    return " ".join(words)


def acronym(phrase):
    """First letters as capitals."""
    words = phrase.replace("-", " ").split()
    return "".join(word[0].upper() for word in words)


def snake_to_camel(name):
    """`read_all_lines` becomes `readAllLines`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def camel_to_snake(name):
    """`readAllLines` becomes `read_all_lines`."""
    result = ""
    for ch in name:
        if ch.isupper() and result:
            result += "_"
        result += ch.lower()
    return result


def common_prefix(words):
    """The longest start that all words share."""
    if not words:
        return ""
    prefix = words[0]
    for word in words[1:]:
        while not word.startswith(prefix):
            prefix = prefix[:-1]
    return prefix


def is_pangram(text):
    """Whether every letter of the alphabet occurs."""
    missing = [ch for ch in "abcdefghijklmnopqrstuvwxyz" if ch not in text.lower()]
    return not missing


def hamming_distance(first, second):
    """In how many places two texts of the same length differ."""
    distance = sum(a != b for a, b in zip(first, second))
    return distance


assert is_palindrome("A man, a plan, a canal: Panama") == True
assert is_palindrome("race a car") == False
assert is_palindrome("") == True
assert are_anagrams("Dormitory", "dirty room") == True
assert are_anagrams("hello", "world") == False
assert are_anagrams("aab", "abb") == False
assert caesar("Hello, World!", 3) == "Khoor, Zruog!"
assert caesar("xyz", 5) == "cde"
assert caesar("Khoor", -3) == "Hello"
assert word_count("the cat and the hat") == {"the": 2, "cat": 1, "and": 1, "hat": 1}
assert word_count("") == {}
assert word_count("Go go GO") == {"go": 3}
assert run_length_encode("aaabcc") == "a3b1c2"
assert run_length_encode("") == ""
assert run_length_encode("zzzz") == "z4"
assert run_length_decode("a3b1c2") == "aaabcc"
assert run_length_decode("x10") == "xxxxxxxxxx"
assert run_length_decode("") == ""
assert title_case("the lord of the rings") == "The Lord of the Rings"
assert title_case("war AND peace") == "War and Peace"
assert title_case("") == ""
assert count_vowels("Programming") == 3
assert count_vowels("rhythm") == 0
assert count_vowels("AEIOU") == 5
assert longest_word("The quick brown fox.") == "quick"
assert longest_word("a bb, cc!") == "bb"
assert longest_word("") == ""
assert reverse_words("one two three") == "three two one"
assert reverse_words("  hello ") == "hello"
assert reverse_words("") == ""
assert acronym("Portable Network Graphics") == "PNG"
assert acronym("first-in first-out") == "FIFO"
assert acronym("graphical user interface") == "GUI"
assert snake_to_camel("read_all_lines") == "readAllLines"
assert snake_to_camel("name") == "name"
assert snake_to_camel("to_json") == "toJson"
assert camel_to_snake("readAllLines") == "read_all_lines"
assert camel_to_snake("Point") == "point"
assert camel_to_snake("x") == "x"
assert common_prefix(["flower", "flow", "flight"]) == "fl"
assert common_prefix(["dog", "car"]) == ""
assert common_prefix([]) == ""
assert is_pangram("The quick brown fox jumps over the lazy dog") == True
assert is_pangram("Hello world") == False
assert is_pangram("") == False
assert hamming_distance("karolin", "kathrin") == 3
assert hamming_distance("1011101", "1001001") == 2
assert hamming_distance("", "") == 0
