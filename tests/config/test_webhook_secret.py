"""One secret for the demo's webhooks, however often its processes start."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from config import webhook_secret
from config.supervisor import Supervisor
from tests.processes import ROOT


def settings_of(environment: str, var: Path, **more: str) -> list[str]:
    """The webhook secrets that a process of its own finds, started by hand."""
    env = {name: value for name, value in os.environ.items() if name not in ("STRIPE_WEBHOOK_SECRETS", "DJANGO_SETTINGS_MODULE")}
    env |= {"ENVIRONMENT": environment, "VAR_DIR": str(var), "PYTHONPATH": str(ROOT / "platform"), **more}
    code = "import json; from config import settings; print(json.dumps(settings.STRIPE_WEBHOOK_SECRETS))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


class TestTheSecret:
    def test_is_the_same_at_every_start(self, tmp_path: Path) -> None:
        first, second = (Supervisor(port=8000, var=tmp_path)._env["STRIPE_WEBHOOK_SECRETS"] for _ in range(2))

        assert first == second
        assert first.startswith("whsec_")

    def test_is_another_one_in_another_folder(self, tmp_path: Path) -> None:
        assert webhook_secret.kept(tmp_path / "one") != webhook_secret.kept(tmp_path / "two")

    def test_can_be_read_by_its_owner_alone(self, tmp_path: Path) -> None:
        webhook_secret.kept(tmp_path)

        assert [stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()] == [0o600]

    def test_is_known_to_a_process_that_is_started_by_hand(self, tmp_path: Path) -> None:
        kept = webhook_secret.kept(tmp_path)

        assert settings_of("demo", tmp_path) == [kept]
        assert settings_of("demo", tmp_path, STRIPE_WEBHOOK_SECRETS="whsec_given") == ["whsec_given"]

    def test_of_a_demo_is_never_taken_elsewhere(self, tmp_path: Path) -> None:
        webhook_secret.kept(tmp_path)

        assert settings_of("test", tmp_path) == []

    def test_is_not_made_by_a_process_that_only_reads(self, tmp_path: Path) -> None:
        assert settings_of("demo", tmp_path) == []
        assert not list(tmp_path.glob("*.secret"))
