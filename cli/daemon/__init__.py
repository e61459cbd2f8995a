"""What a running node has beside the node itself: its configuration, its control socket, its logs, its services."""
