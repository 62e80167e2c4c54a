"""The domain builder for x86: PV, PVH and HVM domains of kernel images and firmware, and what a PC's firmware is told.

What is wrong with an input is a `BuilderError` of one line (hv.builder.image).
"""
