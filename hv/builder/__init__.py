"""The domain builder, as far as it is the same everywhere: from a kernel file to a KernelImage.

`image` says what a kernel file is made of, `load` reads one, `notes` understands Xen's notes; a domain of it is built
by the architecture (hv/arch/NAME/boot.py). Everything that is wrong with an input is a `BuilderError` of one line.
"""
