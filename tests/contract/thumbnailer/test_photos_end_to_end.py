"""From an event about a photo to its thumbnails, receipts and poison, against real storage and a real hub."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueSasPermissions, generate_queue_sas
from azure.storage.queue.aio import QueueClient
from PIL import Image
from prometheus_client import REGISTRY

from heliograph.topology import INSIGHTS_HUB
from thumbnailer.photos import photo_id
from thumbnailer.queue import WorkQueue
from thumbnailer.reconcile import Reconciler
from thumbnailer.uploads import Uploads

pytestmark = pytest.mark.timeout(120)


def grid_event(container: str, name: str, kind: str = "BlobCreated") -> str:
    """A message as Event Grid puts it into a storage queue: base64."""
    event = {
        "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
        "eventType": f"Microsoft.Storage.{kind}",
        "eventTime": "2026-11-23T08:00:00Z",
        "id": str(uuid4()),
        "data": {},
        "dataVersion": "",
        "metadataVersion": "1",
    }
    return base64.b64encode(json.dumps(event).encode()).decode()


def cloud_event(container: str, name: str) -> str:
    return json.dumps(
        {
            "specversion": "1.0",
            "type": "Microsoft.Storage.BlobCreated",
            "source": "/subscriptions/0",
            "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
            "id": str(uuid4()),
            "data": {},
        }
    )


def is_drained(queue) -> bool:
    return queue.get_queue_properties().approximate_message_count == 0


async def test_a_photo_becomes_thumbnails_and_an_insight(bench, photo, wait, told):
    """A BlobCreated event makes each preset's thumbnail, upright, with its facts in the metadata and on the hub."""
    plant = f"p-{uuid4().hex[:8]}"
    name = f"{plant}/roof.txt"
    bench.uploads.upload_blob(name, photo("red", (640, 480), orientation=6))
    bench.queue.send_message(grid_event(bench.places.uploads, name))
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "the message is done")
    card, large = sorted(bench.names(), key=lambda blob: "large" in blob)
    assert card.startswith(f"{name}/")
    assert card.endswith("/card.webp")
    blob = bench.thumbnails.download_blob(card)
    image = Image.open(io.BytesIO(blob.readall()))
    assert image.size == (320, 240)
    assert Image.open(io.BytesIO(bench.thumbnails.download_blob(large).readall())).size == (480, 640)
    assert blob.properties.content_settings.content_type == "image/webp"
    assert blob.properties.content_settings.cache_control == "public, max-age=31536000, immutable"
    facts = blob.properties.metadata
    assert (facts["width"], facts["height"], facts["photowidth"], facts["photoheight"]) == ("320", "240", "480", "640")
    assert facts["dominantcolour"].startswith("#f")
    (message,) = await told(plant, 1)
    assert message.photo_id == photo_id(name)
    assert (message.width, message.height, message.content_type) == (480, 640, "image/jpeg")
    assert (message.dominant_colour, message.placeholder) == (facts["dominantcolour"], facts["placeholder"])
    assert [thumbnail.blob for thumbnail in message.thumbnails] == [card, large]


async def test_the_same_event_twice_does_nothing_twice(bench, photo, wait, told):
    """A repeated event, in either schema, finds the receipt and writes neither thumbnail nor insight again."""
    plant = f"p-{uuid4().hex[:8]}"
    name = f"{plant}/a.jpg"
    bench.uploads.upload_blob(name, photo())
    async with bench.running():
        bench.queue.send_message(cloud_event(bench.places.uploads, name))
        await wait(lambda: is_drained(bench.queue), "the first message is done")
        first = {blob.name: blob.etag for blob in bench.thumbnails.list_blobs()}
        for event in (cloud_event, grid_event):
            bench.queue.send_message(event(bench.places.uploads, name))
        await wait(lambda: is_drained(bench.queue), "the repeats are done")
    assert {blob.name: blob.etag for blob in bench.thumbnails.list_blobs()} == first
    assert len(await told(plant, 1)) == 1


async def test_an_overwritten_photo_gets_new_thumbnails_and_a_deleted_one_loses_them(bench, photo, wait, told):
    """Thumbnails follow the photo: new names for new content, none of the old left, and none at all at the end."""
    plant = f"p-{uuid4().hex[:8]}"
    name = f"{plant}/a.jpg"
    async with bench.running():
        bench.uploads.upload_blob(name, photo("red"))
        bench.queue.send_message(grid_event(bench.places.uploads, name))
        await wait(lambda: is_drained(bench.queue), "made")
        red = bench.names()
        bench.uploads.upload_blob(name, photo("blue"), overwrite=True)
        bench.queue.send_message(grid_event(bench.places.uploads, name))
        await wait(lambda: is_drained(bench.queue), "made again")
        blue = bench.names()
        assert len(red) == len(blue) == 2
        assert not set(red) & set(blue)
        bench.uploads.delete_blob(name)
        bench.queue.send_message(grid_event(bench.places.uploads, name, "BlobDeleted"))
        await wait(lambda: is_drained(bench.queue), "removed")
    assert bench.names() == []
    assert list(bench.receipts.list_blob_names()) == []
    messages = await told(plant, 3)
    assert [message.deleted for message in messages] == [False, False, True]
    assert [message.dominant_colour[1:3] for message in messages[:2]] == ["fe", "00"]


async def test_events_out_of_order_end_in_the_truth(bench, photo, wait):
    """A deletion that arrives for a photo that is there again removes nothing: what is, counts."""
    name = "p1/a.jpg"
    bench.uploads.upload_blob(name, photo())
    for kind in ("BlobDeleted", "BlobCreated", "BlobDeleted"):
        bench.queue.send_message(grid_event(bench.places.uploads, name, kind))
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "done")
    assert len(bench.names()) == 2


async def test_a_broken_photo_is_poisoned_at_once_with_its_reason(bench, photo, wait, told):
    """What can never succeed goes to the poison queue after one try, in Functions' shape, and good photos go on."""
    plant = f"p-{uuid4().hex[:8]}"
    bench.uploads.upload_blob(f"{plant}/bad.jpg", photo()[:200])
    bench.uploads.upload_blob(f"{plant}/good.jpg", photo())
    for file in ("bad.jpg", "good.jpg"):
        bench.queue.send_message(grid_event(bench.places.uploads, f"{plant}/{file}"))
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "both are done")
    (message,) = bench.poison.receive_messages()
    fields = json.loads(message.content)
    assert fields["BlobName"] == f"{plant}/bad.jpg"
    assert fields["ContainerName"] == bench.places.uploads
    assert fields["FunctionId"] == "thumbnailer"
    assert fields["BlobType"] == "BlockBlob"
    assert fields["ETag"].strip('"') == bench.uploads.get_blob_client(
        fields["BlobName"]
    ).get_blob_properties().etag.strip('"')
    assert (fields["Reason"], fields["DequeueCount"]) == ("broken", 1)
    assert len(bench.names()) == 2
    assert sorted(len(message.thumbnails) for message in await told(plant, 2)) == [0, 2]


async def test_of_the_poison_queue_it_needs_the_right_to_send_alone(bench):
    """Looking after both queues works where the poison queue can't be read, as with the identity on Azure."""
    key = bench.poison.credential.account_key
    may_add = generate_queue_sas(
        bench.poison.account_name, bench.poison.queue_name, key, QueueSasPermissions(add=True),
        datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    address = f"{bench.poison.primary_endpoint.partition('?')[0]}?{may_add}"
    photos = QueueClient.from_connection_string(bench.storage, bench.places.queue)
    async with photos, QueueClient.from_queue_url(address) as poison:
        with pytest.raises(HttpResponseError, match="not authorized"):
            await poison.get_queue_properties()
        queue = WorkQueue(photos, poison)
        await queue.probe()
        await queue.measure()
        await queue.send_poison("p")
    assert [message.content for message in bench.poison.receive_messages()] == ["p"]


async def test_a_message_that_is_no_event_is_poisoned_as_it_is(bench, wait):
    """Nonsense in the queue stops nothing and is kept, word for word, for a person to see."""
    bench.queue.send_message("no event at all")
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "done")
    (message,) = bench.poison.receive_messages()
    assert message.content == "no event at all"


async def test_a_blob_outside_a_plants_folder_is_poisoned(bench, photo, wait):
    """A photo belongs to a plant; one that names none is refused for its name."""
    bench.uploads.upload_blob("stray.jpg", photo())
    bench.queue.send_message(grid_event(bench.places.uploads, "stray.jpg"))
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "done")
    (message,) = bench.poison.receive_messages()
    assert json.loads(message.content)["Reason"] == "bad-name"


@pytest.mark.parametrize("name", ["p1/../../thumbnails/p1/a.jpg", "../../other", "p1/./a.jpg", "p1/" + "a" * 1100])
async def test_a_name_that_no_photo_can_have_is_poisoned_at_once(bench, name, wait):
    """A message may name anything; storage is never asked for what a URL would turn into another blob."""
    bench.queue.send_message(grid_event(bench.places.uploads, name))
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "done")
    (message,) = bench.poison.receive_messages()
    fields = json.loads(message.content)
    assert (fields["Reason"], fields["DequeueCount"], fields["ETag"]) == ("bad-name", 1, "")
    assert list(bench.receipts.list_blob_names()) == []


async def test_another_photo_is_not_refused_for_its_forerunner(bench, photo):
    """When a photo was overwritten while its former content was refused, the refusal touches nothing."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.opened() as thumbnailer:
        reconciler = thumbnailer.trigger.reconciler
        former = await reconciler.etag("p1/a.jpg")
        bench.uploads.upload_blob("p1/a.jpg", photo("red"), overwrite=True)
        await reconciler.refuse("p1/a.jpg", former, "broken")
        assert list(bench.receipts.list_blob_names()) == []
        assert await reconciler.reconcile("p1/a.jpg") == "made"


async def test_a_photo_replaced_while_it_was_made_leaves_nothing_behind(bench, photo, monkeypatch):
    """When a photo is overwritten and made by another between its thumbnails and its receipt, the thumbnails of its
    former content go."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.opened() as thumbnailer:
        reconciler, store = thumbnailer.trigger.reconciler, Reconciler._store

        async def store_slowly(self, made, image):
            await store(self, made, image)
            monkeypatch.undo()
            bench.uploads.upload_blob("p1/a.jpg", photo("red"), overwrite=True)
            assert await reconciler.reconcile("p1/a.jpg") == "made"

        monkeypatch.setattr(Reconciler, "_store", store_slowly)
        assert await reconciler.reconcile("p1/a.jpg") == "current"
        filed = await reconciler._receipts.get("p1/a.jpg")
        assert filed.receipt.etag == await reconciler.etag("p1/a.jpg")
        assert bench.names() == sorted(one.blob for one in filed.receipt.photo.thumbnails)


def taken_five_times(bench) -> None:
    """Takes the message in the queue five times and puts it back each time, as a taker that dies would."""
    for _ in range(5):
        (taken,) = bench.queue.receive_messages(visibility_timeout=30)
        bench.queue.update_message(taken, visibility_timeout=0)


async def test_giving_up_on_a_message_costs_a_finished_photo_nothing(bench, photo, wait):
    """A photo that was made after all keeps its thumbnails when a message about it is given up."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.opened() as thumbnailer:
        await thumbnailer.trigger.reconciler.reconcile("p1/a.jpg")
    bench.queue.send_message(grid_event(bench.places.uploads, "p1/a.jpg"))
    taken_five_times(bench)
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "given up")
        assert len(bench.names()) == 2
        bench.queue.send_message(grid_event(bench.places.uploads, "p1/a.jpg"))
        await wait(lambda: is_drained(bench.queue), "looked at")
    assert len(bench.names()) == 2


def failures() -> float:
    return REGISTRY.get_sample_value("heliograph_photos_total", {"outcome": "failed"}) or 0.0


async def test_what_is_no_photos_fault_poisons_none(bench, photo, wait, monkeypatch):
    """While no worker process can be started, a message comes back even after its last try; then the photo is made."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    bench.queue.send_message(grid_event(bench.places.uploads, "p1/a.jpg"))
    before = failures()
    monkeypatch.setattr("thumbnailer.sandbox.process._COMMAND", ("/bin/false",))
    async with bench.running(trigger_tries=1):
        await wait(lambda: failures() >= before + 2, "tried twice")
        monkeypatch.undo()
        await wait(lambda: is_drained(bench.queue), "made")
    assert len(bench.names()) == 2
    assert is_drained(bench.poison)


async def test_a_receipt_that_cannot_be_written_stops_no_other_photo(bench, photo, wait):
    """A photo whose receipt is withheld (here by a lease) is poisoned after its tries, and the others go on."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.running(trigger_tries=1) as thumbnailer:
        await thumbnailer.trigger.reconciler.reconcile("p1/a.jpg")
        lease = bench.receipts.get_blob_client("thumbnailer/p1/a.jpg").acquire_lease()
        bench.uploads.upload_blob("p1/a.jpg", photo("red"), overwrite=True)
        bench.uploads.upload_blob("p1/b.jpg", photo())
        for name in ("p1/a.jpg", "p1/b.jpg"):
            bench.queue.send_message(grid_event(bench.places.uploads, name))
            await wait(lambda: is_drained(bench.queue), name)
        lease.release()
    assert [name for name in bench.names() if name.startswith("p1/b.jpg/")]
    (message,) = bench.poison.receive_messages()
    assert json.loads(message.content)["Reason"] == "failed"


async def test_a_photo_that_the_storage_refuses_to_show_stops_no_other(bench, photo, wait, monkeypatch):
    """A photo about which the storage answers with a refusal is poisoned after its tries, and the others go on. So
    does one that is encrypted with a key of its owner's, or has a name that the storage takes for none."""
    stat = Uploads.stat

    async def refusing(uploads, name):
        if name == "p/sealed.jpg":
            raise HttpResponseError("409: the blob is encrypted with a key of its owner's")
        return await stat(uploads, name)

    monkeypatch.setattr(Uploads, "stat", refusing)
    bench.uploads.upload_blob("p/good.jpg", photo())
    bench.queue.send_message(grid_event(bench.places.uploads, "p/sealed.jpg"))
    async with bench.running(trigger_tries=1):
        await wait(bench.poison.peek_messages, "the poison message")
        bench.queue.send_message(grid_event(bench.places.uploads, "p/good.jpg"))
        await wait(lambda: len(bench.names()) == 2, "the other photo's thumbnails")
    (message,) = bench.poison.receive_messages()
    assert json.loads(message.content)["BlobName"] == "p/sealed.jpg"
    assert bench.queue.get_queue_properties().approximate_message_count == 0


async def test_a_photo_that_comes_back_while_it_is_removed_keeps_its_receipt(bench, photo, told, monkeypatch):
    """A replica that saw a photo gone removes nothing of what another has made of it since, and its own word that the
    photo is gone is not the last."""
    plant = f"plant-{uuid4().hex[:8]}"
    name = f"{plant}/p.jpg"
    tell, came_back = Reconciler._tell, asyncio.Event()
    async with bench.opened("one") as one, bench.opened("two") as two:
        bench.uploads.upload_blob(name, photo("red"))
        assert await one.trigger.reconciler.reconcile(name) == "made"
        bench.uploads.delete_blob(name)

        async def telling(reconciler, message):
            if message.deleted and not came_back.is_set():
                came_back.set()
                bench.uploads.upload_blob(name, photo("blue"))
                assert await two.trigger.reconciler.reconcile(name) == "made"
            await tell(reconciler, message)

        monkeypatch.setattr(Reconciler, "_tell", telling)
        assert await one.trigger.reconciler.reconcile(name) == "current"
    assert [blob.metadata["state"] for blob in bench.receipts.list_blobs(include=["metadata"])] == ["done"]
    assert len(bench.names()) == 2
    assert not (await told(plant, 4))[-1].deleted


async def test_a_message_that_was_taken_five_times_is_given_up(bench, photo, wait):
    """A message that each time outlived its taker goes to the poison queue at the sixth look, unworked."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    bench.queue.send_message(grid_event(bench.places.uploads, "p1/a.jpg"))
    taken_five_times(bench)
    async with bench.running():
        await wait(lambda: is_drained(bench.queue), "given up")
    (message,) = bench.poison.receive_messages()
    assert json.loads(message.content)["Reason"] == "gave-up"
    assert bench.names() == []


async def test_a_failure_of_storage_is_tried_again_and_then_poisoned(bench, photo, wait):
    """Where the thumbnails can't be written, the message comes back after a pause and is poisoned after its tries."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    bench.thumbnails.delete_container()
    bench.queue.send_message(grid_event(bench.places.uploads, "p1/a.jpg"))
    async with bench.running(trigger_tries=2):
        await wait(lambda: is_drained(bench.queue), "poisoned")
    (message,) = bench.poison.receive_messages()
    fields = json.loads(message.content)
    assert (fields["Reason"], fields["DequeueCount"]) == ("failed", 2)
    assert "ContainerNotFound" in fields["Detail"] or "ExceptionGroup" in fields["Detail"]


async def test_a_message_in_hand_stays_hidden_for_as_long_as_it_takes(bench):
    """Its visibility is renewed, so a slow photo is not taken by another replica; deleting it then still works."""
    bench.queue.send_message("slow")
    async with bench.opened() as thumbnailer:
        queue = thumbnailer.trigger.queue
        (message,) = await queue.receive(1, 2)
        async with queue.keep(message, 2):
            for _ in range(10):
                await asyncio.sleep(0.4)
                assert await queue.receive(1, 2) == []
        await queue.delete(message)
    assert is_drained(bench.queue)


async def test_work_that_ends_during_a_renewal_still_deletes_its_message(bench, monkeypatch):
    """The renewal's answer is waited for, since it brings the receipt that counts from then on."""
    bench.queue.send_message("done just now")
    async with bench.opened() as thumbnailer:
        queue, renewed = thumbnailer.trigger.queue, asyncio.Event()
        update = queue._queue.update_message

        async def answer_late(*arguments, **options):
            fresh = await update(*arguments, **options)
            renewed.set()
            await asyncio.sleep(0.3)
            return fresh

        monkeypatch.setattr(queue._queue, "update_message", answer_late)
        (message,) = await queue.receive(1, 2)
        async with queue.keep(message, 2):
            await renewed.wait()
        await queue.delete(message)
    assert is_drained(bench.queue)


async def test_a_message_that_passed_to_another_is_left_to_it(bench):
    """Whoever lost a message can neither delete nor hide it, and takes no harm."""
    bench.queue.send_message("lost")
    async with bench.opened() as thumbnailer:
        queue = thumbnailer.trigger.queue
        (mine,) = await queue.receive(1, 1)
        async with asyncio.timeout(20):
            while not (theirs := await queue.receive(1, 30)):
                await asyncio.sleep(0.1)
        assert not await queue.hide(mine, 5)
        await queue.delete(mine)
        assert not is_drained(bench.queue)
        await queue.delete(theirs[0])


async def test_two_replicas_at_one_photo_agree(bench, photo, wait, told):
    """Ten events about one photo, shared by two replicas, leave one set of thumbnails and a receipt."""
    plant = f"p-{uuid4().hex[:8]}"
    name = f"{plant}/a.jpg"
    bench.uploads.upload_blob(name, photo())
    for _ in range(10):
        bench.queue.send_message(grid_event(bench.places.uploads, name))
    async with bench.running(), bench.running():
        await wait(lambda: is_drained(bench.queue), "done")
    assert len(bench.names()) == 2
    assert len(list(bench.receipts.list_blob_names())) == 1


async def test_readiness_names_what_is_missing(bench):
    """Each neighbour has a probe of its own that passes when it is there and raises when it is not."""
    async with bench.opened() as thumbnailer:
        for probe in thumbnailer.probes.values():
            await probe()
        assert f"hub {INSIGHTS_HUB}" in thumbnailer.probes
        bench.queue.delete_queue()
        with pytest.raises(ResourceNotFoundError):
            await thumbnailer.probes[f"queue {bench.places.queue}"]()
