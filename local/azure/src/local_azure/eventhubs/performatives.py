"""The frame bodies and composite types of AMQP 1.0, as dataclasses with a wire type for each field.

Every field is always written, trailing nulls too: the Python SDK reads fields by their index.

Reference: OASIS AMQP 1.0 parts 2, 3 and 5.
"""

# ruff: noqa: RUF009 - `_wired` is `dataclasses.field` with its metadata spelt once

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, TypeVar

from local_azure.eventhubs import codec
from local_azure.eventhubs.codec import AmqpValue, Described, Symbol


class FieldError(ValueError):
    """A field is missing, has the wrong type, or the composite is not one that is known."""


class Wire(NamedTuple):
    """How a field travels, and what Python types it may be decoded to."""

    encode: Callable[[Any], bytes]
    decode: Callable[[Any], Any]


def _plain(*accepted: type) -> Callable[[Any], Any]:
    def check(value: AmqpValue) -> AmqpValue:
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
            raise FieldError(f"cannot be {value!r}")
        return value

    return check


def _unsigned(limit: int) -> Callable[[Any], int]:
    def check(value: AmqpValue) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise FieldError(f"cannot be {value!r}")
        return int(value)

    return check


def _symbols(value: AmqpValue) -> list[str]:
    """Read a field that may hold one symbol or many."""
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


_BOOLEAN = Wire(codec.encode_boolean, _plain(bool))
_UBYTE = Wire(codec.encode_ubyte, _unsigned(0xFF))
_USHORT = Wire(codec.encode_ushort, _unsigned(0xFFFF))
_UINT = Wire(codec.encode_uint, _unsigned(0xFFFFFFFF))
_ULONG = Wire(codec.encode_ulong, _unsigned(0xFFFFFFFFFFFFFFFF))
_STRING = Wire(codec.encode_string, lambda value: text(_plain(str, bytes)(value)))
_SYMBOL = Wire(codec.encode_symbol, lambda value: text(_plain(str, bytes)(value)))
_SYMBOLS = Wire(lambda value: codec.encode(codec.Array(map(Symbol, value))), _symbols)
_BINARY = Wire(codec.encode_binary, _plain(bytes))
_MAP = Wire(codec.encode, _plain(dict))
_ANY = Wire(codec.encode, lambda value: value)


def text(value: str | bytes) -> str:
    """Return text whichever way a client spelt it: string, symbol or binary."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _wired(wire: Wire, default: AmqpValue = None) -> AmqpValue:
    return field(default=default, metadata={"wire": wire})


class Composite:
    """A described list; each subclass is a dataclass whose fields are the list's, in order."""

    CODE: ClassVar[int]
    WIRES: ClassVar[list[tuple[str, Wire]]]

    def encode(self) -> bytes:
        """Return the described list with all its fields."""
        items = [b"\x40" if (value := getattr(self, name)) is None else wire.encode(value) for name, wire in self.WIRES]
        return codec.encode_described(self.CODE, codec.encode_list(items))


CompositeType = TypeVar("CompositeType", bound=type[Composite])
_SYMBOLIC_CODES: dict[str, int] = {}
_COMPOSITES: dict[int, type[Composite]] = {}


def _composite(name: str) -> Callable[[CompositeType], CompositeType]:
    """Register a composite under its code and its symbolic descriptor."""

    def register(kind: CompositeType) -> CompositeType:
        kind.WIRES = [(item.name, item.metadata["wire"]) for item in fields(kind)]  # type: ignore[arg-type]
        _COMPOSITES[kind.CODE] = kind
        _SYMBOLIC_CODES[f"amqp:{name}:list"] = kind.CODE
        return kind

    return register


def from_described(value: AmqpValue) -> Composite:
    """Make the composite that a described list stands for.

    Raises:
        FieldError: it is no described list, not a known one, or a field has the wrong type.
    """
    if not isinstance(value, Described) or not isinstance(value.value, list):
        raise FieldError(f"{value!r} is no composite")
    code = value.descriptor
    if isinstance(code, str):
        code = _SYMBOLIC_CODES.get(code)
    try:
        kind = _COMPOSITES[code]
    except (KeyError, TypeError):
        raise FieldError(f"no composite is described by {value.descriptor!r}") from None
    if len(value.value) > len(kind.WIRES):
        raise FieldError(f"{kind.__name__} has {len(kind.WIRES)} fields, not {len(value.value)}")
    made = kind()
    for (name, wire), item in zip(kind.WIRES, value.value, strict=False):
        if item is not None:
            try:
                setattr(made, name, wire.decode(item))
            except FieldError as problem:
                raise FieldError(f"{kind.__name__}.{name} {problem}") from problem
    return made


def _nested(value: AmqpValue) -> Composite:
    return value if isinstance(value, Composite) else from_described(value)


_COMPOSITE = Wire(lambda value: value.encode(), _nested)


@_composite("error")
@dataclass(slots=True)
class Error(Composite):
    """Why a container, session, link or delivery ended. All three fields travel, as the SDKs expect."""

    CODE: ClassVar = 0x1D
    condition: str = _wired(_SYMBOL, "")
    description: str | None = _wired(_STRING)
    info: dict[Any, Any] | None = _wired(_MAP)


@_composite("source")
@dataclass(slots=True)
class Source(Composite):
    """Where a link's messages come from."""

    CODE: ClassVar = 0x28
    address: Any = _wired(_ANY)
    durable: int | None = _wired(_UINT)
    expiry_policy: str | None = _wired(_SYMBOL)
    timeout: int | None = _wired(_UINT)
    dynamic: bool | None = _wired(_BOOLEAN)
    dynamic_node_properties: dict[Any, Any] | None = _wired(_MAP)
    distribution_mode: str | None = _wired(_SYMBOL)
    filter: dict[Any, Any] | None = _wired(_MAP)
    default_outcome: Any = _wired(_ANY)
    outcomes: list[str] | None = _wired(_SYMBOLS)
    capabilities: list[str] | None = _wired(_SYMBOLS)


@_composite("target")
@dataclass(slots=True)
class Target(Composite):
    """Where a link's messages go."""

    CODE: ClassVar = 0x29
    address: Any = _wired(_ANY)
    durable: int | None = _wired(_UINT)
    expiry_policy: str | None = _wired(_SYMBOL)
    timeout: int | None = _wired(_UINT)
    dynamic: bool | None = _wired(_BOOLEAN)
    dynamic_node_properties: dict[Any, Any] | None = _wired(_MAP)
    capabilities: list[str] | None = _wired(_SYMBOLS)


@_composite("received")
@dataclass(slots=True)
class Received(Composite):
    """A delivery that came in part."""

    CODE: ClassVar = 0x23
    section_number: int | None = _wired(_UINT)
    section_offset: int | None = _wired(_ULONG)


@_composite("accepted")
@dataclass(slots=True)
class Accepted(Composite):
    """A delivery that was taken."""

    CODE: ClassVar = 0x24


@_composite("rejected")
@dataclass(slots=True)
class Rejected(Composite):
    """A delivery that was refused."""

    CODE: ClassVar = 0x25
    error: Error | None = _wired(_COMPOSITE)


@_composite("released")
@dataclass(slots=True)
class Released(Composite):
    """A delivery that was given back."""

    CODE: ClassVar = 0x26


@_composite("modified")
@dataclass(slots=True)
class Modified(Composite):
    """A delivery that was given back with a remark."""

    CODE: ClassVar = 0x27
    delivery_failed: bool | None = _wired(_BOOLEAN)
    undeliverable_here: bool | None = _wired(_BOOLEAN)
    message_annotations: dict[Any, Any] | None = _wired(_MAP)


@_composite("open")
@dataclass(slots=True)
class Open(Composite):
    """Start of a connection."""

    CODE: ClassVar = 0x10
    container_id: str = _wired(_STRING, "")
    hostname: str | None = _wired(_STRING)
    max_frame_size: int | None = _wired(_UINT)
    channel_max: int | None = _wired(_USHORT)
    idle_time_out: int | None = _wired(_UINT)
    outgoing_locales: list[str] | None = _wired(_SYMBOLS)
    incoming_locales: list[str] | None = _wired(_SYMBOLS)
    offered_capabilities: list[str] | None = _wired(_SYMBOLS)
    desired_capabilities: list[str] | None = _wired(_SYMBOLS)
    properties: dict[Any, Any] | None = _wired(_MAP)


@_composite("begin")
@dataclass(slots=True)
class Begin(Composite):
    """Start of a session."""

    CODE: ClassVar = 0x11
    remote_channel: int | None = _wired(_USHORT)
    next_outgoing_id: int | None = _wired(_UINT)
    incoming_window: int | None = _wired(_UINT)
    outgoing_window: int | None = _wired(_UINT)
    handle_max: int | None = _wired(_UINT)
    offered_capabilities: list[str] | None = _wired(_SYMBOLS)
    desired_capabilities: list[str] | None = _wired(_SYMBOLS)
    properties: dict[Any, Any] | None = _wired(_MAP)


@_composite("attach")
@dataclass(slots=True)
class Attach(Composite):
    """Start of a link; `role` is True for the end that receives."""

    CODE: ClassVar = 0x12
    name: str = _wired(_STRING, "")
    handle: int | None = _wired(_UINT)
    role: bool | None = _wired(_BOOLEAN)
    snd_settle_mode: int | None = _wired(_UBYTE)
    rcv_settle_mode: int | None = _wired(_UBYTE)
    source: Source | None = _wired(_COMPOSITE)
    target: Target | None = _wired(_COMPOSITE)
    unsettled: dict[Any, Any] | None = _wired(_MAP)
    incomplete_unsettled: bool | None = _wired(_BOOLEAN)
    initial_delivery_count: int | None = _wired(_UINT)
    max_message_size: int | None = _wired(_ULONG)
    offered_capabilities: list[str] | None = _wired(_SYMBOLS)
    desired_capabilities: list[str] | None = _wired(_SYMBOLS)
    properties: dict[Any, Any] | None = _wired(_MAP)


@_composite("flow")
@dataclass(slots=True)
class Flow(Composite):
    """A session's windows and, with a handle, a link's credit."""

    CODE: ClassVar = 0x13
    next_incoming_id: int | None = _wired(_UINT)
    incoming_window: int | None = _wired(_UINT)
    next_outgoing_id: int | None = _wired(_UINT)
    outgoing_window: int | None = _wired(_UINT)
    handle: int | None = _wired(_UINT)
    delivery_count: int | None = _wired(_UINT)
    link_credit: int | None = _wired(_UINT)
    available: int | None = _wired(_UINT)
    drain: bool | None = _wired(_BOOLEAN)
    echo: bool | None = _wired(_BOOLEAN)
    properties: dict[Any, Any] | None = _wired(_MAP)


@_composite("transfer")
@dataclass(slots=True)
class Transfer(Composite):
    """A message, or a part of one; the payload follows the list."""

    CODE: ClassVar = 0x14
    handle: int | None = _wired(_UINT)
    delivery_id: int | None = _wired(_UINT)
    delivery_tag: bytes | None = _wired(_BINARY)
    message_format: int | None = _wired(_UINT)
    settled: bool | None = _wired(_BOOLEAN)
    more: bool | None = _wired(_BOOLEAN)
    rcv_settle_mode: int | None = _wired(_UBYTE)
    state: Any = _wired(_COMPOSITE)
    resume: bool | None = _wired(_BOOLEAN)
    aborted: bool | None = _wired(_BOOLEAN)
    batchable: bool | None = _wired(_BOOLEAN)


@_composite("disposition")
@dataclass(slots=True)
class Disposition(Composite):
    """What became of deliveries."""

    CODE: ClassVar = 0x15
    role: bool | None = _wired(_BOOLEAN)
    first: int | None = _wired(_UINT)
    last: int | None = _wired(_UINT)
    settled: bool | None = _wired(_BOOLEAN)
    state: Any = _wired(_COMPOSITE)
    batchable: bool | None = _wired(_BOOLEAN)


@_composite("detach")
@dataclass(slots=True)
class Detach(Composite):
    """End of a link."""

    CODE: ClassVar = 0x16
    handle: int | None = _wired(_UINT)
    closed: bool | None = _wired(_BOOLEAN)
    error: Error | None = _wired(_COMPOSITE)


@_composite("end")
@dataclass(slots=True)
class End(Composite):
    """End of a session."""

    CODE: ClassVar = 0x17
    error: Error | None = _wired(_COMPOSITE)


@_composite("close")
@dataclass(slots=True)
class Close(Composite):
    """End of a connection."""

    CODE: ClassVar = 0x18
    error: Error | None = _wired(_COMPOSITE)


@_composite("sasl-mechanisms")
@dataclass(slots=True)
class SaslMechanisms(Composite):
    """The ways to say who one is."""

    CODE: ClassVar = 0x40
    mechanisms: list[str] | None = _wired(_SYMBOLS)


@_composite("sasl-init")
@dataclass(slots=True)
class SaslInit(Composite):
    """The way that the client chose."""

    CODE: ClassVar = 0x41
    mechanism: str | None = _wired(_SYMBOL)
    initial_response: bytes | None = _wired(_BINARY)
    hostname: str | None = _wired(_STRING)


@_composite("sasl-outcome")
@dataclass(slots=True)
class SaslOutcome(Composite):
    """Whether it was accepted: code 0, or 1."""

    CODE: ClassVar = 0x44
    code: int | None = _wired(_UBYTE)
    additional_data: bytes | None = _wired(_BINARY)
