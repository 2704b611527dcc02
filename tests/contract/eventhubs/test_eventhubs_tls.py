"""AMQPS and AMQP over WebSockets on the local broker, which is given a certificate."""

import asyncio
import datetime
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, TransportType
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import EventHubError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HUB = "contract"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for this machine, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_options(tmp_path: Path, start_broker: Any, certificate: Path) -> Iterator[dict[str, Any]]:
    """What a client needs to reach a broker over TLS, connection string included."""
    with start_broker(tmp_path, "--fsync=never", f"--tls-certificate={certificate}", "--tls-port=0") as broker:
        yield {
            "conn_str": re.sub(r":\d+;", ";", broker.connection_string.replace("UseDevelopmentEmulator=true;", "")),
            "eventhub_name": HUB,
            "custom_endpoint_address": f"sb://127.0.0.1:{broker.tls_port}",
            "connection_verify": str(certificate),
            "retry_total": 0,
        }


@pytest.mark.parametrize("transport", [TransportType.Amqp, TransportType.AmqpOverWebsocket])
async def test_both_transports_work_over_tls(tls_options: dict[str, Any], transport: TransportType) -> None:
    """Sending, asking and receiving work over AMQPS and over secure WebSockets with the given certificate."""
    body = b"x" * 300_000
    options = {**tls_options, "transport_type": transport}
    async with EventHubProducerClient.from_connection_string(**options) as producer:
        await producer.send_batch([EventData(body), EventData(b"small")], partition_id="2")
        assert (await producer.get_partition_properties("2"))["last_enqueued_sequence_number"] == 1
    received: list[bytes] = []
    both = asyncio.Event()

    async def on_event(_: Any, event: Any) -> None:
        received.append(b"".join(event.body))
        if len(received) == 2:
            both.set()

    async with EventHubConsumerClient.from_connection_string(consumer_group="$Default", **options) as client:
        receiving = asyncio.create_task(client.receive(on_event, partition_id="2", starting_position="-1"))
        await both.wait()
        receiving.cancel()
    assert received == [body, b"small"]


async def test_a_certificate_that_is_not_trusted_is_refused(tls_options: dict[str, Any]) -> None:
    """A client that does not know the certificate never gets as far as AMQP."""
    del tls_options["connection_verify"]
    async with EventHubProducerClient.from_connection_string(**tls_options) as producer:
        with pytest.raises(EventHubError):
            await producer.get_eventhub_properties()
