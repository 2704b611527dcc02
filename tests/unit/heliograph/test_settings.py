import json
import os
import socket

import pytest
from pydantic import Field

from heliograph.blobs import open_blobs
from heliograph.hub import ReaderSettings, open_reader
from heliograph.runtime import Service, run
from heliograph.settings import CosmosSettings, ServiceSettings, WrongSettingError, read_settings

WAY_IN = {"HELIOGRAPH_EVENTHUB_NAMESPACE": "h.servicebus.windows.net", "HELIOGRAPH_STORAGE_ACCOUNT": "store"}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HELIOGRAPH_"):
            monkeypatch.delenv(name)


def test_a_missing_setting_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing setting ends the process with code 2 and is named by its variable."""
    with pytest.raises(SystemExit) as stop:
        read_settings(CosmosSettings)
    assert stop.value.code == 2
    assert "HELIOGRAPH_COSMOS_ENDPOINT" in capsys.readouterr().err


def test_no_way_to_the_hubs_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a connection string or a namespace the message says which of the two to set."""
    with pytest.raises(SystemExit):
        read_settings(ServiceSettings)
    assert "HELIOGRAPH_EVENTHUB_NAMESPACE" in capsys.readouterr().err


def test_a_wrong_value_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong value is named with its variable and what was given."""
    for name, value in (WAY_IN | {"HELIOGRAPH_HTTP_PORT": "99999"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        read_settings(ServiceSettings)
    message = capsys.readouterr().err
    assert "HELIOGRAPH_HTTP_PORT" in message
    assert "99999" in message


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of the settings hides what is secret."""
    for name, value in (WAY_IN | {"HELIOGRAPH_STORAGE_CONNECTION_STRING": "AccountKey=s3cret"}).items():
        monkeypatch.setenv(name, value)
    assert "s3cret" not in repr(read_settings(ServiceSettings))


class _Mapped(ServiceSettings):
    api_keys: dict[str, str] = Field({})
    plants: dict[str, str] = Field({})


def test_what_should_be_json_is_named_with_what_was_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that holds no JSON ends the process with code 2; the message has its name and value, but no secret."""
    for name, value in (WAY_IN | {"HELIOGRAPH_PLANTS": "{a: b}"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        read_settings(_Mapped)
    message = capsys.readouterr().err
    assert (stop.value.code, message.count("\n")) == (2, 1)
    assert message.startswith("HELIOGRAPH_PLANTS: ")
    assert "'{a: b}'" in message
    monkeypatch.setenv("HELIOGRAPH_PLANTS", "{}")
    monkeypatch.setenv("HELIOGRAPH_API_KEYS", "s3cret")
    with pytest.raises(SystemExit):
        read_settings(_Mapped)
    message = capsys.readouterr().err
    assert "HELIOGRAPH_API_KEYS" in message
    assert "s3cret" not in message


async def _refuse(_service: Service[ServiceSettings]) -> None:
    raise WrongSettingError("HELIOGRAPH_PLANTS: 'x' is unknown")


def test_a_setting_that_the_work_finds_wrong_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code 2 and a message without a traceback, the same for a port that is taken."""
    for name, value in (WAY_IN | {"HELIOGRAPH_HTTP_HOST": "127.0.0.1", "HELIOGRAPH_HTTP_PORT": "0"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        run("test", ServiceSettings, _refuse)
    [line] = [line for line in capsys.readouterr().out.splitlines() if "wrong setting" in line]
    assert (stop.value.code, json.loads(line)["error"]) == (2, "HELIOGRAPH_PLANTS: 'x' is unknown")
    assert "Traceback" not in line
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HELIOGRAPH_HTTP_PORT", str(taken.getsockname()[1]))
        with pytest.raises(SystemExit) as stop:
            run("test", ServiceSettings, _refuse)
        assert f"127.0.0.1:{taken.getsockname()[1]}" in capsys.readouterr().out
    assert stop.value.code == 2


async def _open_all(service: Service[ReaderSettings]) -> None:
    async with open_reader(service.settings, "hub", "group"), open_blobs(service.settings):
        raise AssertionError("opened")


@pytest.mark.parametrize("variable", ["HELIOGRAPH_EVENTHUB_CONNECTION_STRING", "HELIOGRAPH_STORAGE_CONNECTION_STRING"])
def test_a_connection_string_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    """A connection string that the SDK can't read ends the process with code 2, named, and is not shown."""
    given = WAY_IN | {"HELIOGRAPH_HTTP_HOST": "127.0.0.1", "HELIOGRAPH_HTTP_PORT": "0", variable: "s3cret"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        run("test", ReaderSettings, _open_all)
    said = capsys.readouterr().out
    [line] = [line for line in said.splitlines() if "wrong setting" in line]
    assert (stop.value.code, json.loads(line)["error"].split(":")[0]) == (2, variable)
    assert "s3cret" not in said
