"""Keeps the claims of long handlers alive, in sync frameworks."""

from __future__ import annotations

import os
import threading
from heapq import heappop, heappush
from itertools import count
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Renewal:
    """One claim that is extended until it is stopped, or refused, or has lasted as long as it may."""

    __slots__ = ("_extend", "_thread", "every", "stopped", "until")

    def __init__(self, extend: Callable[[], bool], every: float, lasting: float) -> None:
        self._extend = extend
        self._thread: threading.Event | None = None
        self.stopped = False
        self.every = every
        self.until = monotonic() + lasting

    # Without a lock: `begin` looks after it has left its event, `stop` leaves its word before it looks for one.

    def stop(self) -> None:
        """Ends the renewal; returns at once."""
        self.stopped = True
        if self._thread is not None:
            self._thread.set()

    def begin(self) -> None:
        """Called when the first extension is due: from here on the claim has a thread of its own.

        A store that is slow for one claim must not let the lease of another one end.
        """
        self._thread = stopped = threading.Event()
        if not self.stopped:
            threading.Thread(target=self._run, args=(stopped,), name="hookproof-renewal", daemon=True).start()

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.is_set() and monotonic() < self.until:
            if not self._extend():
                return
            stopped.wait(self.every)


class Scheduler:
    """Begins each renewal when its first extension is due.

    Nearly every handler ends before that. So a claim costs a push to a heap and no thread, and the one thread that
    looks at the heap sleeps through: it is woken only by a claim that is due before it wakes by itself.
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            # gunicorn --preload: threads and held locks do not survive a fork
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._order = count()
        self._waiting: list[tuple[float, int, Renewal]] = []
        self._wakes = 0.0
        self._running = False

    def add(self, renewal: Renewal) -> None:
        """Begins `renewal` after `renewal.every` seconds, if it has not been stopped by then."""
        due = monotonic() + renewal.every
        with self._changed:
            heappush(self._waiting, (due, next(self._order), renewal))
            if not self._running:
                self._running = True
                self._wakes = due
                threading.Thread(target=self._run, name="hookproof-renewals", daemon=True).start()
            elif due < self._wakes:
                self._changed.notify()

    def _run(self) -> None:
        idle = 0
        with self._changed:
            while True:
                now = monotonic()
                while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][2].stopped):
                    heappop(self._waiting)[2].begin()
                idle = 0 if self._waiting else idle + 1
                if idle > 10:
                    self._running = False
                    return
                self._wakes = self._waiting[0][0] if self._waiting else now + 1.0
                self._changed.wait(self._wakes - now)


scheduler = Scheduler()
