"""Threads that start together, for races."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections


def in_threads(count: int, function: Callable[[int], Any]) -> list[Any]:
    """function(i) for i < count, all at once; what each returned, or the exception it raised, in order."""
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        try:
            gate.wait(timeout=30)
            return function(number)
        finally:
            connections.close_all()  # each thread has its own; left open it would block the end of the run

    with ThreadPoolExecutor(count) as executor:
        futures = [executor.submit(one, number) for number in range(count)]
    return [future.exception() or future.result() for future in futures]
