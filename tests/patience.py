"""Patience: how long a test waits for what it expects, wherever real processes, sockets or threads take their time.

It is no fact about any of them: a test that holds does not wait so long, and one that fails fails either way.
"""

PATIENCE = 90  # seconds that anything may take on a busy machine
