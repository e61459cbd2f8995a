"""A node's folder: its files read, watched, and run as a node. What a person can mend is a `Fault`."""
