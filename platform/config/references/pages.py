"""Which pages there are, and whether what is committed still says what the code says."""

from collections.abc import Callable
from pathlib import Path

from config.env import BASE_DIR
from config.references import ledger_accounts, people_and_clock, state_machines
from public_api.references import FILES

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/state-machines.md": state_machines.render,
    "docs/reference/permissions.md": people_and_clock.permissions,
    "docs/reference/ledger-accounts.md": ledger_accounts.render,
    "docs/reference/schedules.md": people_and_clock.schedules,
    **FILES,
}


def outdated(root: Path = BASE_DIR) -> dict[str, str]:
    """The pages whose file differs from what the code says or is missing, with the text they should have."""
    rendered = {name: render() for name, render in PAGES.items()}
    return {name: text for name, text in rendered.items() if not (root / name).exists() or (root / name).read_text() != text}


def write(root: Path = BASE_DIR) -> list[str]:
    """Every page says what the code says on return; the names of those that changed."""
    changed = outdated(root)
    for name, text in changed.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return sorted(changed)
