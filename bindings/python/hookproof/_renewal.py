"""Keeps the claims of long handlers alive, in sync frameworks."""

from __future__ import annotations

import os
import threading
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Renewal:
    """One claim that is extended until it is stopped, or refused, or has lasted as long as it may."""

    __slots__ = ("_every", "_extend", "_thread", "_until", "due", "stopped")

    def __init__(self, extend: Callable[[], bool], every: float, lasting: float) -> None:
        self._extend = extend
        self._every = every
        self._thread: threading.Event | None = None
        now = monotonic()
        self._until = now + lasting
        self.due = now + every
        """When the first extension is due."""
        self.stopped = False
        scheduler.add(self)

    # Without a lock: `begin` looks after it has left its event, `stop` leaves its word before it looks for one.

    def stop(self) -> None:
        """Ends the renewal; returns at once."""
        self.stopped = True
        scheduler.remove(self)
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
        while not stopped.is_set() and monotonic() < self._until:
            if not self._extend():
                return
            stopped.wait(self._every)


class Scheduler:
    """Begins each renewal when its first extension is due.

    Nearly every handler ends before that. So a claim costs a place in a dict for as long as its handler runs, and no
    thread; and the one thread that looks at the dict sleeps through: it is woken only by a claim that is due before it
    wakes by itself.
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            # gunicorn --preload: threads and held locks do not survive a fork
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._waiting: dict[int, Renewal] = {}
        self._wakes = 0.0
        self._running = False

    def add(self, renewal: Renewal) -> None:
        """Begins `renewal` when it is due, if it has not been removed by then."""
        with self._changed:
            self._waiting[id(renewal)] = renewal
            if not self._running:
                self._running = True
                self._wakes = renewal.due
                threading.Thread(target=self._run, name="hookproof-renewals", daemon=True).start()
            elif renewal.due < self._wakes:
                self._wakes = renewal.due
                self._changed.notify()

    def remove(self, renewal: Renewal) -> None:
        """Forgets a renewal that has not begun."""
        self._waiting.pop(id(renewal), None)

    def _run(self) -> None:
        idle = 0
        while True:
            with self._changed:
                now = monotonic()
                due = [renewal for renewal in list(self._waiting.values()) if renewal.due <= now]
                for renewal in due:
                    self.remove(renewal)
                idle = 0 if self._waiting or due else idle + 1
                if idle > 10:
                    self._running = False
                    return
                # Without a claim it looks again soon, so that the next one need not wake it.
                self._wakes = min((renewal.due for renewal in list(self._waiting.values())), default=now + 1.0)
                if not due:
                    self._changed.wait(self._wakes - now)
            for renewal in due:
                renewal.begin()


scheduler = Scheduler()
