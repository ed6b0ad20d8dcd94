"""A private folder for compiled kernels, empty at launch, so that what is new in it was compiled here and now."""

import fcntl
import os
import shutil
import tempfile

PREFIX = "lockstep-kernels-"
LOCK = "in-use"
# What the compilers obey, and the folder of each. What the lane's environment sets stays.
FOLDERS = {"TRITON_CACHE_DIR": "triton", "TORCHINDUCTOR_CACHE_DIR": "inductor"}
# A kernel as the device takes it: compiled by Triton, or by the C++ compiler.
KERNEL_FILES = {"triton": ".cubin", "cpp": ".so"}


class KernelCache:
    """To be made before torch is imported. The folder of a process that is gone is removed by the next."""

    def __init__(self):
        self._remove_abandoned(tempfile.gettempdir())
        self._folder = tempfile.mkdtemp(prefix=PREFIX)
        # Held as long as this process lives, however it ends.
        self._lock = open(os.path.join(self._folder, LOCK + ".new"), "wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(self._lock.name, os.path.join(self._folder, LOCK))
        self.is_private = True
        for variable, name in FOLDERS.items():
            if variable in os.environ:
                self.is_private = False
                continue
            os.environ[variable] = os.path.join(self._folder, name)
            os.mkdir(os.environ[variable])

    def close(self):
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def kernels(kind):
        """The kernel files there are now."""
        variable = "TRITON_CACHE_DIR" if kind == "triton" else "TORCHINDUCTOR_CACHE_DIR"
        found = set()
        for folder, _, files in os.walk(os.environ[variable]):
            found.update(os.path.join(folder, name) for name in files if name.endswith(KERNEL_FILES[kind]))
        return found

    @staticmethod
    def _remove_abandoned(parent):
        for name in os.listdir(parent):
            path = os.path.join(parent, name)
            if not name.startswith(PREFIX):
                continue
            try:
                with open(os.path.join(path, LOCK), "rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            except OSError:
                # In use, just being made, or being removed by another.
                continue
