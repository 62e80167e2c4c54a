"""The domain builder: kernel files in, domains ready to run out.

`image` says what a kernel file is made of, `load` reads one, `notes` understands Xen's notes, `pv` builds a
paravirtual domain. Everything that is wrong with an input is a `BuilderError` of one line.
"""
