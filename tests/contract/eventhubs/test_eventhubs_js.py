"""The JavaScript SDK against the hub."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.timeout(300)
def test_the_javascript_sdk_sends_receives_and_asks(connection_string: str, run_js: Callable[..., Any]) -> None:
    """Properties, batches, fat events, positions, keys and a wrong key: what the script saw is what was expected."""
    seen = run_js("eventhubs.mjs", connection_string, "contract")
    assert seen["hub"] == {"name": "contract", "partitionIds": ["0", "1", "2", "3"]}
    assert seen["maxSizeInBytes"] >= 256 * 1024
    assert seen["numbers"] == list(range(100))
    assert seen["properties"] == {"number": 7, "name": "발전소"}
    assert seen["fatLength"] == 300_000
    assert seen["sequenceNumbersFollow"] is True
    assert seen["firstAt"] == {"offset": 50, "sequenceNumber": 50, "enqueuedOn": 100} or (
        seen["firstAt"]["enqueuedOn"] <= 100
    )
    assert seen["key"] == "plant-1"
    assert seen["wrongKey"] in {"UnauthorizedError", "AuthFailed", "UnauthorizedAccess"}
