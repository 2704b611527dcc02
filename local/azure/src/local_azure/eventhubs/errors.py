"""What the broker says when it refuses: the conditions and the texts of the real service.

AmqpError
├── AmqpConnectionError   ends the connection
├── AmqpSessionError      ends the session
└── AmqpLinkError         detaches the link, or refuses its attach
"""

from typing import ClassVar


class Condition:
    """The symbols that name an error."""

    ARGUMENT_ERROR: ClassVar = "com.microsoft:argument-error"
    ARGUMENT_OUT_OF_RANGE: ClassVar = "com.microsoft:argument-out-of-range"
    AUTH_FAILED: ClassVar = "com.microsoft:auth-failed"
    CONNECTION_FORCED: ClassVar = "amqp:connection:forced"
    DECODE_ERROR: ClassVar = "amqp:decode-error"
    DETACH_FORCED: ClassVar = "amqp:link:detach-forced"
    ERRANT_LINK: ClassVar = "amqp:session:errant-link"
    FRAMING_ERROR: ClassVar = "amqp:connection:framing-error"
    HANDLE_IN_USE: ClassVar = "amqp:session:handle-in-use"
    INTERNAL_ERROR: ClassVar = "amqp:internal-error"
    INVALID_FIELD: ClassVar = "amqp:invalid-field"
    LINK_STOLEN: ClassVar = "amqp:link:stolen"
    MESSAGE_SIZE_EXCEEDED: ClassVar = "amqp:link:message-size-exceeded"
    NOT_ALLOWED: ClassVar = "amqp:not-allowed"
    NOT_FOUND: ClassVar = "amqp:not-found"
    NOT_IMPLEMENTED: ClassVar = "amqp:not-implemented"
    OPERATION_TIMEOUT: ClassVar = "com.microsoft:timeout"
    RESOURCE_LIMIT_EXCEEDED: ClassVar = "amqp:resource-limit-exceeded"
    SERVER_BUSY: ClassVar = "com.microsoft:server-busy"
    UNATTACHED_HANDLE: ClassVar = "amqp:session:unattached-handle"
    UNAUTHORIZED_ACCESS: ClassVar = "amqp:unauthorized-access"
    WINDOW_VIOLATION: ClassVar = "amqp:session:window-violation"


class AmqpError(Exception):
    """A refusal with the condition and the description that travel to the client."""

    def __init__(self, condition: str, description: str) -> None:
        """Name what is wrong and, for people, why."""
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description


class AmqpConnectionError(AmqpError):
    """The peer broke the connection's rules, or the connection has to go."""


class AmqpSessionError(AmqpError):
    """The peer broke a session's rules."""


class AmqpLinkError(AmqpError):
    """A link cannot be made or cannot go on."""
