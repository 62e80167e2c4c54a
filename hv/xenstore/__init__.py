"""xenstore: the small tree of configuration values that domains and their back ends share.

`store.Store` is the tree with its watches and transactions, `requests` gives the messages their meaning, `ring`
carries them over a domain's shared page, `daemon.Xenstored` ties these together. Facts: docs/misc/xenstore.txt and
xen/include/public/io/xs_wire.h of Xen; where those are silent, what Xen 4.17's xenstored does.
"""
