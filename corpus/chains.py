"""The profile "tiny_chains": as "tiny", with up to nine statements before the return where no control structure is due.

For measuring credit over distance: an early value of such a chain reaches the answer through up to nine others.
"""

from __future__ import annotations

from corpus.expressions import name
from corpus.shapes import Unsafe
from corpus.tiny import LOCALS, RETURNED_NAME_SHARE, Tiny

LONGEST = 9
NUM_TRIES = 40


class Chain(Tiny):
    """Draws one function; a statement whose value would leave the limits, or lose one never read, is drawn again."""

    def _number_statements(self, structures: tuple[str, ...]) -> None:
        if structures:
            super()._number_statements(structures)
            return
        count = self.rng.randrange(LONGEST + 1)
        returns_name = count > 1 and self.rng.random() < RETURNED_NAME_SHARE
        marked = self.rng.randrange(count + (not returns_name))
        for place in range(count):
            self._add_drawn(place == marked, is_last=place == count - 1)
        self._return(name(self.latest) if returns_name else self._value(marked == count))

    def _add_drawn(self, is_marked: bool, is_last: bool) -> None:
        """An assignment; the last one leaves no value unread but its own."""
        before = dict(self.env), set(self.unread), self.member, self.latest, list(self.body)
        for _ in range(NUM_TRIES):
            try:
                value = self._value(is_marked)
                self.latest = self.rng.choice(LOCALS)
                self._set(self.latest, value)
                if not is_last or self.unread == {self.latest}:
                    return
            except Unsafe:
                pass
            env, unread, self.member, self.latest, body = before
            self.env, self.unread, self.body = dict(env), set(unread), list(body)
        raise Unsafe("no statement fits")
