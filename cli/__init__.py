"""Command line: words for people. Answers on stdout, narration on stderr, and every error names the next step."""
