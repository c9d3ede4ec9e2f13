"""What everybody reads: the list of 10,000 events, one event, and both again with an ETag."""

from collections.abc import Callable

from django.test import Client

from bench import data
from bench.bed import Bed
from bench.client import blast, request
from bench.measure import Result, Round, by_turns, clock, queries_of, rate_result

EVENTS, REQUESTS, CONNECTIONS = 10_000, 1_000, 8


def measure(bed: Bed) -> list[Result]:
    data.publish([data.event(f"list-{number}", capacity=40, price=5000 * (number % 2), days=10 + number / 50) for number in range(EVENTS)])
    slug = "event-list-77"
    with bed.served() as (port, web), bed.served("bench.bare:application") as (bare_port, bare_web):

        def hammer(target: int, process: int, one: bytes, expected: int) -> Callable[[int], Round]:
            def run(number: int) -> Round:
                with clock(bed, process) as took:
                    _, answers = blast(target, [one] * REQUESTS, connections=CONNECTIONS)
                wrong = [answer.status for answer in answers if answer.status != expected]
                if wrong:
                    raise AssertionError(f"{len(wrong)} answers other than {expected}: {wrong[:3]}")
                return Round(REQUESTS, took.seconds, took.cpu)

            run(0)  # warm
            return run

        found = []
        for work, limit_path, path, reach in (
            ("public event list, 20 of 10,000", "/bare/events", "/api/v1/events?limit=20", "≥ 45 %, ≤ 2 queries"),
            ("public event detail", f"/bare/events/{slug}", f"/api/v1/events/{slug}", "≥ 45 %, ≤ 3 queries"),
        ):
            limit = hammer(bare_port, bare_web, request("GET", limit_path), 200)
            fresh, again = request("GET", path), request("GET", path, headers={"If-None-Match": "*"})
            queries = queries_of(lambda path=path: Client(headers={"Host": "127.0.0.1"}).get(path))
            bare, ours = by_turns(limit, hammer(port, web, fresh, 200))
            found.append(rate_result(work, limit=bare, product=ours, queries=queries, reach=reach))
            bare, ours = by_turns(limit, hammer(port, web, again, 304))
            found.append(rate_result(f"{work}, 304 by its ETag", limit=bare, product=ours, queries=queries, reach="≥ 85 % (list)"))
    return found
