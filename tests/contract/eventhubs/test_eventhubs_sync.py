"""The synchronous Python SDK against the hub."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub._buffered_producer._partition_resolver import PartitionResolver
from azure.eventhub.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType
from azure.eventhub.exceptions import AuthenticationError, ConnectError, EventHubError

WAIT_S = 20


class Reading:
    """Receives from one partition in a thread until it has enough."""

    def __init__(self, client: EventHubConsumerClient, count: int, **options: Any) -> None:
        self.events: list[Any] = []
        self.errors: list[Exception] = []
        self.contexts: list[Any] = []
        self._count = count
        self._enough = threading.Event()
        self._failed = threading.Event()
        self._client = client
        self._thread = threading.Thread(
            target=client.receive, args=(self._on_event,), kwargs={"on_error": self._on_error, **options}
        )
        self._thread.start()

    def _on_event(self, context: Any, event: Any) -> None:
        self.contexts.append(context)
        self.events.append(event)
        if len(self.events) >= self._count:
            self._enough.set()

    def _on_error(self, _: Any, error: Exception) -> None:
        self.errors.append(error)
        self._failed.set()

    def wait(self) -> list[Any]:
        assert self._enough.wait(WAIT_S), f"{len(self.events)} of {self._count} events came; {self.errors}"
        self.close()
        return self.events

    def wait_for_error(self) -> Exception:
        assert self._failed.wait(WAIT_S)
        return self.errors[0]

    def close(self) -> None:
        self._client.close()
        self._thread.join(WAIT_S)


def send(producer: EventHubProducerClient, bodies: list[str], **where: str) -> None:
    batch = producer.create_batch(**where)
    for body in bodies:
        batch.add(EventData(body))
    producer.send_batch(batch)


def bodies(events: list[Any]) -> list[str]:
    return [event.body_as_str() for event in events]


def test_hub_and_partitions_describe_themselves(producer: EventHubProducerClient) -> None:
    """The hub has its name, its partitions and the time it was made; a partition counts what is sent to it."""
    hub = producer.get_eventhub_properties()
    assert hub["eventhub_name"] == "contract"
    assert hub["partition_ids"] == ["0", "1", "2", "3"]
    before = producer.get_partition_properties("2")
    send(producer, ["a", "b"], partition_id="2")
    after = producer.get_partition_properties("2")
    assert after["last_enqueued_sequence_number"] == before["last_enqueued_sequence_number"] + 2
    assert int(after["last_enqueued_offset"]) > int(before["last_enqueued_offset"])
    assert after["is_empty"] is False
    assert abs(after["last_enqueued_time_utc"].timestamp() - time.time()) < 30


def test_events_come_in_order_with_their_properties(
    producer: EventHubProducerClient, make_consumer: Any, mark: Callable[[str], int]
) -> None:
    """Body, properties and content type come back as sent, in order, with numbers that follow one another."""
    start = mark("0")
    batch = producer.create_batch(partition_id="0")
    for number in range(50):
        event = EventData(f"event {number}")
        event.properties = {"number": number, "flag": True, "text": "발전소"}
        event.content_type, event.message_id, event.correlation_id = "text/plain", f"id{number}", "all"
        batch.add(event)
    producer.send_batch(batch)
    events = Reading(make_consumer(), 50, partition_id="0", starting_position=start).wait()
    assert bodies(events) == [f"event {number}" for number in range(50)]
    assert [event.sequence_number for event in events] == list(range(start + 1, start + 51))
    assert events[7].properties == {b"number": 7, b"flag": True, b"text": "발전소".encode()}
    assert (events[7].content_type, events[7].message_id, events[7].correlation_id) == ("text/plain", "id7", "all")
    offsets = [int(event.offset) for event in events]
    assert offsets == sorted(set(offsets))


def test_a_partition_key_stays_on_the_partition_that_the_sdk_computes(
    producer: EventHubProducerClient, make_consumer: Any, mark: Callable[[str], int]
) -> None:
    """The broker's hash is the SDK's: each key's events are on its partition and carry the key."""
    resolver = PartitionResolver(["0", "1", "2", "3"])
    starts = {partition: mark(partition) for partition in "0123"}
    keys = [f"plant-{number}" for number in range(8)]
    for key in keys:
        producer.send_batch([EventData(key)], partition_key=key)
    for partition in "0123":
        here = [key for key in keys if resolver.get_partition_id_by_partition_key(key) == partition]
        if here:
            events = Reading(
                make_consumer(), len(here), partition_id=partition, starting_position=starts[partition]
            ).wait()
            assert bodies(events) == here
            assert [event.partition_key.decode() for event in events] == here


def test_all_starting_positions(producer: EventHubProducerClient, make_consumer: Any, mark: Any) -> None:
    """Offset, sequence number and enqueued time start after their event, or at it when inclusive."""
    start = mark("1")
    for body in "abc":
        send(producer, [body], partition_id="1")
        time.sleep(0.005)  # so that each has an enqueued time of its own
    events = Reading(make_consumer(), 3, partition_id="1", starting_position=start).wait()
    middle = events[1]
    for position in (middle.offset, middle.sequence_number, middle.enqueued_time):
        for inclusive, expected in ((True, ["b", "c"]), (False, ["c"])):
            reading = Reading(
                make_consumer(),
                len(expected),
                partition_id="1",
                starting_position=position,
                starting_position_inclusive=inclusive,
            )
            assert bodies(reading.wait()) == expected, (position, inclusive)


def test_latest_gives_only_what_comes_later(producer: EventHubProducerClient, make_consumer: Any) -> None:
    """A consumer from @latest sees nothing old; it has joined when its first event arrives."""
    send(producer, ["old"], partition_id="3")
    reading = Reading(make_consumer(), 1, partition_id="3", starting_position="@latest")
    deadline = time.monotonic() + WAIT_S
    while not reading.events and time.monotonic() < deadline:
        send(producer, ["new"], partition_id="3")
        time.sleep(0.5)  # while events come more often than every 0.2 s, this SDK collects and hands none over
    assert set(bodies(reading.wait())) == {"new"}


def test_every_kind_of_body_comes_back(producer: EventHubProducerClient, make_consumer: Any, mark: Any) -> None:
    """Data of many sections, sequences and values, with header, annotations, properties and footer."""
    start = mark("0")
    value = {b"key": [-123, b"data", False]}
    messages = [
        AmqpAnnotatedMessage(data_body=[b"aa", b"bb"], header={"priority": 10}),
        AmqpAnnotatedMessage(sequence_body=[b"message", 123.456, True], footer={"f": "g"}, properties={"subject": "s"}),
        AmqpAnnotatedMessage(value_body=value, annotations={"ann": "value"}, application_properties={"p": "q"}),
    ]
    batch = producer.create_batch(partition_id="0")
    for message in messages:
        batch.add(message)
    producer.send_batch(batch)
    data, sequence, valued = (
        event.raw_amqp_message
        for event in Reading(make_consumer(), 3, partition_id="0", starting_position=start).wait()
    )
    assert (data.body_type, list(data.body), data.header.priority) == (AmqpMessageBodyType.DATA, [b"aa", b"bb"], 10)
    assert list(sequence.body) == [[b"message", 123.456, True]]
    assert (sequence.footer, sequence.properties.subject) == ({b"f": b"g"}, b"s")
    assert (valued.body, valued.annotations[b"ann"]) == (value, b"value")
    assert valued.application_properties == {b"p": b"q"}


def test_the_size_limit_is_told_and_held(producer: EventHubProducerClient) -> None:
    """A batch takes up to the limit that the link told, and what is larger never becomes an event."""
    batch = producer.create_batch()
    assert batch.max_size_in_bytes >= 256 * 1024
    with pytest.raises(ValueError, match="size limit"):
        batch.add(EventData(b"x" * batch.max_size_in_bytes))
    batch.add(EventData(b"x" * (batch.max_size_in_bytes - 1000)))
    producer.send_batch(batch)


def test_an_owner_of_higher_level_takes_the_partition(
    producer: EventHubProducerClient, make_consumer: Any, mark: Any
) -> None:
    """The one before is told that its link was stolen; a lower one after is refused with the same words."""
    start = mark("2")
    send(producer, ["a"], partition_id="2")
    options = {"partition_id": "2", "starting_position": start}
    first = Reading(make_consumer(retry_total=0), 1, owner_level=1, **options)
    assert first._enough.wait(WAIT_S)
    second_client = make_consumer(retry_total=0)
    second = Reading(second_client, 1, owner_level=2, **options)
    assert second._enough.wait(WAIT_S)
    assert "New receiver 'nil' with higher epoch of '2'" in str(first.wait_for_error())
    third = Reading(make_consumer(retry_total=0), 1, owner_level=1, **options)
    assert "higher epoch '2' already exists" in str(third.wait_for_error())
    for reading in (first, second, third):
        reading.close()


def test_last_enqueued_properties_travel_with_events(
    producer: EventHubProducerClient, make_consumer: Any, mark: Any
) -> None:
    """A consumer that tracks them learns the partition's last event with each event."""
    start = mark("1")
    send(producer, ["a", "b", "c"], partition_id="1")
    reading = Reading(
        make_consumer(), 3, partition_id="1", starting_position=start, track_last_enqueued_event_properties=True
    )
    last = reading.wait()[-1]
    seen = reading.contexts[-1].last_enqueued_event_properties
    assert (seen["sequence_number"], seen["offset"]) == (last.sequence_number, last.offset)


def test_a_wrong_key_is_refused(connection_string: str) -> None:
    """A signature made with another key is an authentication error."""
    parts = [
        "SharedAccessKey=d3Jvbmc=" if part.startswith("SharedAccessKey=") else part
        for part in connection_string.split(";")
    ]
    client = EventHubProducerClient.from_connection_string(";".join(parts), eventhub_name="contract", retry_total=0)
    with client, pytest.raises((AuthenticationError, ConnectError)):
        client.get_eventhub_properties()


@pytest.mark.parametrize("call", ["properties", "send"])
def test_a_hub_that_is_not_there_is_an_error(connection_string: str, call: str) -> None:
    """An unknown hub is refused at once, whichever way it is asked for."""
    client = EventHubProducerClient.from_connection_string(connection_string, eventhub_name="absent", retry_total=0)
    ask = {"properties": client.get_eventhub_properties, "send": lambda: client.send_batch([EventData("x")])}[call]
    with client, pytest.raises(EventHubError):
        ask()


def test_a_partition_that_is_not_there_is_an_error(producer: EventHubProducerClient) -> None:
    """A partition id out of range is refused by name."""
    with pytest.raises(EventHubError, match="Invalid partition 4"):
        producer.send_batch([EventData("x")], partition_id="4")


def test_the_buffered_producer_loses_nothing(connection_string: str, make_consumer: Any, mark: Any) -> None:
    """Everything that the buffered producer took is there after its flush, in the order of each key."""
    starts = {partition: mark(partition) for partition in "0123"}
    sent: list[Any] = []

    def on_success(events: Any, partition_id: str) -> None:
        sent.extend((partition_id, event) for event in events)

    failures: list[Any] = []
    client = EventHubProducerClient.from_connection_string(
        connection_string,
        eventhub_name="contract",
        buffered_mode=True,
        max_wait_time=1,
        on_success=on_success,
        on_error=lambda *details: failures.append(details),
    )
    with client:
        for number in range(200):
            client.send_event(EventData(str(number)), partition_key=f"key{number % 5}")
        client.flush(timeout=WAIT_S)
    assert (len(sent), failures) == (200, [])
    arrived = sum(
        client.get_partition_properties(partition)["last_enqueued_sequence_number"] - start
        for client in [make_consumer()]
        for partition, start in starts.items()
    )
    assert arrived == 200
