"""Guest tests: build guests from one C file each, run them, read their verdicts (design, section 9)."""
