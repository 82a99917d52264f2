"""Keeps the claims of long handlers alive, in sync frameworks."""

from __future__ import annotations

import os
import threading
from math import inf
from time import monotonic

from hookproof._errors import LeaseLost
from hookproof._outcome import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hookproof._claim import Claim


class Renewals:
    """Renews each claim from when that is first due until its handler ends.

    Nearly every handler ends before. So a claim costs a place in a dict, and no thread; and the one thread that looks
    at the dict sleeps through: it is woken only by a claim that is due before it wakes by itself.
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            # gunicorn --preload: threads and held locks do not survive a fork
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._waiting: dict[Claim, tuple[float, float, float]] = {}
        self._begun: dict[Claim, threading.Event] = {}
        self._wakes = inf
        self._running = False

    def add(self, claim: Claim, every: float, lasting: float) -> None:
        """Extends a claim every so many seconds, until it is ended or lost, or has lasted as long as it may."""
        due = monotonic() + every
        self._waiting[claim] = due, every, lasting
        # Without the lock: before the thread looks for the last time, it says that it ends, or that it knows no time yet.
        if self._running and due >= self._wakes:
            return
        with self._changed:
            if not self._running:
                self._wakes = due
                self._running = _started(self._run)
            elif due < self._wakes:
                self._wakes = due
                self._changed.notify()

    def end(self, claim: Claim) -> None:
        """Stops extending a claim; returns at once."""
        # Whoever takes it out of the dict has it: this, or the thread that is about to begin.
        if self._waiting.pop(claim, None) is None:
            stopped = self._begun.pop(claim, None)
            if stopped is not None:
                stopped.set()

    def _run(self) -> None:
        idle = 0
        while True:
            with self._changed:
                now = monotonic()
                due = [claim for claim, (when, _, _) in list(self._waiting.items()) if when <= now]
                idle = 0 if self._waiting else idle + 1
                if idle > 10:
                    self._running = False
                    if not self._waiting:
                        return
                    self._running = True
                if not due:
                    self._wakes = inf
                    # Without a claim it looks again soon, so that the next one need not wake it.
                    self._wakes = min((when for when, _, _ in list(self._waiting.values())), default=now + 1.0)
                    self._changed.wait(self._wakes - now)
            for claim in due:
                self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        """Gives a claim a thread of its own: a store that is slow for one must not let the lease of another end."""
        self._begun[claim] = stopped = threading.Event()
        found = self._waiting.pop(claim, None)
        if found is None:
            del self._begun[claim]
        else:
            _, every, lasting = found
            _started(_renew, claim, every, monotonic() - every + lasting, stopped)


def _renew(claim: Claim, every: float, until: float, stopped: threading.Event) -> None:
    while not stopped.is_set() and monotonic() < until:
        try:
            claim.extend()
        except LeaseLost:
            say_lost(claim)
            return
        except Exception as error:
            say_failed(error)
        stopped.wait(every)


def _started(function: Callable[..., None], *arguments: Any) -> bool:
    try:
        threading.Thread(target=function, args=arguments, name="hookproof-renewal", daemon=True).start()
    except RuntimeError as error:
        logger.warning("a lease is not renewed, because no thread can be started: %s", error)
        return False
    return True


def say_lost(claim: object) -> None:
    """What is said when a renewal is refused."""
    logger.warning("%r: another worker has taken the delivery over while the handler runs", claim)


def say_failed(error: Exception) -> None:
    """What is said when a renewal fails otherwise."""
    logger.warning("the store failed to extend a lease, which is tried again: %r", error)


renewals = Renewals()
