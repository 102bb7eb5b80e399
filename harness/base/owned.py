"""Whose files may say what is run (git's ``safe.directory`` is the model)."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.base.message import message

#: The variable of folders whose files are trusted whoever may write them, as PATH has them.
TRUSTED = "TEKUTOKO_SAFE_DIRECTORY"


class NotOwn(BadInput):
    """A file that says what is run, and that another user may have written."""


def own(path: Path) -> None:
    """Check that nobody else can have written a file that says what is run, or have put it into its folder.

    Both must belong to this user, to root or to whoever owns this repository, and no other may write them. A folder is
    asked as a file is, a device or pipe is not; in a sticky one, as /tmp is, nobody replaces another's file. Raises
    ``NotOwn``, ``OSError`` where it cannot be looked at.
    """
    owners, real = {os.geteuid(), 0, ROOT.stat().st_uid}, path.resolve()
    trusted = [ROOT, *(Path(each).resolve() for each in os.environ.get(TRUSTED, "").split(os.pathsep) if each)]
    for each in {path.parent.resolve(), real.parent, real} if real.is_file() or real.is_dir() else ():
        found = each.stat()
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        others = 0 if sticky else 0o002 if _of_one(found.st_gid) else 0o022
        if (found.st_uid not in owners or found.st_mode & others) and not any(map(each.is_relative_to, trusted)):
            what = message("{path} is another user's or may be written by one, and says what is run", path=str(each))
            remedy = message("if you know what is in it: chown it, chmod go-w it, or name it in {name}", name=TRUSTED)
            raise NotOwn(what, where=str(path), remedy=remedy)


def _of_one(gid: int) -> bool:
    """Whether a group is this user's own, as many systems give each user one."""
    try:
        group, name = grp.getgrgid(gid), pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    return group.gr_name == name and {*group.gr_mem} <= {name}
