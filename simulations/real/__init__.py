"""The simulated network in reality: processes with sockets, to compare with."""
