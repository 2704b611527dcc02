"""The collection that a script works on: one partition, in the script's transaction."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from local_azure.cosmos import charge, jsontext
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Request
from local_azure.cosmos.query import run
from local_azure.cosmos.query.parser import parse
from local_azure.cosmos.query.translate import translate
from local_azure.cosmos.routes import feeds
from local_azure.cosmos.routes.keys import full_key, key_of_document
from local_azure.cosmos.routes.planning import target_of
from local_azure.cosmos.routes.scope import reach
from local_azure.cosmos.scripts import engine
from local_azure.cosmos.store.catalog import Container
from local_azure.cosmos.store.items import Condition, Item, require_document

Answer = tuple[Json, dict[str, Json]]


class Collection:
    """Does what a script asks for. `charge_ru` is what that cost."""

    def __init__(self, account: Account, request: Request, container: Container) -> None:
        self.charge_ru = 0.0
        self._account = account
        self._request = request
        self._container = container
        self._key = full_key(request, container.definition)
        self._items = account.items(container)

    def run(self, source: str, *parameters: Json, **context: Json) -> engine.Outcome:
        """Run a script on it; `context` is what it finds there: operation, request, response. Raises CosmosError."""
        alternative = "/".join(
            part for pair in zip(("dbs", "colls"), self._request.names, strict=False) for part in pair
        )
        links = {"selfLink": self._account.catalog.link(self._container.resource), "altLink": alternative}
        limit_s = self._account.settings.script_limit_s
        return engine.run(source, list(parameters), {**links, **context}, self._work, limit_s=limit_s)

    def _work(self, call: dict[str, Json]) -> Answer:
        """Do one call. Raises CosmosError, which goes to the script's callback."""
        operations: dict[str, Callable[[dict[str, Json]], Answer]] = {
            "create": self._create,
            "upsert": self._upsert,
            "replace": self._replace,
            "read": self._read,
            "delete": self._delete,
            "query": self._query,
        }
        return operations[call["operation"]](call)

    def _create(self, call: dict[str, Json]) -> Answer:
        return self._wrote(self._items.create(self._key, self._document(call), self._request.now_s))

    def _upsert(self, call: dict[str, Json]) -> Answer:
        item, _ = self._items.upsert(self._key, self._document(call), _condition(call), self._request.now_s)
        return self._wrote(item)

    def _replace(self, call: dict[str, Json]) -> Answer:
        document = self._document(call)
        _, item = self._items.replace(self._key, _id(call), document, _condition(call), self._request.now_s)
        return self._wrote(item)

    def _read(self, call: dict[str, Json]) -> Answer:
        item = self._items.read(self._key, _id(call), self._request.now_s)
        self.charge_ru += charge.point_read(len(item.body))
        return item.document, {}

    def _delete(self, call: dict[str, Json]) -> Answer:
        gone = self._items.delete(self._key, _id(call), _condition(call), self._request.now_s)
        self._wrote(gone)
        return None, {}

    def _query(self, call: dict[str, Json]) -> Answer:
        content, options = call.get("content"), call["options"]
        asked = replace(self._request, body=jsontext.dumps(_spelt(content)).encode())
        text, given = feeds.query_of(asked)
        statement = translate(parse(text), given, target_of(self._account, self._container))
        page = run.fetch_page(
            self._account.database.writer,
            reach(statement, self._container, self._request, None),
            fingerprint=text,
            token=options.get("continuation"),
            page_size=_page_size(options),
            timeout_s=self._account.settings.query_timeout_s,
        )
        self.charge_ru += charge.query(len(page.values), page.size_bytes)
        return [jsontext.loads(value) for value in page.values], {"continuation": page.continuation}

    def _document(self, call: dict[str, Json]) -> dict[str, Json]:
        document = require_document(call.get("content"))
        if "id" not in document and not call["options"].get("disableAutomaticIdGeneration"):
            document = {**document, "id": str(uuid4())}
        key_of_document(self._container.definition, document, self._key)
        return document

    def _wrote(self, item: Item) -> Answer:
        self.charge_ru += charge.write(len(item.body), item.document, self._container.definition.indexing)
        return item.document, {}


def _id(call: dict[str, Json]) -> str:
    link = call.get("link")
    if not isinstance(link, str) or "docs/" not in link:
        raise bad_request(f"{link!r} is not the link of a document.")
    return link.rstrip("/").rpartition("/")[2]


def _condition(call: dict[str, Json]) -> Condition:
    etag = call["options"].get("etag")
    return Condition(etag if isinstance(etag, str) else None)


def _spelt(content: Json) -> Json:
    return {"query": content} if isinstance(content, str) else content


def _page_size(options: dict[str, Json]) -> int:
    asked = options.get("pageSize", feeds.DEFAULT_PAGE)
    return int(asked) if isinstance(asked, int) and 0 < asked <= 1000 else 1000
