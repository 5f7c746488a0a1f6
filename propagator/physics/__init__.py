"""The physics of the elements, said once, for every type of number.

`element_physics` describes each element; `frames`, `integrators` and `repetition` are what it is made of,
`number_types` what a type of number must have. `propagator.generic` runs programs of these descriptions, and
`propagator.codegen` writes compiled code from them.
"""
