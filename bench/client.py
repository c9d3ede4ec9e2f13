"""A thin HTTP client: ready-made bytes over kept connections, so that the load itself takes little of the machine."""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    first_byte: float  # seconds after the request was sent
    head: bytes
    body: bytes


def request(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in {**(headers or {}), **({"Content-Length": str(len(body))} if body else {})}.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._kept = b""

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> Answer:
        sent = time.perf_counter()
        self._socket.sendall(data)
        self._kept = self._socket.recv(65_536)
        first = time.perf_counter() - sent
        head = self._until(b"\r\n\r\n")
        status = int(head[9:12])
        return Answer(status, first, head, b"" if status == 304 else self._body(head.lower()))

    def _more(self) -> None:
        found = self._socket.recv(65_536)
        if not found:
            raise ConnectionError("the server closed the connection")
        self._kept += found

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._kept:
            self._more()
        found, _, self._kept = self._kept.partition(mark)
        return found

    def _exactly(self, length: int) -> bytes:
        while len(self._kept) < length:
            self._more()
        found, self._kept = self._kept[:length], self._kept[length:]
        return found

    def _body(self, head: bytes) -> bytes:
        if b"content-length:" in head:
            return self._exactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body


def arrive(port: int, one: bytes, *, count: int, rate: float) -> list[tuple[float, Answer]]:
    """Send the request `count` times, `rate` a second, whether or not the earlier ones were answered; with each the seconds from when
    it was due, so that a wait for a free connection counts too.
    """
    found: list[tuple[float, Answer]] = []
    lanes = 4
    started = time.perf_counter() + 0.1

    def work(first: int) -> None:
        connection = Connection(port)
        for number in range(first, count, lanes):
            due = started + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            late = time.perf_counter() - due
            answer = connection.send(one)
            found.append((late + answer.first_byte, answer))
        connection.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def blast(port: int, requests: Sequence[bytes], *, connections: int) -> tuple[float, list[Answer]]:
    """Send all requests over so many connections at once; seconds until the last answer, and the answers in no order."""
    answers: list[Answer] = []
    ready = threading.Barrier(connections + 1)

    def work(share: Sequence[bytes]) -> None:
        connection = Connection(port)
        ready.wait()
        answers.extend([connection.send(one) for one in share])
        connection.close()

    threads = [threading.Thread(target=work, args=(requests[number::connections],)) for number in range(connections)]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, answers
