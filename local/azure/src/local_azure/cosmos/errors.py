"""The service's refusals: one exception that carries status, sub-status and the body's shape.

CosmosError
└── one constructor function for each refusal that is raised in more than one place
"""

from http import HTTPStatus

CROSS_PARTITION_NOT_SERVABLE = 1004
PARTITION_KEY_MISMATCH = 1001
CONTAINER_RECREATED = 1024
OWNER_NOT_FOUND = 1003
PARTITION_RANGE_GONE = 1002

_CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    424: "FailedDependency",
    429: "429",
    449: "RetryWith",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


class CosmosError(Exception):
    """A request refused as the service refuses it.

    `extra` is merged into the JSON body, `headers` into the answer's headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        substatus: int = 0,
        extra: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.substatus = substatus
        self.extra = extra or {}
        self.headers = headers or {}

    @property
    def code(self) -> str:
        """The service's word for the status, such as "NotFound"."""
        return _CODES.get(self.status) or HTTPStatus(self.status).phrase.replace(" ", "")

    def body(self, activity_id: str) -> dict[str, str]:
        """The JSON body of the answer."""
        text = f"{self.message}\r\nActivityId: {activity_id}, local_azure.cosmos"
        return {"code": self.code, "message": text, **self.extra}


def bad_request(message: str, substatus: int = 0) -> CosmosError:
    """400: the request itself is wrong."""
    return CosmosError(400, message, substatus=substatus)


def not_found(what: str, substatus: int = 0) -> CosmosError:
    """404: the thing named, or (sub-status 1003) its parent, does not exist."""
    return CosmosError(404, f"Resource Not Found: {what} does not exist.", substatus=substatus)


def conflict(what: str) -> CosmosError:
    """409: an id or a unique key is taken."""
    return CosmosError(409, f"Resource with specified id, name, or unique index already exists: {what}.")


def precondition_failed() -> CosmosError:
    """412: the etag given in a condition is not the current one."""
    return CosmosError(412, "Operation cannot be performed because one of the specified precondition is not met.")


def too_large(message: str) -> CosmosError:
    """413: a body over the service's limit."""
    return CosmosError(413, message)
