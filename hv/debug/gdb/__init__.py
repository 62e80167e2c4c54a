"""The GDB server: the remote serial protocol of gdb's manual (appendix "GDB Remote Serial Protocol") for a Debugger.

server.py has the socket, session.py the table of packets; each other file is one subject. docs/gdb.md is for users.
"""
