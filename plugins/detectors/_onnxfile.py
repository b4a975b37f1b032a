"""An ONNX file by its bytes, no library needed: what must not be in it, and its picture size freed.

Exported YOLOX graphs say `[1, 3, 416, 416]` at their input although every layer would take other
sizes. The wire format is that of https://protobuf.dev/programming-guides/encoding and the field
numbers are those of onnx.proto: ModelProto.graph = 7; GraphProto.input = 11, output = 12,
value_info = 13; ValueInfoProto.name = 1, type = 2; TypeProto.tensor_type = 1;
Tensor.elem_type = 1, shape = 2; TensorShapeProto.dim = 1; Dimension.dim_value = 1, dim_param = 2.
Where tensors may be: GraphProto.node = 1, initializer = 5, sparse_initializer = 15;
ModelProto.training_info = 20, functions = 25; FunctionProto.node = 7; NodeProto.attribute = 5;
AttributeProto.t = 5, g = 6, tensors = 10, graphs = 11, sparse_tensor = 22, sparse_tensors = 23;
SparseTensorProto.values = 1, indices = 2; TensorProto.external_data = 13, data_location = 14.
"""

from __future__ import annotations

from collections.abc import Iterator

_GRAPH = 7
_INPUT, _OUTPUT, _VALUE_INFO = 11, 12, 13
_DEEPEST = 64  # graphs within graphs

# By kind of message: which of its fields hold which kind of message, as far as tensors lie in them.
_WITHIN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


def weights_elsewhere(model: bytes) -> bool:
    """Whether a tensor's values lie in another file. Raises `ValueError` where it is no model."""
    waiting = [("model", memoryview(model), 0)]
    graphs = 0
    while waiting:
        kind, message, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError("this is not an ONNX model: graphs lie too deep in each other")
        for field, wire, value, _raw in _fields(message):
            if kind == "tensor":
                if field == 13 or (field == 14 and bytes(_raw)[-1] != 0):
                    return True
            elif wire == 2 and (inner := _WITHIN[kind].get(field)):
                graphs += kind == "model" and inner == "graph"
                waiting.append((inner, value, depth + (inner == "graph")))
    if not graphs:
        raise ValueError("this is not an ONNX model: there is no graph in it")
    return False


def free_picture_size(model: bytes, input_name: str, channels: int = 3) -> bytes:
    """The same model with height and width of `input_name` free, for any multiple of 32.

    Shapes noted for layers in between and for the outputs are dropped; the runtime infers them
    anew. Raises `ValueError` where the bytes are not a protobuf message.
    """
    out = bytearray()
    for field, wire, value, raw in _fields(memoryview(model)):
        is_graph = (field, wire) == (_GRAPH, 2)
        out += _record(field, _free_graph(value, input_name, channels)) if is_graph else raw
    return bytes(out)


def _free_graph(graph: memoryview, input_name: str, channels: int) -> bytes:
    out = bytearray()
    for field, _wire, value, raw in _fields(graph):
        if field == _VALUE_INFO:
            continue
        if field == _INPUT and _name(value) == input_name:
            sizes = ((1, ""), (channels, ""), (0, "h"), (0, "w"))
            out += _record(field, _value_info(_name(value), _element_type(value), sizes))
        elif field == _OUTPUT:
            out += _record(field, _value_info(_name(value), _element_type(value), None))
        else:
            out += raw
    return bytes(out)


def _value_info(name: str, kind: int, dims: tuple[tuple[int, str], ...] | None) -> bytes:
    """A ValueInfoProto of a tensor; each dimension is a number or, where 0, a name."""
    tensor = b"\x08" + _varint(kind)
    if dims is not None:
        shape = b"".join(
            _record(1, b"\x08" + _varint(value) if value else _record(2, label.encode()))
            for value, label in dims
        )
        tensor += _record(2, shape)
    return _record(1, name.encode()) + _record(2, _record(1, tensor))


def _element_type(value_info: memoryview) -> int:
    """The number of a tensor's element type; 1 (float) where it is not said."""
    for outer, _, about, _ in _fields(value_info):
        if outer == 2:
            for kind, _, tensor, _ in _fields(about):
                for field, _, _, raw in _fields(tensor) if kind == 1 else ():
                    if field == 1:
                        return _read_varint(raw, 1)[0]
    return 1


def _name(value_info: memoryview) -> str:
    for field, wire, value, _raw in _fields(value_info):
        if (field, wire) == (1, 2):
            return bytes(value).decode("utf-8", "replace")
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


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview, memoryview]]:
    """Each field as number, wire type, payload (empty unless length-delimited) and raw bytes."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _read_varint(message, position)
        wire = tag & 7
        if tag < 8:
            raise ValueError("this is not an ONNX file: a field without a number")
        payload = message[:0]
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


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
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
