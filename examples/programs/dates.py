"""Calendar and clock, without the datetime module."""

MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def is_leap_year(year):
    """Gregorian rule."""
    if year % 400 == 0:
        return True
    return year % 4 == 0 and year % 100 != 0


def days_in_month(year, month):
    """28 to 31."""
    days = MONTH_LENGTHS[month - 1]
    if month == 2 and is_leap_year(year):
        days += 1
    return days


def day_of_year(year, month, day):
    """1 for New Year's Day."""
    total = day
    for m in range(month - 1):
        total += MONTH_LENGTHS[m]
    if month > 2 and is_leap_year(year):
        total += 1
    return total


def day_number(year, month, day):
    """Days since the start of the year 1, which is day 1."""
    before = year - 1
    leap_days = before // 4 - before // 100 + before // 400
    within = sum(MONTH_LENGTHS[: month - 1]) + day
    if month > 2 and (year % 4 == 0 and year % 100 != 0 or year % 400 == 0):
        within += 1
    return before * 365 + leap_days + within


def days_between(first, second):
    """Days from one (year, month, day) to another."""
    return day_number(*second) - day_number(*first)


def weekday(year, month, day):
    """Zeller's congruence."""
    if month < 3:
        month += 12
        year -= 1
    century, rest = year // 100, year % 100
    h = (day + 13 * (month + 1) // 5 + rest + rest // 4 + century // 4 + 5 * century) % 7
    return WEEKDAYS[(h + 5) % 7]


def is_valid_date(text):
    """Whether `2024-02-29` names a day."""
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return False
    year, month, day = map(int, parts)
    if not 1 <= month <= 12:
        return False
    longest = 29 if month == 2 and is_leap_year(year) else MONTH_LENGTHS[month - 1]
    return 1 <= day <= longest


def format_duration(seconds):
    """`1h 02m 05s`."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h {minutes:02d}m {seconds:02d}s"


def to_24_hours(clock):
    """`07:05PM` becomes `19:05`."""
    hour, minute = clock[:-2].split(":")
    hour = int(hour) % 12
    if clock.endswith("PM"):
        hour += 12
    return f"{hour:02d}:{minute}"


assert is_leap_year(2000) == True
assert is_leap_year(1900) == False
assert is_leap_year(2024) == True
assert days_in_month(2023, 2) == 28
assert days_in_month(2024, 2) == 29
assert days_in_month(2024, 11) == 30
assert day_of_year(2024, 3, 1) == 61
assert day_of_year(2023, 12, 31) == 365
assert day_of_year(2023, 1, 1) == 1
assert day_number(1, 1, 1) == 1
assert day_number(1970, 1, 1) == 719163
assert day_number(2024, 3, 1) == 738946
assert days_between((2024, 1, 1), (2024, 12, 31)) == 365
assert days_between((2023, 2, 28), (2023, 3, 1)) == 1
assert days_between((2000, 1, 1), (1999, 1, 1)) == -365
assert weekday(2024, 7, 4) == "Thursday"
assert weekday(2000, 1, 1) == "Saturday"
assert weekday(1969, 7, 20) == "Sunday"
assert is_valid_date("2024-02-29") == True
assert is_valid_date("2023-02-29") == False
assert is_valid_date("2023-13-01") == False
assert is_valid_date("today") == False
assert format_duration(3725) == "1h 02m 05s"
assert format_duration(59) == "0h 00m 59s"
assert format_duration(7200) == "2h 00m 00s"
assert to_24_hours("07:05PM") == "19:05"
assert to_24_hours("12:00AM") == "00:00"
assert to_24_hours("12:30PM") == "12:30"
