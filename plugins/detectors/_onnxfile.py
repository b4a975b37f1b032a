"""Free an ONNX graph's picture size: a few bytes of protobuf changed, no library needed.

Exported YOLOX graphs say `[1, 3, 416, 416]` at their input although every layer would take other
sizes. The wire format is that of https://protobuf.dev/programming-guides/encoding and the field
numbers are those of onnx.proto: ModelProto.graph = 7; GraphProto.input = 11, output = 12,
value_info = 13; ValueInfoProto.name = 1, type = 2; TypeProto.tensor_type = 1;
Tensor.elem_type = 1, shape = 2; TensorShapeProto.dim = 1; Dimension.dim_value = 1, dim_param = 2.
"""

from __future__ import annotations

from collections.abc import Iterator

_GRAPH = 7
_INPUT, _OUTPUT, _VALUE_INFO = 11, 12, 13


def free_picture_size(model: bytes, input_name: str) -> bytes:
    """The same model with height and width of `input_name` free, for any multiple of 32.

    Shapes noted for layers in between and for the outputs are dropped; the runtime infers them
    anew. Raises `ValueError` where the bytes are not a protobuf message.
    """
    out = bytearray()
    for field, wire, value, raw in _fields(model):
        out += (
            _record(field, _free_graph(value, input_name))
            if (field, wire)
            == (
                _GRAPH,
                2,
            )
            else raw
        )
    return bytes(out)


def _free_graph(graph: bytes, input_name: str) -> bytes:
    out = bytearray()
    for field, _wire, value, raw in _fields(graph):
        if field == _VALUE_INFO:
            continue
        if field == _INPUT and _name(value) == input_name:
            out += _record(field, _value_info(_name(value), ((1, ""), (3, ""), (0, "h"), (0, "w"))))
        elif field == _OUTPUT:
            out += _record(field, _value_info(_name(value), None))
        else:
            out += raw
    return bytes(out)


def _value_info(name: str, dims: tuple[tuple[int, str], ...] | None) -> bytes:
    """A ValueInfoProto of a float tensor; each dimension is a number or, where 0, a name."""
    tensor = b"\x08\x01"
    if dims is not None:
        shape = b"".join(
            _record(1, b"\x08" + _varint(value) if value else _record(2, label.encode()))
            for value, label in dims
        )
        tensor += _record(2, shape)
    return _record(1, name.encode()) + _record(2, _record(1, tensor))


def _name(value_info: bytes) -> str:
    for field, wire, value, _raw in _fields(value_info):
        if (field, wire) == (1, 2):
            return value.decode("utf-8", "replace")
    return ""


def _record(field: int, payload: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Each field as number, wire type, payload (empty unless length-delimited) and raw bytes."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _read_varint(message, position)
        wire = tag & 7
        payload = b""
        if wire == 0:
            _, position = _read_varint(message, position)
        elif wire == 2:
            length, position = _read_varint(message, position)
            payload = message[position : position + length]
            position += length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise ValueError("this is not an ONNX file: an unknown wire type")
        if position > len(message):
            raise ValueError("this is not an ONNX file, or it is cut short")
        yield tag >> 3, wire, payload, message[start:position]


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("this is not an ONNX file, or it is cut short")
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
