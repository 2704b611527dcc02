"""Stored procedures, triggers and user-defined functions."""

import json
from typing import Any

import pytest

CONTAINER = "dbs/d/colls/c"


async def make(app: Any, kind: str, identifier: str, body: str, **more: str) -> None:
    content = json.dumps({"id": identifier, "body": body, **more}).encode()
    answer = await app.send("POST", kind, CONTAINER, f"{CONTAINER}/{kind}", content)
    assert answer.status == 201, answer.body


async def execute(app: Any, body: str, *parameters: Any, **headers: str) -> Any:
    """Make a stored procedure of `body`, run it in the partition "p", remove it."""
    await make(app, "sprocs", "s", body)
    link = f"{CONTAINER}/sprocs/s"
    sent = {"x_ms_documentdb_partitionkey": '["p"]', **headers}
    answer = await app.send("POST", "sprocs", link, link, json.dumps(parameters).encode(), **sent)
    assert (await app.send("DELETE", "sprocs", link, link)).status == 204
    return answer


async def ids(app: Any) -> list[str]:
    found: list[str] = (await app.query("SELECT VALUE c.id FROM c ORDER BY c.id")).json()["Documents"]
    return found


async def test_a_procedure_answers_with_the_body_that_it_sets(app: Any) -> None:
    """Parameters come as they were sent; the body may be set, read and grown."""
    answer = await execute(
        app,
        """function (given, times) {
            const response = getContext().getResponse();
            for (let i = 0; i < times; i++) response.appendValue("Body", i);
            response.setBody({ given, text: response.getBody() });
        }""",
        {"a": [1, None]},
        4,
    )
    assert answer.json() == {"given": {"a": [1, None]}, "text": "0123"}
    assert (await execute(app, "function () { }")).json() == ""


async def test_what_a_procedure_logs_is_told_when_asked(app: Any) -> None:
    """The log comes in a header, encoded, and only with the header that asks for it."""
    body = "function () { console.log('%s is %d', 'x', 1.5); console.log('한'); }"
    assert "x-ms-documentdb-script-log-results" not in (await execute(app, body)).headers
    told = await execute(app, body, x_ms_documentdb_script_enable_logging="true")
    assert told.headers["x-ms-documentdb-script-log-results"] == "x%20is%201.5%0A%ED%95%9C"


async def test_a_procedure_does_all_that_a_client_can(app: Any) -> None:
    """Create, upsert, read, query page by page, replace, delete: each outcome reaches its callback."""
    answer = await execute(
        app,
        """function () {
            const collection = getContext().getCollection(), link = collection.getSelfLink(), seen = [];
            const check = (then) => (error, result, options) => {
                if (error) throw error;
                then(result, options);
            };
            for (const id of ["1", "2", "3"]) collection.createDocument(link, { id, pk: "p" });
            collection.upsertDocument(link, { id: "1", pk: "p", n: 1 }, check((one) => {
                collection.readDocument(one._self, {}, check((read) => seen.push(read.n)));
                collection.replaceDocument(one._self, { id: "1", pk: "p", n: 2 }, { etag: one._etag }, check((two) =>
                    collection.deleteDocument(`${collection.getAltLink()}/docs/3`, {}, check(page))));
            }));
            function page(_, options) {
                const parameters = [{ name: "@p", value: "p" }];
                const query = { query: "SELECT VALUE c.id FROM c WHERE c.pk = @p", parameters };
                const continuation = options && options.continuation;
                collection.queryDocuments(link, query, { pageSize: 1, continuation }, check((found, more) => {
                    seen.push(...found);
                    if (more.continuation) page(undefined, more);
                    else getContext().getResponse().setBody(seen);
                }));
            }
        }""",
    )
    assert answer.status == 200, answer.body
    assert answer.json() == [1, "1", "2"]
    assert await ids(app) == ["1", "2"]
    assert float(answer.headers["x-ms-request-charge"]) > 20


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("function () { throw new Error('mine') }", "Error: mine"),
        ("function () { throw 'a word' }", "a word"),
        ("function () { getContext().abort('enough') }", "enough"),
        ("function () { while (true); }", "interrupted"),
        ("function () { const all = []; while (true) all.push(new Array(1e5)); }", "Exception"),
        ("function () { (function deeper() { deeper() })() }", "RangeError"),
        ("function ( {", "SyntaxError"),
        ("7", "TypeError"),
        ("function () { (function more() { __.readDocuments('', {}, more) })() }", "0.5 s of CPU"),
        ("function () { __.createDocument('', { id: 'x', pk: 'another' }) }", "PartitionKey"),
        ("function () { __.createDocument('', 7) }", "not a JSON object"),
        ("function () { __.readDocument('', {}) }", "link of a document"),
        ("function () { __.queryDocuments('', 'SELECT') }", "Syntax error"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
async def test_a_procedure_that_fails_leaves_nothing(app: Any, body: str, said: str) -> None:
    """Whatever it throws or takes too much of is 400 with the reason, and what it wrote is undone."""
    written = body.replace("{", "{ __.createDocument('', { id: 'written', pk: 'p' });", 1)
    answer = await execute(app, written)
    assert answer.status == 400
    assert said in answer.json()["message"]
    assert await ids(app) == []


async def test_a_failure_given_to_a_callback_is_the_scripts_to_handle(app: Any) -> None:
    """A conflict reaches the callback with its number, and the script may go on."""
    body = """function () {
        const done = (error) => getContext().getResponse().setBody(error ? [error.number, error.status] : "made");
        __.createDocument(__.getSelfLink(), { id: "1", pk: "p" }, done);
        __.createDocument(__.getSelfLink(), { id: "1", pk: "p" }, done);
    }"""
    assert (await execute(app, body)).json() == [409, 409]
    assert await ids(app) == ["1"]


async def test_triggers_run_before_and_after_a_write(app: Any) -> None:
    """The one before may change the document, the one after sees the result; either may stop the write."""
    upper = """function () {
        const request = getContext().getRequest(), document = request.getBody();
        document.name = document.name.toUpperCase() + request.getOperationType();
        request.setBody(document);
    }"""
    audit = """function () {
        const document = getContext().getResponse().getBody();
        if (document.name.startsWith("BAD")) throw "not this one";
        __.upsertDocument(__.getSelfLink(), { id: "audit", pk: "p", last: document.id });
    }"""
    await make(app, "triggers", "upper", upper, triggerType="Pre", triggerOperation="Create")
    await make(app, "triggers", "audit", audit, triggerType="Post", triggerOperation="All")
    named = {
        "x_ms_documentdb_partitionkey": '["p"]',
        "x_ms_documentdb_pre_trigger_include": "upper",
        "x_ms_documentdb_post_trigger_include": "audit",
    }
    made = await app.post(b'{"id": "1", "pk": "p", "name": "good"}', **named)
    assert (made.status, made.json()["name"]) == (201, "GOODCreate")
    refused = await app.post(b'{"id": "2", "pk": "p", "name": "bad"}', **named)
    assert (refused.status, "not this one" in refused.json()["message"]) == (400, True)
    link = f"{CONTAINER}/docs/1"
    wrong = await app.send("PUT", "docs", link, link, b'{"id": "1", "pk": "p", "name": "x"}', **named)
    assert (wrong.status, "runs on Create" in wrong.json()["message"]) == (400, True)
    absent = await app.post(b'{"id": "3", "pk": "p"}', **{**named, "x_ms_documentdb_pre_trigger_include": "none"})
    assert absent.status == 404
    assert await ids(app) == ["1", "audit"]


async def test_functions_of_the_container_serve_in_queries(app: Any) -> None:
    """`udf.name` takes and gives any value, undefined too; what it throws is the answer's message."""
    await make(app, "udfs", "tax", "function (income) { return income === undefined ? undefined : income * 0.5; }")
    await make(app, "udfs", "shape", "(a, b) => ({ a, b: [b] })")
    await make(app, "udfs", "bad", "function () { throw new Error('mine'); }")
    await make(app, "udfs", "endless", "function () { while (true); }")
    for identifier, income in (("1", 100), ("2", 60)):
        await app.create({"id": identifier, "pk": "p", "income": income})

    async def found(text: str) -> Any:
        return (await app.query(text)).json()["Documents"]

    assert await found("SELECT VALUE c.id FROM c WHERE udf.tax(c.income) > 40") == ["1"]
    assert await found("SELECT VALUE udf.shape(c.id, udf.tax(c.absent)) FROM c WHERE c.id = '1'") == [
        {"a": "1", "b": [None]}
    ]
    assert await found("SELECT VALUE udf.tax(c.absent) FROM c") == []
    for name, said in (("bad", "Error: mine"), ("endless", "interrupted"), ("none", "udf.none")):
        refused = await app.query(f"SELECT VALUE udf.{name}(c) FROM c")
        assert (refused.status, said in refused.json()["message"]) == (400, True), refused.body
