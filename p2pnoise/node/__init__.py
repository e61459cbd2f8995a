"""Node: the core that joins cards, links and gossip, and the one trio driver that does its I/O."""
