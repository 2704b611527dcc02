// Drives a hub with the official JavaScript SDK and prints what it saw as one line of JSON.
// Usage: node eventhubs.mjs CONNECTION_STRING HUB

import { EventHubConsumerClient, EventHubProducerClient } from "@azure/event-hubs";

const [connectionString, hub] = process.argv.slice(2);
const waitMs = 20_000;

function receive(consumer, partitionId, startPosition, count, options = {}) {
  return new Promise((resolve, reject) => {
    const events = [];
    let subscription;
    const finish = async (settle, value) => {
      clearTimeout(timer);
      await subscription?.close();
      settle(value);
    };
    const timer = setTimeout(() => finish(reject, new Error(`${events.length} of ${count} events`)), waitMs);
    subscription = consumer.subscribe(
      partitionId,
      {
        processEvents: async (batch) => {
          events.push(...batch);
          if (events.length >= count) await finish(resolve, events);
        },
        processError: async (error) => finish(reject, error),
      },
      { startPosition, maxWaitTimeInSeconds: 1, ...options },
    );
  });
}

async function main() {
  const result = {};
  const producer = new EventHubProducerClient(connectionString, hub);
  const consumer = new EventHubConsumerClient("$Default", connectionString, hub);
  const properties = await producer.getEventHubProperties();
  result.hub = { name: properties.name, partitionIds: properties.partitionIds };
  const before = await producer.getPartitionProperties("0");

  const batch = await producer.createBatch({ partitionId: "0" });
  result.maxSizeInBytes = batch.maxSizeInBytes;
  for (let number = 0; number < 100; number++) {
    batch.tryAdd({ body: { number }, properties: { number, name: "발전소" }, contentType: "application/json" });
  }
  await producer.sendBatch(batch);
  await producer.sendBatch([{ body: "x".repeat(300_000) }], { partitionId: "0" });

  const start = { sequenceNumber: before.lastEnqueuedSequenceNumber, isInclusive: false };
  const events = await receive(consumer, "0", start, 101, { trackLastEnqueuedEventProperties: true });
  result.numbers = events.slice(0, 100).map((event) => event.body.number);
  result.properties = events[7].properties;
  result.fatLength = events[100].body.length;
  result.sequenceNumbersFollow = events.every(
    (event, index) => event.sequenceNumber === before.lastEnqueuedSequenceNumber + 1 + index,
  );

  const positions = {
    offset: { offset: events[50].offset, isInclusive: true },
    sequenceNumber: { sequenceNumber: events[50].sequenceNumber, isInclusive: true },
    enqueuedOn: { enqueuedOn: new Date(events[100].enqueuedTimeUtc.getTime() - 1) },
  };
  result.firstAt = {};
  for (const [name, position] of Object.entries(positions)) {
    const found = await receive(consumer, "0", position, 1);
    result.firstAt[name] = found[0].sequenceNumber - before.lastEnqueuedSequenceNumber - 1;
  }

  const key = "plant-1";
  const ends = await Promise.all(properties.partitionIds.map((id) => producer.getPartitionProperties(id)));
  await producer.sendBatch([{ body: "keyed" }], { partitionKey: key });
  for (const end of ends) {
    const now = await producer.getPartitionProperties(end.partitionId);
    if (now.lastEnqueuedSequenceNumber > end.lastEnqueuedSequenceNumber) {
      result.keyedPartition = end.partitionId;
      const [keyed] = await receive(
        consumer,
        end.partitionId,
        { sequenceNumber: end.lastEnqueuedSequenceNumber, isInclusive: false },
        1,
      );
      result.key = keyed.partitionKey;
    }
  }

  const wrong = new EventHubProducerClient(connectionString.replace(/SharedAccessKey=[^;]+/, "SharedAccessKey=d3Jvbmc="), hub, {
    retryOptions: { maxRetries: 0 },
  });
  result.wrongKey = await wrong.getEventHubProperties().then(
    () => "accepted",
    (error) => error.code ?? error.name,
  );
  await wrong.close().catch(() => {});
  await consumer.close();
  await producer.close();
  console.log(JSON.stringify(result));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
