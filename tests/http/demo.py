#!/usr/bin/env python3
"""The reference sender against a Flask, an Express and a Worker receiver, over HTTP on this machine.

Everything after the options is passed to `hookproof demo` (`--plain`: no colours). Exit code 1 if any verdict is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys

from receivers import ROOT, ReceiverFailed, fresh_secrets, started

PROGRAM = ROOT / "target/release/hookproof"


def main(options: list[str]) -> int:
    environment = fresh_secrets()
    print("starting the receivers ...", flush=True)
    try:
        with started(environment) as urls:
            for name, url in urls.items():
                print(f"  {name:<8} {url}", flush=True)
            receivers = [part for name, url in urls.items() for part in ("--receiver", f"{name}={url}")]
            return subprocess.run(
                [PROGRAM, "demo", *receivers, *options],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                check=False,
            ).returncode
    except ReceiverFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
