"""Sequences: alignments, paths through tables, knapsacks, sorting networks, the best few, and what reads one by one."""

from __future__ import annotations

import random

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.groups import Group
from costmodel.mlir.generators.searching import KERNELS
from costmodel.mlir.generators.structures import drawn, paired
from costmodel.mlir.generators.values import Value
from costmodel.mlir.generators.writer import is_float


def sequences(rng: random.Random) -> Group:
    """Alignments, Viterbi, min-plus products, knapsacks, runs, searches, automata, sorting, merges, hashing."""
    return drawn("sequences", _KERNELS, rng)


def _alignment(c: Code) -> None:
    """Distances and scores of two sequences by rows that roll or whole tables: edits, subsequences, gaps, warping."""
    kind, n, m = c.pick(("i16", "i32", "i32", "f32", "f64", "i8")), c.size(4, 200), c.size(4, 200)
    what = c.pick(("edit", "subsequence", "global", "local", "local", "affine", "warp", "substring"))
    many, rolling, scored = c.pick((1, 1, 8)), c.coin(0.6) != c.alternative, c.coin(0.4)
    letters = "f32" if what == "warp" and is_float(kind) else c.pick(("i8", "u8", "i32"))
    a, b, best = c.array([many, n], letters), c.array([many, m], letters), c.array(many, kind)
    matrix, row = c.array([32, 32], kind), c.array(m + 1, kind)
    table = None if rolling else c.array([n + 1, m + 1], kind)
    gaps = c.array(m + 1, kind) if what == "affine" else None

    def fresh(x: Value, y: Value, corner: Value, up: Value, left: Value, j: str) -> Value:
        same = x.same(y)
        if what == "edit":
            return (up.min(left) + 1).min(corner + same.then(c.known(0, kind), 1))
        if what == "subsequence":
            return same.then(corner + 1, up.max(left))
        if what == "substring":
            return same.then(corner + 1, 0)
        if what == "warp":
            cost = (x - y).abs().to(kind) if letters != "u8" else (x.to("i32") - y.to("i32")).abs().to(kind)
            return cost + corner.min(up.min(left))
        if scored and not is_float(letters):
            at = [(v.to("u" + letters[1:]) & 31).to("index") for v in (x, y)]
            score = matrix[at[0], at[1]]
        else:
            score = same.then(c.known(2, kind), -1)
        value = corner + score
        if gaps is None:
            value = value.max(up.max(left) - 1)
        else:
            gap = (gaps[j] - 1).max(up - 3)
            gaps[j] = gap
            value = value.max(gap).max(left - 2)
        return value.max(0) if what in ("local", "affine") else value

    most_wanted = what in ("local", "affine", "substring")
    with c.loop(0, many) as s:
        top = c.known(0, kind)
        with c.carry(1, n + 1, top) as rows:
            i, last = rows.index, rows.values[0]
            x = a[s, f"{i} - 1"]
            if table is not None:
                with c.carry(1, m + 1, last) as inside:
                    j = inside.index
                    corner, up, left = (
                        table[at] for at in ((f"{i} - 1", f"{j} - 1"), (f"{i} - 1", j), (i, f"{j} - 1"))
                    )
                    value = fresh(x, b[s, f"{j} - 1"], corner, up, left, j)
                    table[i, j] = value
                    inside.next = [inside.values[0].max(value)]
                rows.next = inside.out
            else:
                with c.carry(1, m + 1, row[0], c.position(i).to("i64").to(kind), last) as inside:
                    corner, left, most = inside.values
                    j = inside.index
                    up = row[j]
                    value = fresh(x, b[s, f"{j} - 1"], corner, up, left, j)
                    row[j] = value
                    inside.next = [up, value, most.max(value)]
                rows.next = inside.out[2:]
        best[s] = rows.out[0] if most_wanted else row[m] if table is None else table[n, m]


def _paths(c: Code) -> None:
    """Most likely and total paths through states (Viterbi, forward), with back pointers; paths down a grid."""
    kind, n, states = c.pick(("f32", "f32", "f64", "i32", "i16")), c.size(4, 300), c.size(2, 48)
    what, pointers = c.pick(("viterbi", "viterbi", "forward", "grid", "trellis", "beam")), c.coin(0.4)
    scores, costs, steps = c.array([n, states], kind), c.array([states, states], kind), c.array([n, states], kind)
    back, turned = c.array([n, states], "i32"), c.coin()
    if what in ("grid", "beam"):
        with c.loop(1, n) as t, c.loop(1, max(states - 1, 2)) as s:
            near = [steps[f"{t} - 1", f"{s} + {d}"] for d in ((-1, 0, 1) if what == "beam" and states > 2 else (-1, 0))]
            least = near[0]
            for value in near[1:]:
                least = least.min(value)
            steps[t, s] = least + scores[t, s]
        return
    with c.loop(1, n) as t, c.loop(0, states) as s:
        if what == "forward":
            total = c.total(states, c.known(0, kind), lambda p, v: v + steps[f"{t} - 1", p] * costs[p, s])
            steps[t, s] = total * scores[t, s]
        elif what == "trellis":
            low = steps[f"{t} - 1", f"({s} * 2) mod {states}"] + costs[s, 0]
            high = steps[f"{t} - 1", f"({s} * 2 + 1) mod {states}"] + costs[s, 1]
            steps[t, s] = low.min(high)
            back[t, s] = (high < low).to("i32")
        else:
            with c.carry(0, states, c.known(-9999, kind), c.known(0, "i32")) as loop:
                value = steps[f"{t} - 1", loop.index] + (costs[s, loop.index] if turned else costs[loop.index, s])
                most = loop.values[0]
                if pointers:
                    more = value > most
                    this = c.position(loop.index).to("i32")
                    loop.next = [more.then(value, most), more.then(this, loop.values[1])]
                else:
                    loop.next = [most.max(value), loop.values[1]]
            steps[t, s] = loop.out[0] + scores[t, s]
            if pointers:
                back[t, s] = loop.out[1]


def _shortest(c: Code) -> None:
    """Products of least sums and the like, edges relaxed, closures of bits, chains of intervals."""
    kind, n, what = (
        c.pick(("i32", "f32", "i16", "f64")),
        c.size(3, 90),
        c.pick(("product", "product", "edges", "closure", "chain", "bottleneck")),
    )
    d, e, out = c.arrays(3, [n, n], kind)
    if what == "edges":
        count, nodes, index = c.size(8, 3000), c.size(4, 500), c.pick(("i32", "u16"))
        ends, costs, far = c.array([count, 2], index), c.array(count, kind), c.array(nodes, kind)
        with c.loop(0, count) as k:
            tail, head = ((ends[k, q].to("u" + index[1:]) % nodes).to("index") for q in (0, 1))
            through, old = far[tail] + costs[k], far[head]
            if c.alternative:
                with c.when(through < old):
                    far[head] = through
            else:
                far[head] = old.min(through)
    elif what == "closure":
        words = max(n // 16, 1)
        reach = c.array([n, words], "u64")
        with c.loop(0, n) as k, c.loop(0, n) as i:
            on = ((reach[i, f"{k} floordiv 64" if words * 64 > n else "0"] >> 3) & 1).same(1)
            with c.loop(0, words) as w:
                reach[i, w] = on.then(reach[i, w] | reach[k, w], reach[i, w])
    elif what == "chain":
        with c.loop(2, n) as length, c.loop(0, f"affine_map<(d0) -> ({n} - d0)>({length})") as i:
            j = f"{i} + {length}"

            def split(k: str, v: Value) -> Value:
                middle = f"{i} + {k} + 1"
                return v.min(d[i, middle] + d[middle, j] + e[i, middle])

            d[i, j] = c.total(f"affine_map<(d0) -> (d0 - 1)>({length})", c.known(9999, kind), split)
    else:
        folds, joins = c.pick((("min", "add"), ("max", "add"), ("max", "min"), ("min", "max")))
        inner_last = c.alternative
        with c.loop(0, n) as i:
            if inner_last:
                with c.loop(0, n) as k, c.loop(0, n) as j:
                    out[i, j] = c.binary(folds, out[i, j], c.binary(joins, d[i, k], e[k, j]))
            else:
                with c.loop(0, n) as j:
                    out[i, j] = c.total(
                        n, out[i, j], lambda k, v: c.binary(folds, v, c.binary(joins, d[i, k], e[k, j]))
                    )


def _knapsack(c: Code) -> None:
    """Knapsacks, coins, best sums of parts, longest increasing parts, stocks, houses."""
    kind, items, room = c.pick(("i32", "i32", "f32", "i64", "i16")), c.size(2, 60), c.size(8, 600)
    what = c.pick(("once", "often", "coins", "subarray", "increasing", "stocks", "skips", "table"))
    values, best, x = c.array(items, kind), c.array(room + 1, kind), c.array(room, kind)
    weights = [c.rng.randint(1, max(room // 2, 2)) for _ in range(min(items, 6))]
    if what in ("once", "often", "coins"):
        written = c.coin(0.4)

        def take(place: str, less: str, value: Value) -> None:
            best[place] = best[place] + best[less] if what == "coins" else best[place].max(best[less] + value)

        if written:
            for number, weight in enumerate(weights):
                with c.loop(0, room + 1 - weight) as r:
                    place = f"{room} - {r}" if what == "once" else f"{r} + {weight}"
                    less = f"{room - weight} - {r}" if what == "once" else r
                    take(place, less, values[number % items])
            return
        heavy = c.array(items, "u16")
        with c.loop(0, items) as t:
            own = (heavy[t] % room).to("index")
            with c.loop(0, room) as r:
                here = c.position(f"{room} - {r}" if what == "once" else r)
                if c.alternative:
                    with c.when(own <= here):
                        best[here] = best[here].max(best[here - own] + values[t])
                else:
                    fits = own <= here
                    source = fits.then(here - own, here)
                    best[here] = best[here].max(best[source] + fits.then(values[t], 0))
    elif what == "table":
        table, weight = c.array([items + 1, room + 1], kind), weights[0]
        with c.loop(1, items + 1) as t, c.loop(weight, room + 1) as r:
            kept, taken = table[f"{t} - 1", r], table[f"{t} - 1", f"{r} - {weight}"] + values[f"{t} - 1"]
            table[t, r] = kept.max(taken)
    elif what == "increasing":
        with c.loop(1, room) as i:
            most = c.total(f"affine_map<(d0) -> (d0)>({i})", c.known(0, kind),
                           lambda j, v: (x[j] < x[i]).then(v.max(best[j]), v))  # fmt: skip
            best[i] = most + 1
    else:
        with c.carry(0, room, c.known(0, kind), c.known(-99, kind)) as loop:
            value, (first, second) = x[loop.index], loop.values
            if what == "subarray":
                here = (first + value).max(value) if not c.alternative else first.max(0) + value
                loop.next = [here, second.max(here)]
            elif what == "stocks":
                loop.next = [first.max(second + value), second.max(first - value)]
            else:
                loop.next = [second.max(first), first + value]
        best[0] = loop.out[0].max(loop.out[1])


def _exchange(a: Value, b: Value, select: bool) -> tuple[Value, Value]:
    if select:
        smaller = a < b
        return smaller.then(a, b), smaller.then(b, a)
    return a.min(b), a.max(b)


def batcher(count: int) -> list[tuple[int, int]]:
    """The exchanges of Batcher's odd-even merge sort."""
    out, p = [], 1
    while p < count:
        k = p
        while k >= 1:
            for j in range(k % p, count - k, 2 * k):
                for i in range(min(k, count - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        out.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return out


def _network(c: Code) -> None:
    """Sorting networks of three to sixteen, on rows, columns, arguments, pairs; medians; bitonic loops."""
    kind, count, rows = (
        c.pick(("i32", "f32", "i16", "u8", "f64", "i64")),
        c.pick((3, 4, 5, 6, 8, 8, 12, 16)),
        c.size(1, 500),
    )
    what, down, select = (
        c.pick(("rows", "rows", "scalars", "pairs", "bitonic", "top")),
        c.coin(0.4),
        c.coin() != c.alternative,
    )
    if what == "bitonic":
        n = 1 << c.rng.randint(2, 9)
        x = c.array(n, kind)
        for size in (1 << s for s in range(1, c.rng.randint(2, 4))):
            span = size
            while span >= 1:
                with c.loop(0, n // (2 * span)) as g, c.loop(0, span) as k:
                    first, second = f"{g} * {2 * span} + {k}", f"{g} * {2 * span} + {k} + {span}"
                    x[first], x[second] = _exchange(x[first], x[second], select)
                span //= 2
        return
    pairs = batcher(count)
    if what == "scalars":
        values = [c.scalar(kind) for _ in range(count)]
        for a, b in pairs:
            values[a], values[b] = _exchange(values[a], values[b], select)
        c.results = values if c.coin() else [values[count // 2]]
        return
    shape = [count, rows] if down else [rows, count]
    x, payload = c.array(shape, kind), c.array(shape, "i32")
    with c.loop(0, rows) as r:
        at = [(str(k), r) if down else (r, str(k)) for k in range(count)]
        values = [x[place] for place in at]
        others = [payload[place] for place in at] if what == "pairs" else []
        for a, b in pairs:
            if others:
                smaller = values[a] < values[b]
                for held in (values, others):
                    held[a], held[b] = smaller.then(held[a], held[b]), smaller.then(held[b], held[a])
            else:
                values[a], values[b] = _exchange(values[a], values[b], select)
        kept = max(count // 3, 1) if what == "top" else count
        for place, value in zip(at[:kept], values, strict=False):
            x[place] = value
        for place, value in zip(at, others, strict=False):
            payload[place] = value


def _best(c: Code) -> None:
    """The largest few kept in registers while reading; positions of extremes; ranks by counting."""
    kind, n, k = c.pick(("i32", "f32", "f64", "i16", "u8")), c.size(8, 4000), c.rng.randint(2, 8)
    what, rows = c.pick(("top", "arg", "rank", "second", "modes")), c.pick((1, 1, 20))
    x, out, ids = c.array([rows, n], kind), c.array([rows, max(k, 2)], kind), c.array([rows, n], "i32")
    low = c.known(0 if kind[0] == "u" else -99, kind)
    with c.loop(0, rows) as r:
        if what == "rank":
            most = min(n, 300)
            with c.loop(0, most) as i:
                ids[r, i] = c.total(most, c.known(0, "i32"), lambda j, v: v + (x[r, j] < x[r, i]).to("i32"))
            return
        if what == "arg":
            with c.carry(0, n, low, c.known(0, "i32")) as loop:
                value, (best, where) = x[r, loop.index], loop.values
                more = value > best
                loop.next = [best.max(value) if c.alternative else more.then(value, best),
                             more.then(c.position(loop.index).to("i32"), where)]  # fmt: skip
            out[r, 0], ids[r, 0] = loop.out[0], loop.out[1]
            return
        with c.carry(0, n, *[low] * (2 if what == "second" else k)) as loop:
            value, after = x[r, loop.index], []
            for held in loop.values:
                after.append(held.max(value))
                value = held.min(value)
            loop.next = after
        for number, value in enumerate(loop.out):
            out[r, number] = value
        if what == "modes":
            ids[r, 0] = paired([value.same(loop.out[0]).to("i32") for value in loop.out])


_KERNELS = {
    **KERNELS,
    "alignment": _alignment,
    "paths": _paths,
    "shortest": _shortest,
    "knapsack": _knapsack,
    "network": _network,
    "best": _best,
}
