"""Compiled code from the descriptions in `propagator.physics`.

A description runs on numbers that record (`recorded_numbers`), the record is regrouped (`regrouping`) and written as
source (`lane_emitter`). `python -m gnomon.propagator.codegen` writes the modules that are kept among the sources; a
test compares them. Nothing imports this package at run time.
"""
