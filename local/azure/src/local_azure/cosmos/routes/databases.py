"""The account itself, and its databases."""

from local_azure.cosmos import charge, jsontext
from local_azure.cosmos.account import Account
from local_azure.cosmos.definition import MAX_NAME_LENGTH, check_id
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import feeds, offers
from local_azure.cosmos.store.catalog import ROOT


async def read_account(_account: Account, request: Request) -> Reply:
    """Where the account is: at the address that was called."""
    here = [{"name": "South Central US", "databaseAccountEndpoint": request.base_url}]
    body = {
        "_self": "",
        "id": "localhost",
        "_rid": "localhost",
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": here,
        "readableLocations": here,
        "enableMultipleWriteLocations": False,
        "enablePerPartitionFailoverBehavior": False,
        "continuousBackupEnabled": False,
        "enableNRegionSynchronousCommit": False,
        "userReplicationPolicy": {"asyncReplication": False, "minReplicaSetSize": 1, "maxReplicasetSize": 4},
        "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
        "systemReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 4},
        "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        "queryEngineConfiguration": jsontext.dumps(
            {"maxSqlQueryInputLength": 524288, "maxJoinsPerSqlQuery": 10, "maxLogicalAndPerSqlQuery": 2000}
        ),
    }
    return Reply(200, jsontext.dumps(body), 0.0)


async def list_databases(account: Account, request: Request) -> Reply:
    """GET, or a query by POST."""
    bodies = [resource.body for resource in account.catalog.children("dbs", ROOT)]
    return await feeds.list_or_query(account, request, "dbs", "", bodies)


async def create_or_query(account: Account, request: Request) -> Reply:
    """POST to the feed."""
    if feeds.is_query(request):
        return await list_databases(account, request)
    body = request.object()
    check_id(body.get("id"), MAX_NAME_LENGTH)
    throughput = offers.asked(request, account.settings)
    async with account.writing:
        resource = account.catalog.create("dbs", ROOT, {"id": body["id"]}, request.now_s)
        if throughput is not None:
            offers.create(account, resource, throughput, request.now_s)
    return _reply(201, resource.body)


async def read(account: Account, request: Request) -> Reply:
    """GET one."""
    return _reply(200, account.catalog.find("dbs", ROOT, request.names[0]).body)


async def delete(account: Account, request: Request) -> Reply:
    """DELETE one, with all that is in it."""
    resource = account.catalog.find("dbs", ROOT, request.names[0])
    containers = account.catalog.children("colls", resource.rid)
    async with account.writing:
        with account.database.transaction():
            for node in (*containers, resource):
                offers.remove(account, node)
            account.catalog.remove(resource)
    for node in containers:
        account.forget(node)
    return Reply(204, "", charge.METADATA)


def _reply(status: int, body: dict[str, object]) -> Reply:
    return Reply(status, jsontext.dumps(body), charge.METADATA, {"etag": str(body["_etag"])})
