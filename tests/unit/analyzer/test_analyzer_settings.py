"""Bad settings stop the start with a message that names them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from analyzer.settings import AnalyzerSettings
from heliograph.settings import read_settings

CONNECTIONS = {
    "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": "Endpoint=sb://localhost;UseDevelopmentEmulator=true;",
    "HELIOGRAPH_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WINDOWS", "hopping-10s-20s", "hop of 20 s is longer than the window"),
        ("WINDOWS", "tumbling-10s,hopping-10s-20s", "hop of 20 s is longer than the window"),
        ("WINDOWS", "sliding-10s", "the first window must be tumbling"),
        ("WINDOWS", "tumbling-0s", "more than 0s"),
        ("WINDOWS", "tumbling-10s,tumbling-10s", "there twice"),
        ("WINDOWS", "", "name at least one window"),
        ("WINDOWS", "often", "must look like"),
        ("ALLOWED_LATENESS_S", "-1", "greater than or equal to 0"),
        ("OUT_OF_ORDER_S", "-0.5", "greater than or equal to 0"),
        ("FORGET_AFTER_S", "3600", "must be longer than HELIOGRAPH_ALLOWED_LATENESS_S"),
    ],
)
def test_a_bad_setting_is_named(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start ends with code 2 and a message that names the setting and what is wrong with it."""
    for variable, content in CONNECTIONS.items():
        monkeypatch.setenv(variable, content)
    if name == "FORGET_AFTER_S":
        monkeypatch.setenv("HELIOGRAPH_ALLOWED_LATENESS_S", "7200")
    monkeypatch.setenv(f"HELIOGRAPH_{name}", value)
    with pytest.raises(SystemExit) as stopped:
        read_settings(AnalyzerSettings)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert f"HELIOGRAPH_{name}" in message
    assert said in message


def test_the_default_is_tumbling_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings there is one window, tumbling, ten seconds."""
    for variable, content in CONNECTIONS.items():
        monkeypatch.setenv(variable, content)
    found = read_settings(AnalyzerSettings).definitions()
    assert (found.main.size_us, found.others, found.pane_us) == (10_000_000, (), 10_000_000)


@pytest.mark.timeout(180)  # a start imports pvlib, which takes seconds of a busy machine
def test_the_process_does_not_start_with_a_bad_setting() -> None:
    """`python -m analyzer` ends with code 2 and one line that names the setting and what is wrong with it."""
    bad = {"HELIOGRAPH_WINDOWS": "tumbling-10s,hopping-10s-20s"}
    ended = subprocess.run(
        [sys.executable, "-m", "analyzer"],
        env=os.environ | CONNECTIONS | bad,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "HELIOGRAPH_WINDOWS: window 'hopping-10s-20s': the hop of 20 s is longer" in ended.stderr
    assert "Traceback" not in ended.stderr
