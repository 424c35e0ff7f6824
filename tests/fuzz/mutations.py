"""Ways to damage a model. Each takes the dice and the tree, and changes it; some do nothing to some trees."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from random import Random

from fuzz.messages import BYTES, KINDS, TEXTS, VARINT, Field, Message

Mutation = Callable[[Random, Message], object]

EXTREMES = (
    *(0, 1, 2, 7, 127, 128, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40),
    *((1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1, 1 << 64, (1 << 70) - 1),
)
WORDS = (
    *(b"", b"\0", b"\xff\xfe", b"a" * 5000, "\u202e\u2603".encode(), b"%s%n{}", b"../../../etc/passwd"),
    *(b"/etc/passwd", b"*/_ORT_MEM_ADDR_/*", b"C:\\x", b"com.microsoft", b"ai.onnx", b"ai.onnx.ml", b"local"),
    *(b"location", b"offset", b"length", b"checksum", b"18446744073709551615", b"-1", b"1e9", b"0x10"),
)
OPERATORS = (
    *(b"If", b"Loop", b"Scan", b"Constant", b"ConstantOfShape", b"Reshape", b"Expand", b"Tile", b"Range"),
    *(b"DequantizeLinear", b"QuantizeLinear", b"DynamicQuantizeLinear", b"QLinearConv", b"QLinearMatMul"),
    *(b"ConvInteger", b"MatMulInteger", b"MatMulNBits", b"MatMulBnb4", b"GatherBlockQuantized", b"QMoE"),
    *(b"QGemm", b"QAttention", b"DynamicQuantizeLSTM", b"MatMulIntegerToFloat", b"Div", b"Mod", b"Gather"),
    *(b"Identity", b"Transpose", b"Slice", b"Concat", b"Cast", b"SequenceAt", b"Optional", b"StringSplit"),
)
_MANY = 20_000  # fields that one change adds, at most
BULK = (b"\x00", b"\xff", b"\x80", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff", b"\x7f")


def messages(tree: Message, *kinds: str) -> list[Message]:
    return [one for one in tree.all() if not kinds or one.kind in kinds]


def somewhere(dice: Random, tree: Message, *kinds: str) -> Message:
    """A message that holds something, or the tree."""
    return dice.choice([one for one in messages(tree, *kinds) if one.fields] or [tree])


def texts(tree: Message) -> list[Field]:
    return [
        part
        for one in tree.all()
        for part in one.fields
        if part.number in TEXTS.get(one.kind, ()) and isinstance(part.value, bytes)
    ]


def drop_field(dice: Random, tree: Message) -> None:
    one = somewhere(dice, tree)
    if one.fields:
        del one.fields[dice.randrange(len(one.fields))]


def repeat_field(dice: Random, tree: Message) -> None:
    one = somewhere(dice, tree)
    if one.fields:
        chosen = dice.choice(one.fields)
        size = chosen.value.size if isinstance(chosen.value, Message) else 1
        times = min(dice.choice((1, 1, 1, 2, 30, 300)), 1 + _MANY // (1 + size))
        one.fields += [chosen.copy() for _ in range(times)]


def swap_fields(dice: Random, tree: Message) -> None:
    one = somewhere(dice, tree)
    if len(one.fields) > 1:
        a, b = dice.sample(range(len(one.fields)), 2)
        one.fields[a], one.fields[b] = one.fields[b], one.fields[a]


def swap_payloads(dice: Random, tree: Message) -> None:
    """Two fields keep their numbers and exchange what they hold."""
    first, second = somewhere(dice, tree), somewhere(dice, tree)
    if first.fields and second.fields:
        a, b = dice.choice(first.fields), dice.choice(second.fields)
        if not _holds(a.value, second) and not _holds(b.value, first):
            a.value, b.value, a.wire, b.wire = b.value, a.value, b.wire, a.wire


def _holds(value: object, wanted: Message) -> bool:
    """Whether ``wanted`` lies in the value: a message must not come to lie in itself."""
    return isinstance(value, Message) and any(one is wanted for one in value.all())


def graft(dice: Random, tree: Message) -> None:
    """A copy of a part is put into another message that holds such parts."""
    kind = dice.choice(("node", "tensor", "attribute", "value", "graph", "sparse", "entry"))
    parts = [
        part
        for one in tree.all()
        for part in one.fields
        if isinstance(part.value, Message) and part.value.kind == kind
    ]
    homes = [one for one in tree.all() if kind in KINDS.get(one.kind, {}).values()]
    if parts and homes and tree.size < _MANY:
        home, part = dice.choice(homes), dice.choice(parts).copy()
        part.number = dice.choice([number for number, held in KINDS[home.kind].items() if held == kind])
        home.fields.insert(dice.randint(0, len(home.fields)), part)


def change_number(dice: Random, tree: Message) -> None:
    found = [part for one in tree.all() for part in one.fields if isinstance(part.value, int)]
    if found:
        part = dice.choice(found)
        assert isinstance(part.value, int)
        near = max(0, part.value + dice.choice((-1, 1)))
        part.value = dice.choice((dice.choice(EXTREMES), near, part.value ^ 1 << dice.randrange(64)))


def change_type(dice: Random, tree: Message) -> None:
    """A field comes in another wire type, or under another number."""
    one = somewhere(dice, tree)
    if one.fields:
        part = dice.choice(one.fields)
        if dice.random() < 0.5:
            part.number = dice.choice((0, 1, 2, 5, 9, 15, 19, 99, 1000, (1 << 29) - 1, 1 << 29))
        elif isinstance(part.value, int):
            part.wire, part.value = dice.choice(((BYTES, b""), (1, bytes(8)), (5, bytes(4)), (3, 0), (4, 0)))
        else:
            part.wire, part.value = VARINT, dice.choice(EXTREMES)


def change_length(dice: Random, tree: Message) -> None:
    found = [part for one in tree.all() for part in one.fields if part.wire == BYTES]
    if found:
        part = dice.choice(found)
        size = len(part.value) if isinstance(part.value, bytes) else 50
        part.length = dice.choice((0, max(0, size - 1), size + 1, size + 1000, *EXTREMES))


def exchange_names(dice: Random, tree: Message) -> None:
    found = texts(tree)
    if len(found) > 1:
        a, b = dice.sample(found, 2)
        if dice.random() < 0.5:
            a.value = b.value
        else:
            a.value, b.value = b.value, a.value


def change_name(dice: Random, tree: Message) -> None:
    found = texts(tree)
    if found:
        dice.choice(found).value = dice.choice(WORDS)


def change_operator(dice: Random, tree: Message) -> None:
    node = somewhere(dice, tree, "node")
    for part in node.fields:
        if node.kind == "node" and part.number == 4:
            part.value = dice.choice(OPERATORS)
    if dice.random() < 0.3:
        node.fields.append(Field(7, BYTES, dice.choice((b"com.microsoft", b"", b"local", b"ai.onnx.ml"))))


def change_dims(dice: Random, tree: Message) -> None:
    tensor = somewhere(dice, tree, "tensor")
    for part in tensor.fields:
        if tensor.kind == "tensor" and part.number == 1 and dice.random() < 0.7:
            part.wire, part.value = VARINT, dice.choice(EXTREMES)
    if dice.random() < 0.2:
        tensor.fields += [Field(1, VARINT, dice.choice(EXTREMES)) for _ in range(dice.choice((1, 8, 200)))]


def retype_tensor(dice: Random, tree: Message) -> None:
    tensor = somewhere(dice, tree, "tensor")
    for part in tensor.fields:
        if tensor.kind == "tensor" and part.number == 2:
            part.wire, part.value = VARINT, dice.choice((*range(30), *EXTREMES))


def change_bulk(dice: Random, tree: Message) -> None:
    """What a tensor holds becomes shorter, longer, or all the same."""
    tensor = somewhere(dice, tree, "tensor")
    for part in tensor.fields:
        if isinstance(part.value, bytes) and part.number in (4, 5, 6, 7, 9, 10, 11):
            size = len(part.value)
            filled = (dice.choice(BULK) * (size + 1))[:size]
            part.value = dice.choice((part.value[:-1], part.value + b"\0", b"", filled, filled, filled))
            part.number = part.number if dice.random() < 0.8 else dice.choice((4, 5, 7, 9, 10, 11))


def change_integers(dice: Random, tree: Message) -> None:
    """A tensor of integers gets extreme ones: shapes, divisors, indices."""
    whole = [one for one in messages(tree, "tensor") if _integers_of(one)]
    if whole:
        tensor = dice.choice(whole)
        width, count = _integers_of(tensor) or (4, 0)
        values = [dice.choice((*EXTREMES, 3, 100, 1000, 65_536, 1 << 26)) for _ in range(count)]
        raw = b"".join((value & (1 << 8 * width) - 1).to_bytes(width, "little") for value in values)
        tensor.fields = [part for part in tensor.fields if part.number not in (4, 5, 7, 9, 10, 11)]
        tensor.fields.append(Field(9, BYTES, raw))


def _integers_of(tensor: Message) -> tuple[int, int] | None:
    """Bytes of an element, and how many there are, of a small tensor of int32 or int64."""
    numbers = {part.number: part.value for part in tensor.fields if isinstance(part.value, int)}
    dims = [part.value for part in tensor.fields if part.number == 1 and isinstance(part.value, int)]
    count = prod(dims)
    width = {6: 4, 7: 8}.get(numbers.get(2, 0))
    return (width, count) if width and 0 < count <= 64 else None


def nest(dice: Random, tree: Message) -> None:
    """A graph comes to lie in a branch of itself, many times over."""
    graph = somewhere(dice, tree, "graph")
    if graph.kind == "graph" and graph.size < _MANY:
        inner = graph.copy()
        for _ in range(dice.choice((1, 3, 10, 24, 40, 200))):
            attribute = Message("attribute", [Field(1, BYTES, b"then_branch"), Field(6, BYTES, inner)])
            attribute.fields.append(Field(20, VARINT, 5))
            node = Message("node", [Field(1, BYTES, b"flag"), Field(2, BYTES, b"y"), Field(4, BYTES, b"If")])
            node.fields.append(Field(5, BYTES, attribute))
            inner = Message("graph", [Field(1, BYTES, node), Field(2, BYTES, b"g")])
        graph.fields += inner.fields


def add_unknown(dice: Random, tree: Message) -> None:
    one = somewhere(dice, tree)
    number = dice.choice((26, 100, 2047, 100_000))
    value = Field(number, BYTES, bytes(dice.choice((0, 1, 1000, 60_000))))
    one.fields.insert(dice.randint(0, len(one.fields)), dice.choice((value, Field(number, VARINT, 7))))


def add_function(dice: Random, tree: Message) -> None:
    """Functions that call themselves, each other, or the one below twice; and a call of the last."""
    names = [f"f{at}".encode() for at in range(dice.choice((1, 2, 6, 20)))]
    for at, name in enumerate(names):
        called = dice.choice((name, names[at - 1], names[0], b"Neg"))
        calls = [Field(7, BYTES, _call(called, a, b)) for a, b in ((b"a", b"b"), (b"b", b"c"))]
        body = [Field(1, BYTES, name), Field(4, BYTES, b"a"), Field(5, BYTES, b"c"), *calls]
        tree.fields.append(Field(25, BYTES, Message("function", [*body, Field(10, BYTES, b"local")])))
    tree.fields.append(Field(8, BYTES, Message("opset", [Field(1, BYTES, b"local"), Field(2, VARINT, 1)])))
    somewhere(dice, tree, "graph").fields.append(Field(1, BYTES, _call(names[-1], b"x", b"called")))


def _call(name: bytes, source: bytes, target: bytes) -> Message:
    domain = b"" if name == b"Neg" else b"local"
    texts = ((1, source), (2, target), (4, name), (7, domain))
    return Message("node", [Field(number, BYTES, text) for number, text in texts])


def leave_file(dice: Random, tree: Message) -> None:
    """A tensor's data is said to lie outside, anywhere."""
    tensor = somewhere(dice, tree, "tensor")
    if tensor.kind == "tensor":
        told = {b"location": dice.choice((b"w.bin", b"model.onnx", *WORDS))}
        told[b"offset"] = str(dice.choice(EXTREMES)).encode()
        told[b"length"] = str(dice.choice(EXTREMES)).encode()
        for key, value in told.items():
            if dice.random() < 0.8:
                entry = Message("entry", [Field(1, BYTES, key), Field(2, BYTES, value)])
                tensor.fields.append(Field(13, BYTES, entry))
        tensor.fields.append(Field(14, VARINT, dice.choice((0, 1, 1, 1, 2))))


def change_attribute(dice: Random, tree: Message) -> None:
    attribute = somewhere(dice, tree, "attribute")
    if attribute.kind == "attribute":
        for part in attribute.fields:
            if part.number in (3, 20):
                part.wire, part.value = VARINT, dice.choice((*range(15), *EXTREMES))
        if dice.random() < 0.3:
            attribute.fields.append(Field(21, BYTES, dice.choice(WORDS)))


def add_training(dice: Random, tree: Message) -> None:
    graphs = messages(tree, "graph")
    if graphs:
        held = Message("training", [Field(dice.choice((1, 2)), BYTES, dice.choice(graphs).copy())])
        tree.fields.append(Field(20, BYTES, held))


MUTATIONS: tuple[Mutation, ...] = (
    *(drop_field, repeat_field, swap_fields, swap_payloads, graft, change_number, change_type, change_length),
    *(
        exchange_names,
        change_name,
        change_operator,
        change_dims,
        retype_tensor,
        change_bulk,
        change_integers,
        nest,
    ),
    *(add_unknown, add_function, leave_file, change_attribute, add_training),
)
