"""Where the operators' commands look."""

import os
from pathlib import Path

import pytest

from stack.access import WAYS, access, access_to
from stack.layout import WELL_KNOWN_PORTS, Plan
from stack.state import StackState, own_start, write_state


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A folder in which a stack runs."""
    plan = Plan(data=str(tmp_path), ports=WELL_KNOWN_PORTS)
    write_state(tmp_path, StackState(pid=os.getpid(), started=own_start(), phase="ready", plan=plan))
    return tmp_path


def test_the_stack_of_the_folder_is_looked_at(running: Path) -> None:
    """With nothing in the environment, the commands go to the stack of the folder."""
    assert access(running) == access_to(Plan(data=str(running), ports=WELL_KNOWN_PORTS))


def test_no_stack_and_nothing_named_is_no_access(tmp_path: Path) -> None:
    """A folder without a stack gives no way in."""
    assert access(tmp_path) is None


def test_the_environment_leads_to_azure_without_a_key(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts that the environment names win over the stack, and no key of the stack goes with them."""
    monkeypatch.setenv("HELIOGRAPH_EVENTHUB_NAMESPACE", "helio.servicebus.windows.net")
    monkeypatch.setenv("HELIOGRAPH_STORAGE_ACCOUNT", "sthelio")
    monkeypatch.setenv("HELIOGRAPH_COSMOS_ENDPOINT", "https://helio.documents.azure.com")
    found = access(running)
    assert found is not None
    assert (found.eventhub_namespace, found.storage_account) == ("helio.servicebus.windows.net", "sthelio")
    assert found.eventhub_connection_string is found.storage_connection_string is found.cosmos_key is None


def test_half_of_the_ways_ends_with_the_other_half_named(
    running: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the environment lacks is named, and the local stack does not step in for it."""
    monkeypatch.setenv("HELIOGRAPH_EVENTHUB_NAMESPACE", "helio.servicebus.windows.net")
    with pytest.raises(SystemExit):
        access(running)
    assert "HELIOGRAPH_COSMOS_ENDPOINT: Field required" in capsys.readouterr().err
