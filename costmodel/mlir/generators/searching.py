"""Sequences read one by one: runs, filters, searches, automata, merges, radix passes, hashing, followed lists."""

from __future__ import annotations

from costmodel.mlir.generators.code import Array, Code
from costmodel.mlir.generators.structures import mapped
from costmodel.mlir.generators.values import Value

_KINDS = ("i32", "i32", "f32", "i64", "u8", "i16", "f64")


def _runs(c: Code) -> None:
    """Runs counted and stored, distinct neighbours kept, elements filtered to the front, split in two, prefix sums."""
    kind, n, what = (
        c.pick(_KINDS),
        c.size(8, 6000),
        c.pick(("count", "encode", "unique", "filter", "split", "segments", "longest")),
    )
    x, y, lengths = c.array(n, kind), c.array(n, kind), c.array(n, "i32")
    limit, flags, out = c.rng.randint(2, 60), c.array(n, "i8"), c.array(1, "i64")
    branching = c.coin() != c.alternative
    if what in ("count", "longest"):
        with c.carry(1, n, c.known(1, "i32"), c.known(1, "i32")) as loop:
            same = x[loop.index].same(x[f"{loop.index} - 1"])
            run, most = loop.values
            run = same.then(run + 1, 1) if what == "longest" else run + (c.known(1, "i1") ^ same).to("i32")
            loop.next = [run, most.max(run)]
        out[0] = loop.out[1 if what == "longest" else 0].to("i64")
        return
    if what == "segments":
        with c.carry(0, n, c.known(0, kind)) as loop:
            fresh = flags[loop.index].same(1)
            loop.next = [fresh.then(x[loop.index], loop.values[0] + x[loop.index])]
            y[loop.index] = loop.next[0]
        return
    with c.carry(1, n, c.known(0, "index"), c.known(n - 1, "index")) as loop:
        front, back = loop.values
        value = x[loop.index]
        test = value > limit if what in ("filter", "split") else c.known(1, "i1") ^ value.same(x[f"{loop.index} - 1"])
        if branching:
            with c.when(test):
                y[front] = value
                if what == "encode":
                    lengths[front] = c.position(loop.index).to("i32")
        else:
            y[front] = value
            if what == "encode":
                lengths[front] = c.position(loop.index).to("i32")
        if what == "split":
            y[back] = test.then(y[back], value)
            back = back - (c.known(1, "i1") ^ test).to("i32").to("u32").to("index")
        loop.next = [front + test.to("u32").to("index"), back]
    out[0] = loop.out[0].to("i64")


def _searches(c: Code) -> None:
    """Keys looked up in sorted tables: by halves, with branches or without, in a fixed number of steps, in line."""
    kind, log, m = c.pick(("i32", "f32", "i64", "f64", "i16")), c.rng.randint(2, 13), c.size(2, 2000)
    what, written = c.pick(("halves", "halves", "linear", "buckets", "while", "tree")), c.coin(0.5) != c.alternative
    n = 1 << log
    table, keys, out = c.array(n + 1, kind), c.array(m, kind), c.array(m, "i32")

    def find(key: Value) -> Value:
        zero = c.known(0, "index")
        if what in ("linear", "buckets"):
            count = min(n, 64 if what == "linear" else 16)
            if what == "buckets":
                total = c.known(0, "i32")
                for k in range(count):
                    total = total + (table[k] < key).to("i32")
                return total
            return c.total(count, c.known(0, "i32"), lambda k, v: v + (table[k] < key).to("i32"))
        if what == "while":
            ended = c.repeat(
                [zero, c.known(n, "index")],
                lambda v: v[0] < v[1],
                lambda v: _narrowed(v[0], v[1], table[(v[0] + v[1]) >> 1] < key),
            )
            return ended[0].to("i32")
        if what == "tree":
            with c.carry(0, log, c.known(1, "index")) as loop:
                at = loop.values[0]
                loop.next = [(at << 1) + (table[at & (n - 1)] < key).to("u32").to("index")]
            return loop.out[0].to("i32")
        if written:
            low = zero
            for step in range(log - 1, -1, -1):
                middle = low + (1 << step)
                low = (table[middle - 1] < key).then(middle, low)
            return low.to("i32")
        with c.carry(0, log, zero, c.known(n >> 1, "index")) as loop:
            low, half = loop.values
            middle = low + half
            loop.next = [(table[middle] < key).then(middle, low), half >> 1]
        return loop.out[0].to("i32")

    with c.loop(0, m) as i:
        out[i] = find(keys[i])


def _narrowed(low: Value, high: Value, below: Value) -> list[Value]:
    middle = (low + high) >> 1
    return [below.then(middle + 1, low), below.then(high, middle)]


def _matches(c: Code) -> None:
    """Patterns in texts: compared everywhere, by borders, by bits (shift-or, Myers), by automata; prefixes, hashes."""
    n, m, what = (
        c.size(8, 4000),
        c.size(2, 24),
        c.pick(("naive", "written", "borders", "shift_or", "myers", "automaton", "prefix", "rolling")),
    )
    text, pattern, out = c.array(n + m, "u8"), c.array(m, "u8"), c.array(1, "i64")
    many = c.pick((1, 1, 12))
    if what in ("naive", "written", "prefix"):
        hits = c.array(n, "u8")
        with c.loop(0, n) as i:
            if what == "written" or (what == "naive" and c.alternative and m <= 8):
                same = text[i].same(pattern[0])
                for k in range(1, min(m, 8)):
                    same = same & text[f"{i} + {k}"].same(pattern[k])
                hits[i] = same.to("u8")
            elif what == "naive":
                hits[i] = c.total(m, c.known(1, "u8"), lambda k, v: v & text[f"{i} + {k}"].same(pattern[k]).to("u8"))
            else:
                start, limit = c.position(i), c.known(m - 1, "index")
                ended = c.repeat(
                    [c.known(0, "index")],
                    lambda v: (v[0] < limit) & text[start + v[0]].same(pattern[v[0]]),
                    lambda v: [v[0] + 1],
                )
                hits[i] = ended[0].to("i32").to("u8")
        return
    kind = "u64" if what in ("myers", "shift_or", "rolling") else "u16"
    masks, states = c.array(256, kind), c.array([64, 256], "u8")
    starts = {"borders": 2, "shift_or": 2, "myers": 3, "automaton": 2, "rolling": 2}[what]
    borders = c.array(m + 1, "u16")
    with c.nest(*([many] if many > 1 else [])), c.carry(0, n, *[c.known(0, kind)] * starts) as loop:
        x, state = text[loop.index], list(loop.values)
        if what == "shift_or":
            state[0] = ((state[0] << 1) | 1) & masks[x]
            state[1] = state[1] + ((state[0] >> (m - 1)) & 1)
        elif what == "myers":
            equal, plus, minus = masks[x], state[0], state[1]
            diagonal = (((equal & plus) + plus) ^ plus) | equal | minus
            up, down = minus | ((diagonal | plus) ^ -1), diagonal & plus
            state[2] = state[2] + ((up >> (m - 1)) & 1) - ((down >> (m - 1)) & 1)
            up, down = (up << 1) | 1, down << 1
            state[:2] = [down | ((diagonal | up) ^ -1), up & diagonal]
        elif what == "automaton":
            at = (state[0] & 63).to("index")
            state[0] = states[at, x].to(kind)
            state[1] = state[1] + (state[0] > 60).to(kind)
        elif what == "rolling":
            state[0] = (state[0] * 257 + x.to(kind) + 7 - text[f"{loop.index} + {m}"].to(kind)) % 1000003
            state[1] = state[1] + state[0].same(12345).to(kind)
        else:
            place = state[0].min(m - 1)
            same = pattern[place].same(x)
            state[0] = same.then(place + 1, borders[place])
            state[1] = state[1] + state[0].same(m).to(kind)
        loop.next = state
        out[0] = state[-1].to("u64").to("i64")


def _merges(c: Code) -> None:
    """Two sorted sequences merged, common elements counted; sets as bits joined and compared."""
    kind, n, m, what = (
        c.pick(_KINDS),
        c.size(4, 2000),
        c.size(4, 2000),
        c.pick(("merge", "merge", "common", "bits", "while")),
    )
    a, b, out, count = c.array(n + 1, kind), c.array(m + 1, kind), c.array(n + m + 1, kind), c.array(1, "i64")
    if what == "bits":

        def joined(x: Value, y: Value, z: Value) -> list[Value]:
            return [((x & y) | (z & (x ^ -1))) if not c.alternative else z ^ (x & (y ^ z))]

        mapped(c, ["u64"] * 3, joined)
        return
    zero = c.known(0, "index")
    if what == "while":

        def advance(v: list[Value]) -> list[Value]:
            x, y = a[v[0]], b[v[1]]
            return [
                v[0] + (x <= y).to("u32").to("index"),
                v[1] + (y <= x).to("u32").to("index"),
                v[2] + x.same(y).to("i64"),
            ]

        ended = c.repeat([zero, zero, c.known(0, "i64")], lambda v: (v[0] < n) & (v[1] < m), advance)
        count[0] = ended[2]
        return
    with c.carry(0, n + m, zero, zero) as loop:
        i, j = loop.values
        x, y = a[i.min(n)], b[j.min(m)]
        first = (x <= y) & (i < n)
        if what == "merge" and c.alternative:
            step = c.branch(first, lambda: [i + 1, j, x], lambda: [i, j + 1, y])
            loop.next, value = step[:2], step[2]
        else:
            value = first.then(x, y)
            loop.next = [first.then(i + 1, i), first.then(j, j + 1)]
        out[loop.index] = value if what == "merge" else x.same(y).to("i32").to(kind)


def _radix(c: Code) -> None:
    """Passes of a radix sort: digits counted, summed, keys moved; sorts by insertion and selection."""
    kind, bits, n = c.pick(("u32", "u16", "u64", "u8")), c.pick((2, 4, 8)), c.size(8, 5000)
    what, shift, lanes = (
        c.pick(("count", "move", "pass", "pass", "insertion", "selection", "shell")),
        c.pick((0, 0, 4, 8)),
        c.pick((1, 1, 4)),
    )
    keys, sorted_, counts = c.array(n, kind), c.array(n, kind), c.array([lanes, 1 << bits], "u32")
    payload = c.array([2, n], "i32") if c.coin(0.4) else None
    shift = shift if kind != "u8" else 0
    if what in ("insertion", "selection", "shell"):
        m, gap = min(n, 300), c.pick((1, 4, 13)) if what == "shell" else 1
        m = max(m, gap + 2)
        keys = c.array(m, kind)
        if what == "selection":
            with c.loop(0, m - 1) as i:
                low = f"affine_map<(d0) -> (d0 + 1)>({i})"
                with c.carry(low, m, c.position(i), keys[i]) as loop:
                    value, (where, least) = keys[loop.index], loop.values
                    less = value < least
                    loop.next = [less.then(c.position(loop.index), where), less.then(value, least)]
                moved = keys[i]
                keys[i] = loop.out[1]
                keys[loop.out[0]] = moved
            return
        with c.loop(gap, m) as i:
            value = keys[i]
            ended = c.repeat(
                [c.position(i)],
                lambda v: (v[0] >= gap) & (keys[v[0].max(gap) - gap] > value),
                lambda v: _shifted(keys, v[0], gap),
            )
            keys[ended[0]] = value
        return

    def digit(key: Value) -> Value:
        return ((key >> shift if shift else key) & ((1 << bits) - 1)).to("index")

    if what != "move":
        with c.loop(0, n // lanes * lanes, lanes) as i:
            for lane in range(lanes):
                place = digit(keys[f"{i} + {lane}"])
                counts[c.position(lane), place] = counts[c.position(lane), place] + 1
    if what == "pass":
        with c.carry(0, 1 << bits, c.known(0, "u32")) as loop:
            total = loop.values[0]
            for lane in range(lanes):
                held = counts[lane, loop.index]
                counts[lane, loop.index] = total
                total = total + held
            loop.next = [total]
    if what in ("move", "pass"):
        with c.loop(0, n) as i:
            key = keys[i]
            place = digit(key)
            target = counts[c.position(0), place]
            counts[c.position(0), place] = target + 1
            sorted_[(target % n).to("index")] = key
            if payload:
                payload[c.position(1), (target % n).to("index")] = payload[0, i]


def _shifted(keys: Array, at: Value, gap: int) -> list[Value]:
    keys[at] = keys[at - gap]
    return [at - gap]


def _followed(c: Code) -> None:
    """Lists followed, trees climbed, heaps sifted, hash tables probed, breadth-first fronts, filters of bits."""
    n, m = 1 << c.rng.randint(3, 12), c.size(2, 1000)
    what, kind = c.pick(("list", "parents", "heap", "probe", "front", "bloom", "chains")), c.pick(("u32", "u64", "u16"))
    nexts, keys, out = c.array(n, kind), c.array(m, kind), c.array(m, kind)
    values, limit = c.array(n, kind), c.size(4, 64)

    def at(v: Value) -> Value:
        return (v & (n - 1)).to("index")

    def mixed(key: Value) -> Value:
        return (key * 40503) ^ (key >> 7)

    with c.loop(0, m) as i:
        key = keys[i]
        if what == "list":
            out[i] = c.total(limit, key, lambda _, v: nexts[at(v)])
        elif what == "parents":
            ended = c.repeat(
                [key, c.known(0, "i32")],
                lambda v: (c.known(1, "i1") ^ nexts[at(v[0])].same(v[0])) & (v[1] < limit),
                lambda v: [nexts[at(v[0])], v[1] + 1],
            )
            out[i] = ended[0]
        elif what == "heap":
            with c.carry(0, limit // 4 + 1, c.known(1, kind)) as loop:
                here = loop.values[0]
                child = here << 1
                right = values[at(child + 1)] < values[at(child)]
                lower = child + right.to(kind)
                a, b = values[at(here)], values[at(lower)]
                values[at(here)], values[at(lower)] = a.min(b), a.max(b)
                loop.next = [lower]
        elif what == "probe":
            ended = c.repeat(
                [mixed(key), c.known(0, "i32")],
                lambda v: (c.known(1, "i1") ^ nexts[at(v[0])].same(key)) & (v[1] < limit),
                lambda v: [v[0] + 1, v[1] + 1],
            )
            out[i] = values[at(ended[0])]
        elif what == "front":
            old = values[at(key)]
            fresh = old.same(0)
            values[at(key)] = fresh.then(c.known(limit, kind), old)
            out[i] = fresh.then(nexts[at(key)], 0)
        elif what == "bloom":
            first, second, hit = mixed(key), key >> 3, c.known(1, kind)
            for k in range(min(limit // 8 + 1, 5)):
                word = first + second * k
                hit = hit & (values[at(word)] >> (k + 1))
            out[i] = hit
        else:
            total = key
            for k in range(min(limit // 8 + 1, 6)):
                total = total + values[at(nexts[at(mixed(total) + k)])]
            out[i] = total


KERNELS = {
    "runs": _runs,
    "searches": _searches,
    "matches": _matches,
    "merges": _merges,
    "radix": _radix,
    "followed": _followed,
}
