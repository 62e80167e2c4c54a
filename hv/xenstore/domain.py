"""The nodes that a guest expects below /local/domain/N, as Xen's toolstack writes them.

Facts: docs/misc/xenstore-paths.pandoc; permissions as tools/libs/light/libxl_create.c sets them.
"""

from dataclasses import dataclass

from hv.xenstore.errors import StoreError
from hv.xenstore.paths import domain_path
from hv.xenstore.permissions import PRIVILEGED, Access, Permission
from hv.xenstore.store import Store

#: Nodes that the guest itself may write: it owns them.
GUEST_OWNED = (
    "control/shutdown", "control/feature-poweroff", "control/feature-reboot", "control/feature-suspend",
    "control/sysrq", "device/suspend/event-channel", "data", "drivers", "feature", "attr", "error",
)
#: Nodes that it may only read; `device` and `memory` get their contents from others.
READ_ONLY = ("cpu", "memory", "device", "control", "console", "store")


@dataclass(frozen=True, slots=True)
class DomainNodes:
    """What the nodes say. Memory in KiB; rings by machine frame and event channel."""

    domid: int
    name: str
    uuid: str
    vcpus: int
    memory: int
    max_memory: int
    store_frame: int
    store_port: int
    console_frame: int
    console_port: int

    def values(self) -> dict[str, str]:
        """Path below the domain's own -> value."""
        return {
            "name": self.name,
            "domid": str(self.domid),
            "vm": f"/vm/{self.uuid}",
            "memory/static-max": str(self.max_memory),
            "memory/target": str(self.memory),
            "memory/videoram": "0",
            "console/backend-id": "0",
            "console/type": "xenconsoled",
            "console/output": "pty",
            "console/limit": "1048576",
            "console/ring-ref": str(self.console_frame),
            "console/port": str(self.console_port),
            "store/ring-ref": str(self.store_frame),
            "store/port": str(self.store_port),
            **{f"cpu/{n}/availability": "online" for n in range(self.vcpus)},
            "control/platform-feature-multiprocessor-suspend": "1",
            "control/platform-feature-xs_reset_watches": "1",
        }


def write_nodes(store: Store, nodes: DomainNodes) -> None:
    """Make a domain's nodes, as domain 0. Existing ones are replaced."""
    base = domain_path(nodes.domid)
    store.remove_if_there(base)
    read_only = (Permission(Access.NONE, PRIVILEGED), Permission(Access.READ, nodes.domid))
    owned = (Permission(Access.NONE, nodes.domid),)
    for path in (base, f"/vm/{nodes.uuid}"):
        store.mkdir(PRIVILEGED, path)
        store.set_permissions(PRIVILEGED, path, read_only)
    store.write(PRIVILEGED, f"/vm/{nodes.uuid}/name", nodes.name.encode())
    store.write(PRIVILEGED, f"/vm/{nodes.uuid}/uuid", nodes.uuid.encode())
    # Nodes made below the domain's own inherit its permissions.
    for name in READ_ONLY:
        store.mkdir(PRIVILEGED, f"{base}/{name}")
    for name in GUEST_OWNED:
        store.write(PRIVILEGED, f"{base}/{name}", b"")
        store.set_permissions(PRIVILEGED, f"{base}/{name}", owned)
    for name, value in nodes.values().items():
        store.write(PRIVILEGED, f"{base}/{name}", value.encode())


def remove_nodes(store: Store, domid: int) -> None:
    """Remove a domain's nodes, as domain 0, with its /vm entry. No error if there are none."""
    base = domain_path(domid)
    try:
        vm = store.read(PRIVILEGED, f"{base}/vm").decode()
    except StoreError:
        vm = ""
    for path in (vm, base):
        if path:
            store.remove_if_there(path)
