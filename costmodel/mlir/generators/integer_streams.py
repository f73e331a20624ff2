"""Integer code over streams of data: ciphers, generators, checksums, packed fields and pixels, text."""

from __future__ import annotations

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.structures import mapped
from costmodel.mlir.generators.values import Value, width


def _quarter(state: list[Value], amounts: list[int]) -> tuple[Value, Value, Value, Value]:
    a, b, d, e = state
    a = a + b
    e = (e ^ a).rotate(amounts[0])
    d = d + e
    b = (b ^ d).rotate(amounts[1])
    a = a + b
    e = (e ^ a).rotate(amounts[2])
    d = d + e
    return a, (b ^ d).rotate(amounts[3]), d, e


def _stream_cipher(c: Code) -> None:
    """Rounds of additions, rotations and exclusive ors on four or sixteen words, unrolled or in a loop."""
    words, rounds, kind = c.pick((4, 4, 16)), c.size(1, 10), c.pick(("u32", "u32", "u64"))
    amounts = [c.rng.randint(1, width(kind) - 1) for _ in range(4)]
    looped, columns = c.coin(), words // 4
    rounds = rounds if looped else min(rounds, 4)

    def once(state: list[Value]) -> list[Value]:
        state = list(state)
        for turn in range(2 if words == 16 else 1):
            for n in range(columns):
                at = [n + 0, 4 + (n + turn) % 4, 8 + (n + 2 * turn) % 4, 12 + (n + 3 * turn) % 4]
                at = at if words == 16 else [0, 1, 2, 3]
                for place, value in zip(at, _quarter([state[p] for p in at], amounts), strict=True):
                    state[place] = value
        return state

    data, out, blocks = c.array([words], kind), c.array([words], kind), c.pick((1, 1, 8, 60))
    with c.nest(*([blocks] if blocks > 1 else [])):
        start = [data[n] for n in range(words)]
        state = start
        if looped != c.alternative:
            with c.carry(0, rounds, *start) as loop:
                loop.next = once(loop.values)
            state = loop.out
        else:
            for _ in range(rounds):
                state = once(state)
        for n, (new, old) in enumerate(zip(state, start, strict=True)):
            out[n] = new + old
            if blocks > 1:
                data[n] = old + (n == 0)


def _block_cipher(c: Code) -> None:
    """Feistel rounds on two halves with a key (TEA, XTEA, Speck)."""
    how, rounds, kind = c.pick(("tea", "xtea", "speck")), c.size(2, 32), c.pick(("u32", "u32", "u16", "u64"))
    delta, looped = c.rng.getrandbits(width(kind) - 1) | 1, c.coin(0.6)

    def once(y: Value, z: Value, total: Value, key: list[Value]) -> tuple[Value, Value, Value]:
        if how == "speck":
            y = (y.rotate(width(kind) - 8) + z) ^ key[0]
            return y, z.rotate(3) ^ y, total
        if how == "tea":
            total = total + delta
            y = y + (((z << 4) + key[0]) ^ (z + total) ^ ((z >> 5) + key[1]))
            return y, z + (((y << 4) + key[2]) ^ (y + total) ^ ((y >> 5) + key[3])), total
        y = y + ((((z << 4) ^ (z >> 5)) + z) ^ (total + key[0]))
        total = total + delta
        return y, z + ((((y << 4) ^ (y >> 5)) + y) ^ (total + key[1])), total

    def body(y: Value, z: Value, *key: Value) -> list[Value]:
        total = c.known(0, kind)
        if looped:
            with c.carry(0, rounds, y, z, total) as loop:
                y, z, total = loop.values
                loop.next = list(once(y, z, total, list(key)))
            return loop.out[:2]
        for _ in range(min(rounds, 8)):
            y, z, total = once(y, z, total, list(key))
        return [y, z]

    mapped(c, [kind] * 6, body, largest=500)


def _random_stream(c: Code) -> None:
    """Linear congruential generators, one or several side by side, their high bits scaled to what is asked for."""
    kind, lanes, n = c.pick(("u32", "u64")), c.pick((1, 1, 2, 4, 8)), c.size(4, 4000)
    a, b, shift = c.rng.getrandbits(30) | 5, c.rng.getrandbits(16) | 1, c.pick((3, 8, 16))
    use, out_kind = c.pick(("store", "range", "float", "sum")), c.pick(("u8", "u16", "u32"))
    out_kind = {"float": "f32", "sum": kind, "range": kind}.get(use, out_kind)
    divided = c.coin(0.4)
    out, seeds = c.array([n, lanes], out_kind), c.array([lanes], kind)
    with c.carry(0, n, *(seeds[k] for k in range(lanes))) as loop:
        states = [state * a + b for state in loop.values]
        for lane, state in enumerate(states):
            high = state >> shift
            if use == "float":
                high = (high & 0xFFFFFF).to("f32") * 5.9604645e-08
            elif use == "range":
                high = high % (6 * shift) if divided else ((high & 0xFFFF) * (6 * shift)) >> 16
            elif use == "sum":
                high = out[loop.index, lane] + high
            out[loop.index, lane] = high.to(out_kind)
        loop.next = states
    for lane in range(lanes):
        seeds[lane] = loop.out[lane]


_COLOURS = {"565": (5, 6, 5), "555": (5, 5, 5), "332": (3, 3, 2), "4444": (4, 4, 4, 4), "8888": (8, 8, 8, 8)}


def _pixels(c: Code) -> None:
    """Channels packed into words, or words unpacked, with the low bits filled in."""
    fields, pack = _COLOURS[c.pick(tuple(_COLOURS))], c.coin()
    kind = "u8" if sum(fields) == 8 else "u16" if sum(fields) <= 16 else "u32"
    kind, filled, order = c.pick((kind, "u32")), c.coin(), c.coin()

    def packed(*x: Value) -> list[Value]:
        word, at = c.known(0, kind), 0
        for value, bits in zip(x[::-1] if order else x, fields, strict=True):
            word = word | ((value >> (8 - bits)).to(kind) << at)
            at += bits
        return [word]

    def unpacked(word: Value) -> list[Value]:
        out, at = [], 0
        for bits in fields:
            value = ((word >> at) & ((1 << bits) - 1)).to("u8") << (8 - bits)
            out.append(value | (value >> bits) if filled and bits < 8 else value)
            at += bits
        return out[::-1] if order else out

    mapped(c, ["u8"] * len(fields) if pack else [kind], packed if pack else unpacked)


def _morton(c: Code) -> None:
    """Interleaved bits of two or three coordinates, by shifts and masks; or taken apart."""
    kind, ways, spread = c.pick(("u32", "u64")), c.pick((2, 3)), c.coin(0.6)
    bits = width(kind)
    steps = [s for s in (16, 8, 4, 2, 1) if s * ways * 2 <= bits + s]
    masks = [sum(1 << p for p in range(bits) if p % (s * ways) < s) for s in steps]

    def apart(x: Value) -> Value:
        for s, mask in zip(steps, masks, strict=True):
            x = (x | (x << (s * (ways - 1)))) & mask
        return x

    def together(x: Value) -> Value:
        for s, mask in reversed(list(zip(steps, masks, strict=True))):
            x = (x ^ (x >> (s * (ways - 1) // 2 or 1))) & mask
        return x

    def code(*x: Value) -> list[Value]:
        word = apart(x[0])
        for n, value in enumerate(x[1:], 1):
            word = word | (apart(value) << n)
        return [word]

    mapped(
        c, [kind] * ways if spread else [kind], code if spread else lambda x: [together(x >> n) for n in range(ways)]
    )


def _base64(c: Code) -> None:
    """Groups of bits to letters and back, by arithmetic or by a table."""
    tabled, encode, n, bits = c.coin(), c.coin(), c.size(2, 3000), c.pick((4, 6, 6, 5))
    bytes_, letters = {4: (1, 2), 6: (3, 4), 5: (5, 8)}[bits]
    word = "u32" if bytes_ < 5 else "u64"
    table = c.array(256, "u8") if tabled else None
    source = c.array([n, bytes_ if encode else letters], "u8")
    target = c.array([n, letters if encode else bytes_], "u8")
    takes, gives = (8, bits) if encode else (bits, 8)

    def letter(x: Value) -> Value:
        if table is not None:
            return table[x]
        if encode:
            return (x < 26).then(x + 65, (x < 52).then(x + 71, (x < 62).then(x - 4, x + 1)))
        return (x >= 97).then(x - 71, (x >= 65).then(x - 65, x + 4))

    with c.loop(0, n) as i:
        total = c.known(0, word)
        for k in range(source.shape[1]):
            byte = source[i, k] if encode else letter(source[i, k])
            total = (total << takes) | byte.to(word)
        for k in range(target.shape[1]):
            piece = ((total >> (gives * (target.shape[1] - 1 - k))) & ((1 << gives) - 1)).to("u8")
            target[i, k] = letter(piece) if encode else piece


def _text(c: Code) -> None:
    """Bytes counted, classified, changed in case or compared: lengths in UTF-8, words, lines."""
    what = c.pick(("utf8", "utf8_lengths", "lines", "case", "class", "differ", "hex", "first"))
    n, m, wide = c.size(8, 8000), c.size(2, 40), c.pick(("i32", "i64", "u8"))
    if what == "case":
        low, delta = c.pick(((65, 32), (97, -32), (48, 17)))
        span = c.size(10, 26)

        def cased(x: Value) -> list[Value]:
            inside = (x - low) < span
            return [inside.then(x + delta, x) if not c.alternative else x + inside.to("u8") * delta]

        mapped(c, ["u8"], cased)
        return
    if what == "utf8_lengths":
        mapped(c, ["u8"], lambda x: [1 + (x >= 0xC0).to("u8") + (x >= 0xE0).to("u8") + (x >= 0xF0).to("u8")])
        return
    if what == "first":
        text, start = c.array(n, "u8"), c.known(0, "index")
        wanted, out = c.scalar("u8"), c.array(1, "i64")
        limit = c.known(n - 1, "index")
        found = c.repeat(
            [start],
            lambda v: (v[0] < limit) & (c.known(1, "i1") ^ text[v[0]].same(wanted)),
            lambda v: [v[0] + 1],
        )
        out[0] = found[0].to("i64")
        return
    lines, other = c.array([m, n], "u8"), c.array([m, n], "u8") if what == "differ" else None
    out = c.array(m, wide)

    def hit(i: str, k: str) -> Value:
        x = lines[i, k]
        if other is not None:
            return c.known(1, "i1") ^ x.same(other[i, k])
        if what == "utf8":
            return c.known(1, "i1") ^ (x & 0xC0).same(0x80)
        if what == "lines":
            return x.same(10)
        if what == "hex":
            return (((x | 32) - 97) < 6) | ((x - 48) < 10)
        return x.same(32) | ((x - 9) < 5)

    with c.loop(0, m) as i:
        out[i] = c.total(n, c.known(0, wide), lambda k, total: total + hit(i, k).to(wide))


def _checksums(c: Code) -> None:
    """CRC by tables (one or several bytes a step), Adler, Fletcher, FNV, djb2, sums of words with end-around carry."""
    what = c.pick(("crc", "crc", "slices", "adler", "fletcher", "fnv", "djb2", "internet"))
    n, kind, messages = c.size(4, 6000), c.pick(("u32", "u64", "u16")), c.pick((1, 1, 12))
    kind = "u32" if what in ("slices", "adler", "internet") else kind
    data, out = c.array([messages, n * 4], "u8"), c.array(messages, kind)
    tables = c.array([4 if what == "slices" else 1, 256], kind)

    def one(i: str, loop: str, values: list[Value]) -> list[Value]:
        x, state = data[i, loop].to(kind), values[0]
        if what == "crc":
            return [tables[0, (state ^ x) & 255] ^ (state >> 8)]
        if what == "slices":
            word = state
            for k in range(4):
                word = word ^ (data[i, f"{loop} * 4 + {k}"].to(kind) << (8 * k))
            entries = [tables[3 - k, (word >> (8 * k)) & 255] for k in range(4)]
            return [(entries[0] ^ entries[1]) ^ (entries[2] ^ entries[3])]
        if what == "adler":
            low = (state + x) % 65521
            return [low, (values[1] + low) % 65521]
        if what == "fletcher":
            low = state + x
            low = (low & 255) + (low >> 8) if c.alternative else low % 255
            return [low, (values[1] + low) % 255]
        if what == "internet":
            pair = (data[i, f"{loop} * 2"].to(kind) << 8) | data[i, f"{loop} * 2 + 1"].to(kind)
            total = state + pair
            return [(total & 0xFFFF) + (total >> 16)]
        return [(state ^ x) * 16777619] if what == "fnv" else [(state << 5) + state + x]

    count = n if what == "slices" else n * 2
    with c.nest(messages) as (i,):
        starts = [c.known(1, kind), c.known(0, kind)] if what in ("adler", "fletcher") else [c.known(5381, kind)]
        with c.carry(0, count, *starts) as loop:
            loop.next = one(i, loop.index, loop.values)
        out[i] = (loop.out[1] << (width(kind) // 2)) | loop.out[0] if len(starts) == 2 else loop.out[0]


def _bit_fields(c: Code) -> None:
    """Integers of a few bits each unpacked from words, or packed: with zigzag, offsets or running sums."""
    bits, kind, n = c.rng.randint(1, 15), c.pick(("u32", "u64")), c.size(2, 2000)
    held, after = width(kind) // bits, c.pick(("", "zigzag", "offset", "delta"))
    held, target = min(held, 16), c.pick(("i32", "i16"))
    words, fields = c.array(n, kind), c.array([n, held], target)
    if c.coin(0.4):
        with c.loop(0, n) as i:
            pieces = []
            for k in range(held):
                value = fields[i, k]
                value = (value << 1) ^ (value >> (width(target) - 1)) if after == "zigzag" else value
                pieces.append((value.to("u" + target[1:]).to(kind) & ((1 << bits) - 1)) << (k * bits))
            total = pieces[0]
            for piece in pieces[1:]:
                total = total | piece
            words[i] = total
        return
    with c.carry(0, n, c.known(0, target)) as loop:
        last = loop.values[0]
        for k in range(held):
            value = ((words[loop.index] >> (k * bits)) & ((1 << bits) - 1)).to("u64").to("i64").to(target)
            if after == "zigzag":
                value = (value >> 1) ^ (0 - (value & 1))
            elif after == "offset":
                value = value - (1 << (bits - 1))
            elif after == "delta":
                value = last = last + value
            fields[loop.index, k] = value
        loop.next = [last]


KERNELS = {
    "stream_cipher": _stream_cipher,
    "block_cipher": _block_cipher,
    "random_stream": _random_stream,
    "pixels": _pixels,
    "morton": _morton,
    "base64": _base64,
    "text": _text,
    "checksums": _checksums,
    "bit_fields": _bit_fields,
}
