"""How xenstore refuses: by the name of an errno, which is what goes over the wire."""


class StoreError(Exception):
    """A refused request. `name` is what the client is told ("ENOENT"), `reason` is for people."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
