// The JavaScript SDK against a Cosmos DB account; prints as JSON what it saw.
import { ChangeFeedMode, ChangeFeedStartFrom, CosmosClient } from "@azure/cosmos";

const [endpoint, key] = process.argv.slice(2);
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const client = new CosmosClient({ endpoint, key, connectionPolicy: { enableEndpointDiscovery: false } });
const seen = {};

const { database } = await client.databases.create({ id: `js${Date.now()}` });
const { container } = await database.containers.create({
  id: "c",
  partitionKey: { paths: ["/pk"], version: 2 },
  throughput: 12000,
});

const document = { id: "0", pk: "a", n: 0, text: "발전소", nested: { list: [1, null, true] } };
seen.created = (await container.items.create(document)).statusCode;
const read = await container.item("0", "a").read();
seen.read = Object.fromEntries(Object.entries(read.resource).filter(([name]) => !name.startsWith("_")));
seen.missing = (await container.item("none", "a").read()).statusCode;
seen.conflict = await container.items.create(document).catch((error) => error.code);
seen.stale = await container
  .item("0", "a")
  .replace({ ...document, n: 1 }, { accessCondition: { type: "IfMatch", condition: '"old"' } })
  .catch((error) => error.code);
seen.patched = (await container.item("0", "a").patch([{ op: "incr", path: "/n", value: 5 }])).resource.n;

for (let n = 1; n < 20; n++) await container.items.upsert({ id: `${n}`, pk: `p${n % 5}`, n, m: n % 3 });
const all = async (query, options) => (await container.items.query(query, options).fetchAll()).resources;
seen.parameters = await all({
  query: "SELECT VALUE c.n FROM c WHERE c.n > @least ORDER BY c.n",
  parameters: [{ name: "@least", value: 16 }],
});
seen.ordered = await all("SELECT VALUE c.n FROM c ORDER BY c.n DESC OFFSET 1 LIMIT 3");
seen.top = await all("SELECT TOP 2 c.n FROM c ORDER BY c.n DESC");
seen.count = await all("SELECT VALUE COUNT(1) FROM c");
seen.average = await all("SELECT VALUE AVG(c.n) FROM c WHERE c.pk != 'a'");
seen.greatest = await all("SELECT VALUE MAX(c.n) FROM c");
seen.groups = (await all("SELECT c.m, COUNT(1) AS many, MIN(c.n) AS least FROM c WHERE c.pk != 'a' GROUP BY c.m")).sort(
  (a, b) => a.m - b.m,
);
seen.aggregates = await all("SELECT COUNT(1) AS many, SUM(c.n) AS total FROM c WHERE c.pk != 'a'");
seen.distinct = (await all("SELECT DISTINCT VALUE c.pk FROM c")).sort();
seen.inPartition = await all("SELECT VALUE c.n FROM c ORDER BY c.n", { partitionKey: "p1" });

const pages = container.items.query("SELECT VALUE c.n FROM c", { partitionKey: "p1", maxItemCount: 3 });
seen.pages = [];
while (pages.hasMoreResults()) seen.pages.push((await pages.fetchNext()).resources.length);

const batch = await container.items.batch(
  [
    { operationType: "Create", resourceBody: { id: "b1", pk: "b" } },
    { operationType: "Upsert", resourceBody: { id: "b2", pk: "b" } },
    { operationType: "Delete", id: "b1" },
  ],
  "b",
);
seen.batch = batch.result.map((one) => one.statusCode);
const failed = await container.items.batch(
  [
    { operationType: "Create", resourceBody: { id: "b3", pk: "b" } },
    { operationType: "Create", resourceBody: { id: "b2", pk: "b" } },
  ],
  "b",
);
seen.failedBatch = failed.result.map((one) => one.statusCode);
const bulk = await container.items.executeBulkOperations([
  { operationType: "Create", partitionKey: "x", resourceBody: { id: "x1", pk: "x" } },
  { operationType: "Create", partitionKey: "y", resourceBody: { id: "y1", pk: "y" } },
  { operationType: "Read", partitionKey: "a", id: "0" },
]);
seen.bulk = bulk.map((one) => one.response?.statusCode ?? one.error?.code);

seen.changes = 0;
const feed = container.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning(), maxItemCount: 100 });
for await (const page of feed.getAsyncIterator()) {
  if (page.statusCode === 304) break;
  seen.changes += page.result.length;
}

const { scripts } = container;
await scripts.storedProcedures.create({
  id: "tally",
  body: function (word) {
    const collection = getContext().getCollection();
    console.log("looking for %s", word);
    collection.queryDocuments(collection.getSelfLink(), "SELECT VALUE c.n FROM c", {}, (error, found) => {
      if (error) throw error;
      getContext().getResponse().setBody({ word, total: found.reduce((sum, n) => sum + n, 0) });
    });
  },
});
const tally = await scripts.storedProcedure("tally").execute("p1", ["sum"], { enableScriptLogging: true });
seen.procedure = [tally.resource, tally.headers["x-ms-documentdb-script-log-results"]];
await scripts.triggers.create({
  id: "mark",
  triggerType: "Pre",
  triggerOperation: "All",
  body: () => {
    const request = getContext().getRequest();
    request.setBody({ ...request.getBody(), marked: true });
  },
});
const marked = await container.items.create({ id: "t", pk: "t" }, { preTriggerInclude: ["mark"] });
seen.trigger = marked.resource.marked;
await scripts.userDefinedFunctions.create({ id: "half", body: (n) => n / 2 });
seen.function = (await all("SELECT VALUE udf.half(c.n) FROM c WHERE c.n > 17")).sort();

const versions = container.items.getChangeFeedIterator({
  changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes,
  changeFeedStartFrom: ChangeFeedStartFrom.Now("v"),
});
await versions.readNext();
await container.items.create({ id: "v", pk: "v" });
await container.items.upsert({ id: "v", pk: "v", n: 1 });
await container.item("v", "v").delete();
seen.versions = (await versions.readNext()).result.map((one) => one.metadata.operationType);

seen.throughput = (await container.readOffer()).resource.content.offerThroughput;
seen.wrongKey = await new CosmosClient({ endpoint, key: "d3Jvbmc=", connectionPolicy: { enableEndpointDiscovery: false } })
  .databases.readAll()
  .fetchAll()
  .catch((error) => error.code);
await database.delete();
console.log(JSON.stringify(seen));
