"""The trio side of a node: the task that drives its core, its carriers, and the face that an application sees."""
