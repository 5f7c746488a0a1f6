"""The executor of a gated replay: predict, decide, write, measure and compare, one step at a time."""
