"""The recorder reports what it saw go wrong, once, and forgives only what the sandbox itself refused."""

import json
from pathlib import Path

from tests.contract.stripe.recording import Recorder

REFUSAL = json.dumps({"error": {"type": "invalid_request_error", "message": "Received unknown parameter: colour"}})


class TestProblems:
    def test_names_each_violation_once(self) -> None:
        recorder = Recorder()
        for _ in range(2):
            recorder.exchange("POST", "/v1/refunds", {}, "colour=red", 400, REFUSAL)
        recorder.webhook("http://platform.test/", {}, b'{"id": "evt_1", "type": "refund.created", "data": {}}', 200)

        problems = recorder.problems()

        assert len([p for p in problems if "colour" in p]) == 1
        assert any(p.startswith("event: ") for p in problems)

    def test_forgives_a_refused_request_only_when_tolerant(self) -> None:
        recorder = Recorder(tolerant=True)
        recorder.exchange("POST", "/v1/refunds", {}, "colour=red", 400, REFUSAL)
        assert recorder.problems() == []

        recorder.exchange("POST", "/v1/refunds", {}, "colour=red", 500, REFUSAL)

        assert len(recorder.problems()) == 1

    def test_reads_what_another_process_wrote(self, tmp_path: Path) -> None:
        lines = [
            {"method": "GET", "target": "/v1/balance?colour=red", "request_body": "", "status": 400, "response_body": REFUSAL},
            {"webhook": '{"id": "evt_1"}', "status": None},
        ]
        (tmp_path / "calls.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
        recorder = Recorder()

        recorder.read(tmp_path / "calls.jsonl")

        assert [call.target for call in recorder.calls] == ["/v1/balance?colour=red"]
        assert any("colour" in p for p in recorder.problems())
        assert any("type" in p for p in recorder.problems())
