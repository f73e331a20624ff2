"""What a body has stored last at each place, while nothing may have overwritten it (`EarlyCSE`, `GVN`)."""

from __future__ import annotations

from featurizers.mlir.nest import Access, Moving, Nest


class Kept:
    """Of the body that is read: values by buffer, and there by the constant of places that move alike."""

    __slots__ = ("external", "nest", "places")

    def __init__(self) -> None:
        self.nest: Nest | None = None
        self.places: dict[int, tuple[Moving, dict[int, int]]] = {}
        self.external: set[int] = set()

    def store(self, nest: Nest, access: Access, value: int) -> None:
        """A store, which may be to any other buffer from outside and to places of its own that move in another way."""
        if nest is not self.nest:
            self.nest = nest
            self.places.clear()
            self.external.clear()
        base, moving = access.base, access.moving
        if access.external:
            for other in self.external - {base}:
                self.places.pop(other, None)
            self.external = {base}
        if moving is None or access.lanes > 1:
            self.places.pop(base, None)
            return
        known = self.places.get(base)
        if known is None or known[0] != moving:
            self.places[base] = moving, {access.constant: value}
        else:
            known[1][access.constant] = value

    def load(self, nest: Nest, access: Access) -> int | None:
        """The value that a load finds, if the body has stored it."""
        if nest is not self.nest:
            return None
        known = self.places.get(access.base)
        if known is None or known[0] != access.moving or access.lanes > 1:
            return None
        return known[1].get(access.constant)
