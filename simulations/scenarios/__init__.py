"""Scenarios: the questions that ship, one file each, with the last answer that was recorded."""
