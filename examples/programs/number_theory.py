"""Number theory."""


def gcd(a, b):
    """Euclid's greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


def lcm(a, b):
    """Least common multiple."""
    if a == 0 or b == 0:
        return 0
    return abs(a * b) // gcd(a, b)


def is_prime(n):
    """Trial division by odd numbers."""
    if n < 2:
        return False
    if n % 2 == 0:
        return n == 2
    divisor = 3
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 2
    return True


def primes_below(limit):
    """Sieve of Eratosthenes."""
    is_composite = [False] * limit
    primes = []
    for n in range(2, limit):
        if not is_composite[n]:
            primes.append(n)
            for multiple in range(n * n, limit, n):
                is_composite[multiple] = True
    return primes


def prime_factors(n):
    """Prime factors, each as often as it divides."""
    factors = []
    divisor = 2
    while divisor * divisor <= n:
        while n % divisor == 0:
            factors.append(divisor)
            n //= divisor
        divisor += 1
    if n > 1:
        factors.append(n)
    return factors


def collatz_length(n):
    """Steps until the Collatz sequence reaches 1."""
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def fibonacci(n):
    """The n-th Fibonacci number, fibonacci(1) == 1."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def factorial(n):
    """Product of 1 to n."""
    product = 1
    for i in range(2, n + 1):
        product *= i
    return product


def digit_sum(n):
    """Sum of the decimal digits."""
    total = 0
    n = abs(n)
    while n > 0:
        total += n % 10
        n //= 10
    return total


def digital_root(n):
    """Digit sums until one digit is left."""
    while n > 9:
        n = sum(int(digit) for digit in str(n))
    return n


def is_perfect(n):
    """Whether a number is the sum of its proper divisors."""
    divisors = [d for d in range(1, n) if n % d == 0]
    return n > 1 and sum(divisors) == n


def is_armstrong(n):
    """Whether the digits to the power of their number add up to n."""
    digits = [int(digit) for digit in str(n)]
    total = sum(digit ** len(digits) for digit in digits)
    return total == n


def power_mod(base, exponent, modulus):
    """Square and multiply."""
    result = 1
    base %= modulus
    while exponent > 0:
        if exponent % 2 == 1:
            result = result * base % modulus
        base = base * base % modulus
        exponent //= 2
    return result


def integer_sqrt(n):
    """Newton's largest integer whose square is at most n."""
    if n < 2:
        return n
    guess = n
    while guess * guess > n:
        guess = (guess + n // guess) // 2
    return guess


def extended_gcd(a, b):
    """(g, x, y) with a * x + b * y == g."""
    old_x, x = 1, 0
    old_y, y = 0, 1
    while b:
        quotient = a // b
        a, b = b, a % b
        old_x, x = x, old_x - quotient * x
        old_y, y = y, old_y - quotient * y
    return a, old_x, old_y


assert gcd(48, 18) == 6
assert gcd(17, 5) == 1
assert gcd(0, 9) == 9
assert lcm(4, 6) == 12
assert lcm(7, 0) == 0
assert lcm(21, 6) == 42
assert is_prime(97) == True
assert is_prime(91) == False
assert is_prime(1) == False
assert primes_below(20) == [2, 3, 5, 7, 11, 13, 17, 19]
assert primes_below(2) == []
assert primes_below(6) == [2, 3, 5]
assert prime_factors(360) == [2, 2, 2, 3, 3, 5]
assert prime_factors(13) == [13]
assert prime_factors(1) == []
assert collatz_length(6) == 8
assert collatz_length(1) == 0
assert collatz_length(7) == 16
assert fibonacci(10) == 55
assert fibonacci(0) == 0
assert fibonacci(1) == 1
assert factorial(5) == 120
assert factorial(0) == 1
assert factorial(7) == 5040
assert digit_sum(4096) == 19
assert digit_sum(-25) == 7
assert digit_sum(0) == 0
assert digital_root(493193) == 2
assert digital_root(7) == 7
assert digital_root(99) == 9
assert is_perfect(28) == True
assert is_perfect(12) == False
assert is_perfect(1) == False
assert is_armstrong(153) == True
assert is_armstrong(154) == False
assert is_armstrong(7) == True
assert power_mod(3, 13, 7) == 3
assert power_mod(2, 10, 1000) == 24
assert power_mod(5, 0, 9) == 1
assert integer_sqrt(99) == 9
assert integer_sqrt(100) == 10
assert integer_sqrt(1) == 1
assert extended_gcd(35, 15) == (5, 1, -2)
assert extended_gcd(8, 3) == (1, -1, 3)
assert extended_gcd(6, 0) == (6, 1, 0)
