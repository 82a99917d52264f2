"""Judges a run by its journal: what was lost, what happened twice, and whether that has a cause."""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

#: How far the clocks of a store and of the journal may be apart, in milliseconds.
MARGIN = 10.0

Line = dict[str, Any]


@dataclass
class Verdict:
    """What was found. `lost` and `unexplained` must be empty."""

    events: int = 0
    runs: int = 0
    twice: int = 0
    lost: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not self.lost and not self.unexplained


def judge(lines: list[Line], acknowledged: list[str], inside: Counter[str] | None, lease_ms: float) -> Verdict:
    """`inside`: how often each effect stands in the database, where it was written with the mark; else `None`."""
    verdict = Verdict(events=len(acknowledged))
    verdict.kills.update(line["place"] for line in lines if line["what"] in ("kill", "pause"))
    # A worker that ends otherwise than by the failpoints was never there: the run would say nothing.
    broken = Counter(line["how"] for line in lines if line["what"] == "died" and line["how"] != signal.SIGKILL)
    verdict.unexplained += [f"workers ended {n} times with {how}" for how, n in broken.items()]
    by_key: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if "key" in line:
            by_key[line["key"]].append(line)
    effects: Counter[str] = Counter()
    for key, own in by_key.items():
        runs = [line for line in own if line["what"] == ("committed" if inside is not None else "effect")]
        effects.update(line["event"] for line in runs)
        exclusive(own, verdict, lease_ms)
        fences(own, verdict)
        if inside is None:
            explain(key, own, runs, lines, verdict)
    if inside is not None:
        effects = inside
        verdict.unexplained += [f"{event} stands {n} times in the database" for event, n in inside.items() if n > 1]
    verdict.lost = [event for event in acknowledged if not effects[event]]
    verdict.runs = effects.total()
    verdict.twice = sum(1 for n in effects.values() if n > 1)
    return verdict


def explain(key: str, own: list[Line], runs: list[Line], lines: list[Line], verdict: Verdict) -> None:
    """Every run but one needs a cause."""
    died = {line["instance"] for line in lines if line["what"] == "died"}
    settled = 0
    completed = {line["token"] for line in own if line["what"] == "complete" and line["answer"] == "held"}
    for run in runs:
        # The step that settles a run is the first one of its process after it, by the claim's token.
        token = claimed_by(run, own)
        after = [line for line in own if line["by"] == run["by"] and line.get("token") == token]
        answers = {line["answer"] for line in after if line["what"] in ("complete", "release")}
        if token in completed:
            settled += 1
        elif any(line["what"] == "fails" and line["fence"] == run["fence"] for line in own):
            verdict.causes["failed after the effect"] += 1
        elif "lost" in answers:
            verdict.causes["lease ended"] += 1
        elif "held" in answers:
            verdict.causes["failed after the effect"] += 1
        elif run["by"] in died:
            verdict.causes["killed after the effect"] += 1
        else:
            verdict.unexplained.append(f"{run['event']} took effect in {run['by']} and nothing became of it")
    if settled > 1:
        verdict.unexplained.append(f"{runs[0]['event']} was completed {settled} times")
    for line in own:
        if line["what"] == "claim" and line["answer"] == "done" and not any(run["at"] < line["at"] for run in runs):
            verdict.unexplained.append(f"{key[:8]} was said to be done before there was an effect")
            return


def claimed_by(run: Line, own: list[Line]) -> str | None:
    """The token under which a run happened: of the last claim of its process with its fence before it."""
    found = None
    for line in own:
        if line is run:
            return found
        mine = line["what"] == "claim" and line["by"] == run["by"] and line["answer"] == "claimed"
        if mine and line["value"] == run["fence"]:
            found = line["token"]
    return found


def exclusive(own: list[Line], verdict: Verdict, lease_ms: float) -> None:
    """No claim is given while another one surely holds: between an answer that gave it, and its lease after that was
    asked for, until its holder has begun to settle it."""
    claims = [line for line in own if line["what"] == "claim" and line["answer"] == "claimed"]
    for holder in claims:
        ends = min(
            (line["at"] for line in own if line["what"] == "settling" and mine(line, holder)), default=float("inf")
        )
        leases = [line for line in own if line["what"] == "extend" and line["answer"] == "held" and mine(line, holder)]
        for lease in [holder, *leases]:
            until = min(ends, lease["began"] + lease_ms)
            for other in claims:
                if other["token"] != holder["token"] and lease["at"] < other["began"] and other["at"] < until - MARGIN:
                    verdict.unexplained.append(
                        f"{holder['key'][:8]} was claimed by {other['by']} while {holder['by']} held it"
                    )
                    return


def mine(line: Line, holder: Line) -> bool:
    return bool(line["token"] == holder["token"])


def fences(own: list[Line], verdict: Verdict) -> None:
    """Of two claims one after the other, the later has the higher fence."""
    claims = [line for line in own if line["what"] == "claim" and line["answer"] == "claimed"]
    for one in claims:
        for other in claims:
            if one["at"] < other["began"] and one["token"] != other["token"] and one["value"] >= other["value"]:
                verdict.unexplained.append(f"{one['key'][:8]}: fence {other['value']} after {one['value']}")
                return
