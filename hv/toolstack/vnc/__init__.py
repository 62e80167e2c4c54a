"""A VNC server: the screen of a guest, its keyboard and its mouse, by the RFB protocol.

`server.py` has the sockets, `session.py` one client's conversation (bytes in, bytes out, no socket), `keys.py` what a
client's keys are called here. See docs/vnc.md.
"""
