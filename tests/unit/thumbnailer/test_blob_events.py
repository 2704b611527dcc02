"""What queue messages say."""

import base64
import json
from datetime import UTC, datetime

import pytest

from thumbnailer.events import (
    BlobEvent,
    MalformedEventError,
    Replay,
    created_message,
    deleted_message,
    parse_events,
    poison_message,
    replay_message,
)

SUBJECT = "/blobServices/default/containers/uploads/blobs/p1/a photo.jpg"
GRID = {
    "topic": "/subscriptions/0/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/s",
    "subject": SUBJECT,
    "eventType": "Microsoft.Storage.BlobCreated",
    "id": "1",
    "data": {"api": "PutBlob", "eTag": "0x1", "url": "https://s.blob.core.windows.net/uploads/p1/a%20photo.jpg"},
    "dataVersion": "",
    "metadataVersion": "1",
    "eventTime": "2026-11-23T08:00:00Z",
}
CLOUD = {
    "specversion": "1.0",
    "type": "Microsoft.Storage.BlobCreated",
    "source": "/subscriptions/0",
    "subject": SUBJECT,
    "id": "1",
    "time": "2026-11-23T08:00:00Z",
    "data": {"api": "PutBlob"},
}
PHOTO = BlobEvent("uploads", "p1/a photo.jpg")


@pytest.mark.parametrize("event", [GRID, CLOUD], ids=["event-grid", "cloud-events"])
@pytest.mark.parametrize("wrap", [json.dumps, lambda event: json.dumps([event])], ids=["alone", "array"])
@pytest.mark.parametrize("code", [str, lambda text: base64.b64encode(text.encode()).decode()], ids=["plain", "base64"])
def test_both_schemas_are_read_however_they_are_wrapped(event, wrap, code):
    """Event Grid's schema and CloudEvents lead to the blob, alone or in an array, as text or base64."""
    assert parse_events(code(wrap(event))) == [PHOTO]


def test_deletions_are_events_too_and_other_kinds_are_not():
    """BlobDeleted counts; what else a storage account says about a blob is left out."""
    deleted = {**GRID, "eventType": "Microsoft.Storage.BlobDeleted"}
    renamed = {**GRID, "eventType": "Microsoft.Storage.BlobTierChanged"}
    assert parse_events(json.dumps([deleted, renamed])) == [PHOTO]


def test_messages_of_the_scan_are_events_like_any_other():
    """What the scan puts into the queue is read back as the same photo."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert parse_events(created_message("uploads", "p1/ü.jpg", "0x1", 5, at)) == [BlobEvent("uploads", "p1/ü.jpg")]
    assert parse_events(deleted_message("uploads", "p1/ü.jpg", at)) == [BlobEvent("uploads", "p1/ü.jpg")]


def test_a_poison_message_has_the_shape_of_functions_and_can_be_moved_back():
    """The poison queue holds Functions' fields with the reason added; the same message asks to try again by force."""
    text = poison_message(PHOTO, "0x1", "broken", "cut off", 5)
    fields = json.loads(text)
    assert fields["FunctionId"] == "thumbnailer"
    assert fields["BlobType"] == "BlockBlob"
    assert (fields["ContainerName"], fields["BlobName"], fields["ETag"]) == ("uploads", "p1/a photo.jpg", '"0x1"')
    assert (fields["Reason"], fields["Detail"]) == ("broken", "cut off")
    assert parse_events(text) == [BlobEvent("uploads", "p1/a photo.jpg", force=True)]


def test_a_replay_is_asked_for_by_a_message():
    """An operator writes the prefix alone; what the thumbnailer writes also leads to the page that is next."""
    assert parse_events('{"Replay": "p1/"}') == [Replay("p1/")]
    assert parse_events(replay_message("p1/", "page-2", Reason="failed")) == [Replay("p1/", "page-2")]


@pytest.mark.parametrize(
    "content",
    ["", "nonsense!", "bm9uc2Vuc2U=", "[1]", "3", "{}", "[" * 60_000, '{"Replay": ""}', '{"Replay": 5}']
    + ['{"eventType": "Microsoft.Storage.BlobCreated"}', "[{}]"]
    + [json.dumps({**GRID, "subject": subject}) for subject in ("", 5, "/blobServices/default/containers/uploads")],
)
def test_a_message_that_names_no_blob_is_malformed(content: str):
    """Whatever is not an event about a blob is refused with a reason, never an error of another kind."""
    with pytest.raises(MalformedEventError):
        parse_events(content)
