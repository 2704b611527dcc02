"""What a query tells about itself when asked: its metrics, and the indexes it used."""

import base64

from local_azure.cosmos import jsontext
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Request
from local_azure.cosmos.query import ast
from local_azure.cosmos.query.render import expression
from local_azure.cosmos.query.run import Page
from local_azure.cosmos.store.catalog import Container

_TIMES = (
    "totalExecutionTimeInMs",
    "queryCompileTimeInMs",
    "queryLogicalPlanBuildTimeInMs",
    "queryPhysicalPlanBuildTimeInMs",
    "queryOptimizationTimeInMs",
    "VMExecutionTimeInMs",
    "indexLookupTimeInMs",
    "documentLoadTimeInMs",
    "systemFunctionExecuteTimeInMs",
    "userFunctionExecuteTimeInMs",
)


def headers(request: Request, container: Container, query: ast.Query, page: Page, charge_ru: float) -> dict[str, str]:
    """The headers that the request asked for. Times are not measured and given as 0."""
    asked: dict[str, str] = {}
    if request.flag("x-ms-documentdb-populatequerymetrics"):
        asked["x-ms-documentdb-query-metrics"] = _metrics(query, page)
    if request.flag("x-ms-cosmos-populateindexmetrics"):
        indexes = base64.b64encode(jsontext.dumps(_indexes(container, query)).encode()).decode()
        asked["x-ms-cosmos-index-utilization"] = indexes
    if asked:
        asked["x-ms-request-charge"] = str(charge_ru)
    return asked


def _metrics(query: ast.Query, page: Page) -> str:
    loaded = not any(ast.aggregates_in(value) for value in ast.selected(query))
    counts = {
        "retrievedDocumentCount": len(page.values) if loaded else 0,
        "retrievedDocumentSize": page.size_bytes if loaded else 0,
        "outputDocumentCount": len(page.values),
        "outputDocumentSize": page.size_bytes,
        "writeOutputTimeInMs": "0.00",
        "indexUtilizationRatio": "1.00",
    }
    pairs = [*((name, "0.00") for name in _TIMES), *counts.items()]
    return ";".join(f"{name}={value}" for name, value in pairs)


def _indexes(container: Container, query: ast.Query) -> dict[str, Json]:
    by_key = [_entry("", "/" + "/".join(path) + "/?") for path in container.definition.partition_paths[:1]]
    used = [
        _entry(expression(part), spec)
        for part in (ast.flatten("AND", query.where) if query.where else ())
        if isinstance(part, ast.Binary) and (spec := _spec(part.left) or _spec(part.right))
    ]
    return {
        "UtilizedSingleIndexes": used or by_key,
        "PotentialSingleIndexes": [],
        "UtilizedCompositeIndexes": [],
        "PotentialCompositeIndexes": [],
    }


def _entry(filter_text: str, spec: str) -> dict[str, Json]:
    return {
        "FilterExpression": filter_text,
        "IndexSpec": spec,
        "FilterPreciseSet": True,
        "IndexPreciseSet": True,
        "IndexImpactScore": "High",
    }


def _spec(value: ast.Expression) -> str:
    steps: list[str] = []
    while isinstance(value, ast.Property):
        steps.append(str(getattr(value.key, "value", "?")))
        value = value.base
    return "/" + "/".join([*reversed(steps), "?"]) if steps and isinstance(value, ast.Name) else ""
