"""Pass a store's reading calls on to another store."""

from __future__ import annotations

from renditions.core.ports import Store


class ReadThrough:
    """The base of a store that wraps another store and changes only how it writes.

    It passes the reading calls, except ``folding``, on to the wrapped store.
    """

    def __init__(self, store: Store) -> None:
        self.is_cheaper_to_list = store.is_cheaper_to_list
        self.list = store.list
        self.head = store.head
        self.get = store.get
        self.stream = store.stream
        self.has_folder = store.has_folder
        self.is_spelled = store.is_spelled
        self.obstacle = store.obstacle
        self.writer_of = store.writer_of
        self.registered = store.registered
        self.is_marked = store.is_marked
