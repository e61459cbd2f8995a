"""What can be wrong with a node's database."""

from p2pnoise.errors import P2PNoiseError


class StoreError(P2PNoiseError):
    """The database cannot be used: foreign, torn, newer, locked, or the disk failed. `hint` is what to do next.

    Raised by opening, and the node does not start; raised by writing, and nothing of that batch was kept: the node
    stops, since what it would say next could not be remembered.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
