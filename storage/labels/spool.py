"""Webhooks put aside as files while the label store's database does not take them: it is locked, full or away.

Label Studio waits one second and never asks again. A file is written aside, synced and renamed, so that a webhook is
either there as a whole or not at all. The files go into the inbox later, in the order of their arrival.
"""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from storage.labels.inbox import Inbox

SUFFIX = ".json"


class Spool:
    """A folder of webhooks, which is made when the first one comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, action: str, payload: dict[str, Any]) -> None:
        """Write a webhook, so that it survives a crash. Raises OSError where the disk does not take it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{time.time_ns():020d}-{uuid.uuid4().hex}{SUFFIX}"
        aside = path.with_suffix(".new")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"action": action, "payload": payload}, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        self._sync_folder()

    def move_into(self, inbox: Inbox) -> int:
        """Put every webhook into the inbox, oldest first, and return their number.

        After a crash between the two steps a webhook is put twice, which changes no label.
        """
        moved = 0
        for path in self._waiting():
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                action, payload = kept["action"], kept["payload"]
            except (ValueError, KeyError, TypeError):  # no webhook of ours: it must not hold up the others
                path.rename(path.with_suffix(".unreadable"))
                continue
            inbox.put(action, payload)
            path.unlink(missing_ok=True)
            moved += 1
        return moved

    def count(self) -> int:
        """How many webhooks wait in the folder."""
        return len(self._waiting())

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _sync_folder(self) -> None:
        """Make the new name survive a power cut too."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
