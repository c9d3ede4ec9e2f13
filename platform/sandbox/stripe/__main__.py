"""python -m sandbox.stripe --port 12111 --state var/stripe.sqlite3 [--public-url https://stripe.example]"""

import argparse
import contextlib
import signal
import sys
import threading
from pathlib import Path

from sandbox.stripe.recording import RecordFile
from sandbox.stripe.server import Sandbox


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    given = _arguments()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with contextlib.ExitStack() as stack:
        record = stack.enter_context(contextlib.closing(RecordFile(given.record))) if given.record else None
        sandbox = Sandbox(
            given.state,
            given.port,
            host=given.host,
            public_url=given.public_url,
            synchronous=given.synchronous,
            seed=given.seed,
            observer=record.exchange if record else None,
            webhook_observer=record.webhook if record else None,
        )
        stack.enter_context(sandbox)
        sys.stdout.write(f"Stripe sandbox on {sandbox.url}\n")
        sys.stdout.flush()
        stopped.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description="A stateful stand-in for Stripe.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12111, help="0 takes any free port")
    parser.add_argument("--state", type=Path, help="file that keeps the state; memory unless given")
    parser.add_argument("--public-url", help="how browsers reach this server")
    parser.add_argument("--synchronous", default="NORMAL", choices=["OFF", "NORMAL", "FULL"], help="how SQLite writes (see store.py)")
    parser.add_argument("--seed", default="1", help="another seed gives other ids")
    parser.add_argument("--record", type=Path, help="file to which every exchange and webhook is added, one JSON object a line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
