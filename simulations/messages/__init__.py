"""Messages: ten thousand overlays, the same as in a node, that hand each other messages as values in virtual time.

What is real: the overlay with all its exchanges, cards, grants, records and lists as they are signed and encoded, each
verified from its bytes, once for all nodes that judge alike. What is not: there are no connections, handshakes, frames
and encryption, links are drawn and not dialled, and items travel by reference, with the size that they would have.
"""
