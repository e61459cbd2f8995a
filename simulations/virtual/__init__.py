"""The daemon's own trio driver, by the hundred, under virtual time and repeatable bit for bit."""
