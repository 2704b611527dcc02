"""`$cbs`: clients prove their rights by putting tokens here."""

import math
from typing import Any

from local_azure.eventhubs.codec import Int, Symbol
from local_azure.eventhubs.errors import AmqpLinkError, Condition
from local_azure.eventhubs.messages import Request, encode_response
from local_azure.eventhubs.service import Service
from local_azure.eventhubs.tokens import SAS_PREFIX, Claims, TokenError, entity_path, hub_path, verify_signature
from local_azure.faults import FaultKind


def put_token(service: Service, claims: Claims, request: Request) -> bytes:
    """Check the token in `request`, add what it grants to `claims`, and return the answer.

    A hub that is not there is answered here already, as the service does.
    """
    name = request.properties.get("name")
    if request.properties.get("operation") != "put-token" or name is None:
        return _answer(request, 400, "Bad Request: only put-token with a name is known.", Condition.NOT_ALLOWED)
    audience = entity_path(_text(name))
    hub = hub_path(_text(name)).partition("/")[0]
    if service.take_fault("cbs", FaultKind.REFUSE_CLAIMS, hub=hub):
        return _answer(request, 401, "Unauthorized: claims are being refused.", Condition.AUTH_FAILED)
    try:
        granted, expires_at_s = _verify(service, _text(request.body), audience)
        if hub:
            service.namespace.hub(hub)
    except TokenError as problem:
        return _answer(request, 401, str(problem), Condition.AUTH_FAILED)
    except AmqpLinkError as problem:
        return _answer(request, 404, problem.description, problem.condition)
    claims.grant(granted, expires_at_s)
    return _answer(request, 202, "Accepted")


def _verify(service: Service, token: str, audience: str) -> tuple[str, float]:
    """Return the path that the token opens and when it expires."""
    if not token.startswith(SAS_PREFIX):
        if service.config.trust_bearer_tokens and token.count(".") == 2:
            return audience, math.inf
        raise TokenError("InvalidToken: only shared access signatures are accepted.")
    resource, expires_at_s = verify_signature(token, service.config.keys, service.now_s())
    if resource and resource != audience and not audience.startswith(f"{resource}/"):
        raise TokenError(f"InvalidAudience: a token for '{resource}' does not open '{audience}'.")
    return resource, expires_at_s


def _answer(request: Request, status: int, description: str, condition: str | None = None) -> bytes:
    properties: dict[str, Any] = {"status-code": Int(status), "status-description": description}
    if condition is not None:
        properties["error-condition"] = Symbol(condition)
    return encode_response(request.message_id, properties, None)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
