"""Networks for emulated network cards: what is at the other end of a card's cable.

`port.py` is that end, with frames under way; `switch.py` a switch between domains, `nat.py` a small network of its own
with a way out, which `host.py` serves with the host's sockets. `headers.py` knows packets, `pcap.py` writes them down.
docs/adr/0007 says what of this belongs to the machine and what to the host.
"""
