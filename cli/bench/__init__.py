"""`p2pnoise bench`: our side and what you would use instead, in one run, as ratios. It reports and asserts nothing."""
