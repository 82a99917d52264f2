"""Keeps one worker alive: starts it anew when it is killed, and wakes it when it has stopped itself.

A Python worker is forked, so that a new one costs milliseconds; a Node worker is started. The listening socket is the
nest's: while there is no worker, senders wait instead of being refused.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import sys
import time

from journal import Journal


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing outlives the test


def main() -> None:
    end_with_parent()
    config = json.loads(sys.argv[1])
    slot, journal = config["slot"], Journal(config["journal"], f"nest {config['slot']}")
    chance = random.Random(f"{config['seed']} nest {slot}")
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    listener.set_inheritable(True)
    print(listener.getsockname()[1], flush=True)
    node = config.get("node")
    if node is None:
        import worker  # the imports are done once, before the forks
    number = 0
    while True:
        instance = f"{slot}.{number}"
        number += 1
        child = os.fork()
        if child == 0:
            end_with_parent()
            config |= {"instance": instance, "listener": listener.fileno()}
            if node is None:
                worker.main(config)
                os._exit(0)
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.mjs")
            os.execv(node, [node, script, json.dumps(config)])
        watch(child, instance, journal, chance, config["lease_ms"] / 1000)


def watch(child: int, instance: str, journal: Journal, chance: random.Random, lease: float) -> None:
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            how = os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)
            journal.write("died", instance=instance, how=how)
            if how != signal.SIGKILL:
                time.sleep(0.2)  # it did not start: say so again and again, but not a thousand times a second
            return
        time.sleep(lease * chance.uniform(1.3, 3.0))
        os.kill(child, signal.SIGCONT)


if __name__ == "__main__":
    main()
