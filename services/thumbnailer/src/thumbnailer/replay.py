"""`POST /replay?prefix=P`: puts into the queue that all photos are to be made again whose names begin so."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from thumbnailer.scan import Scan


def replay_routes(scan: Scan) -> APIRouter:
    """The route by which an operator replays photos. The port it is on is not open to the world."""
    router = APIRouter()

    @router.post("/replay", status_code=202)
    async def replay(prefix: Annotated[str, Query(min_length=1, max_length=1024)]) -> dict[str, str]:
        await scan.ask_for_replay(prefix)
        return {"queued": prefix}

    return router
