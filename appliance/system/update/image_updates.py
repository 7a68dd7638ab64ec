"""What the sandboxed service knows of updates of the image, and how it orders one: by files in its state directory."""

from msgspec import Struct

from appliance.core.operations.update import RunningRoot, Update, UpdateOrder, after_start
from appliance.core.refusal import Code, Refused
from appliance.system.update.image_root import NO_IMAGE
from appliance.system.update.update_folder import UpdateFolder


class ImageUpdates(Struct, frozen=True):
    """The updates of this computer. `root`: the root that runs; `None`: this is not the image. `boot`: this boot."""

    folder: UpdateFolder
    root: RunningRoot | None
    boot: str

    def obstacle(self) -> str | None:
        """Why nothing can be updated here; `None`: it can."""
        return NO_IMAGE if self.root is None else None

    def running(self) -> RunningRoot | None:
        """The root that runs; `None`: there is only one."""
        return self.root

    def latest(self) -> Update | None:
        """The latest update; `None`: there was none."""
        update = None if self.root is None else self.folder.update()
        if update is None or self.root is None:
            return None
        return after_start(update, self.root, self.boot, self.folder.why())

    def looked_at(self) -> str:
        """When the appliance last looked for an update by itself; empty: never."""
        return self.folder.latest_look().at

    def is_ordered(self) -> bool:
        """Whether an order has not been taken yet."""
        return self.folder.has_order

    def order(self, order: UpdateOrder) -> None:
        """Order it. Raises `Refused` where the order cannot be written."""
        try:
            self.folder.put_order(order)
        except OSError as error:
            text = (
                f"the order cannot be written to {self.folder.path}: {error.strerror}; is the card full or read-only?"
            )
            raise Refused(Code.MAINTENANCE, text) from None
