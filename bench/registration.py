"""200 people want 50 seats at once, over HTTP."""

import json

from django.test import Client

from bench import data
from bench.bed import Bed, execute
from bench.client import Answer, blast, request
from bench.measure import Result, Round, by_turns, clock, queries_of, rate_result
from registrations.models import Registration

PEOPLE, SEATS, CONNECTIONS, ROUNDS = 200, 50, 32, 5


def _bodies(prefix: str) -> list[bytes]:
    return [json.dumps({"name": "Ada Abbott", "email": f"{prefix}.{number}@mail.example"}).encode() for number in range(PEOPLE)]


def _checked(answers: list[Answer], sold: int) -> None:
    """Exact and clean, or the figure means nothing."""
    states = [answer.status for answer in answers]
    if sold != SEATS or states.count(201) != SEATS or states.count(409) != PEOPLE - SEATS:
        raise AssertionError(
            f"{sold} seats sold; answers {sorted(set(states))}: {next(a.body for a in answers if a.status not in (201, 409))!r}"
        )


def measure(bed: Bed) -> list[Result]:
    """Exactly 50 are sold in every round, the other 150 get a 409."""
    events = [data.event(f"race-{number}", capacity=SEATS) for number in range(ROUNDS + 2)]
    data.publish(events)
    with bed.served() as (port, web), bed.served("bench.bare:application") as (bare_port, bare_web):

        def limit(number: int) -> Round:
            execute("INSERT INTO bench_event (id, capacity) VALUES (%s, %s)", (number, SEATS))
            path, head = f"/bare/seats/{number}", {"Content-Type": "application/json"}
            requests = [request("POST", path, body=body, headers=head) for body in _bodies(f"l{number}")]
            with clock(bed, bare_web) as took:
                _, answers = blast(bare_port, requests, connections=CONNECTIONS)
            _checked(answers, int(str(execute("SELECT taken FROM bench_event WHERE id = %s", (number,))[0][0])))
            return Round(PEOPLE, took.seconds, took.cpu)

        def product(number: int) -> Round:
            event = events[number]
            path = f"/api/v1/events/{event.public_id}/registrations"
            requests = [
                request(
                    "POST", path, body=body, headers={"Content-Type": "application/json", "Idempotency-Key": f"bench-{number}-{index:04}"}
                )
                for index, body in enumerate(_bodies(f"p{number}"))
            ]
            with clock(bed, web) as took:
                _, answers = blast(port, requests, connections=CONNECTIONS)
            _checked(answers, Registration.objects.filter(event=event, state="pending").count())
            return Round(PEOPLE, took.seconds, took.cpu)

        limit(ROUNDS), product(ROUNDS)  # warm both
        bare, ours = by_turns(limit, product, ROUNDS)
    queries = queries_of(lambda: _one(events[ROUNDS + 1].public_id))
    reach = "≥ 60 %, ≤ 4 cpu-ms, ≤ 12 queries; exact"
    return [rate_result("registration, 200 requests for 50 seats, over HTTP", limit=bare, product=ours, queries=queries, reach=reach)]


def _one(public_id: str) -> None:
    body = {"name": "Ada Abbott", "email": "one@mail.example"}
    path = f"/api/v1/events/{public_id}/registrations"
    answer = Client(headers={"Idempotency-Key": "bench-one-0001", "Host": "127.0.0.1"}).post(path, body, content_type="application/json")
    if answer.status_code != 201:
        raise AssertionError(answer.content)
