"""The commands: one module a verb, with its options and what it does."""
