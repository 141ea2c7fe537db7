"""What a race needs of the machine: limits on memory and disk, a fast disk, an empty page cache.

Everything is a context manager that leaves the machine as it was, however its body ends.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time


class MachineError(Exception):
    """One sentence: what the machine does not let us do, and what to do about it."""


def call(*command):
    """Runs a system tool to its end."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise MachineError(f"{command[0]} is missing; install it, or leave out the case") from None
    if result.returncode != 0:
        raise MachineError(f"{' '.join(command)} failed: {result.stderr.strip()}")
    return result.stdout.strip()


def put(path, value):
    """Writes a setting of the kernel."""
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError as error:
        raise MachineError(f"{path} cannot be set to {value}: {error.strerror}") from None


def drop_page_cache():
    """Makes the next reader of any file go to the disk."""
    os.sync()
    put("/proc/sys/vm/drop_caches", 3)


class Disk:
    """The whole disk that holds a file: limits and read-ahead belong to it, not to a partition."""

    def __init__(self, path):
        number = os.stat(path).st_dev
        entry = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
        if not os.path.isdir(entry):
            raise MachineError(f"{path} lies on no block device of its own; copy it to a disk")
        if os.path.exists(f"{entry}/partition"):
            entry = os.path.dirname(entry)
        self.entry = entry
        with open(f"{entry}/dev", encoding="ascii") as file:
            self.number = file.read().strip()

    @contextlib.contextmanager
    def read_ahead(self, kibibytes):
        """Sets how far the kernel reads ahead of a program that maps files."""
        path = f"{self.entry}/queue/read_ahead_kb"
        with open(path, encoding="ascii") as file:
            before = file.read().strip()
        put(path, kibibytes)
        try:
            yield
        finally:
            put(path, before)


def controller(name):
    """Where new groups of a cgroup controller go, and the version of its interface."""
    with open("/proc/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1:4] for line in file]
    old = "blkio" if name == "io" else name
    for place, kind, options in mounts:
        if kind == "cgroup" and old in options.split(","):
            return place + own_group(old), 1
    for place, kind, _ in mounts:
        if kind != "cgroup2":
            continue
        with open(f"{place}/cgroup.controllers", encoding="ascii") as file:
            if name in file.read().split():
                put(f"{place}/cgroup.subtree_control", f"+{name}")
                return place, 2
    raise MachineError(f"no cgroup controller '{name}' here; leave out the cases with limits")


def own_group(name):
    """The group of version 1 that this process is in; groups below it share its limits."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if name in controllers.split(","):
                return "" if path == "/" else path
    return ""


class Group:
    """The cgroups that a program is started in."""

    def __init__(self, folders):
        self.folders = folders

    def enter(self):
        """To be called in the child before it becomes the program; it dies with its parent."""
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        for folder in self.folders:
            put(f"{folder}/cgroup.procs", os.getpid())


@contextlib.contextmanager
def group(memory=None, disks=(), read_rate=None):
    """Cgroups that hold programs to so many bytes of memory, and bytes per second of each disk."""
    folders = []
    try:
        if memory:
            folder, version = make_group("memory", folders)
            name = "memory.limit_in_bytes" if version == 1 else "memory.max"
            put(f"{folder}/{name}", int(memory))
        if read_rate:
            folder, version = make_group("io", folders)
            for disk in disks:
                if version == 1:
                    limit = f"{disk.number} {int(read_rate)}"
                    put(f"{folder}/blkio.throttle.read_bps_device", limit)
                else:
                    put(f"{folder}/io.max", f"{disk.number} rbps={int(read_rate)}")
        yield Group(folders)
    finally:
        for folder in folders:
            remove_group(folder)


def make_group(name, folders):
    """A new group of a controller; in version 2 one group serves all controllers."""
    root, version = controller(name)
    folder = f"{root}/race-{os.getpid()}"
    if folder not in folders:
        os.mkdir(folder)
        folders.append(folder)
    return folder, version


def remove_group(folder):
    """The kernel lets a group go some time after the last process of it has ended."""
    for _ in range(100):
        try:
            return os.rmdir(folder)
        except OSError:
            time.sleep(0.1)
    raise MachineError(f"the cgroup {folder} cannot be removed; end what runs in it")


@contextlib.contextmanager
def ram_disk(path):
    """A block device in memory with a copy of a file: a disk faster than most. Yields the copy.

    A loop device with direct I/O on a file of a tmpfs: reads of the file system on it cost what
    they cost on a disk, and go through the block layer, which can hold them to a rate.
    """
    byte_count = os.path.getsize(path)
    device_size = (byte_count + byte_count // 50 + (128 << 20)) >> 20 << 20
    require_memory(2 * device_size)
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="race-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        backing, place = f"{folder}/backing", f"{folder}/disk"
        os.mkdir(backing)
        os.mkdir(place)
        mount(stack, backing, "-t", "tmpfs", "-o", f"size={device_size + (1 << 20)}", "tmpfs")
        image = f"{backing}/image"
        with open(image, "wb") as file:
            file.truncate(device_size)
        device = call("losetup", "--find", "--show", "--direct-io=on", image)
        stack.callback(call, "losetup", "--detach", device)
        call("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", device)
        mount(stack, place, device)
        copy = f"{place}/{os.path.basename(path)}"
        shutil.copyfile(path, copy)
        drop_page_cache()
        yield copy


def mount(stack, place, *arguments):
    """Mounts something for as long as the stack lives."""
    call("mount", *arguments, place)
    stack.callback(unmount, place)


def unmount(place):
    """What has just been read may be in use for a moment longer."""
    for attempt in range(50):
        try:
            return call("umount", place)
        except MachineError:
            if attempt == 49:
                raise
            time.sleep(0.1)


def require_memory(byte_count):
    """Refuses what would make the machine swap or kill."""
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file)
    available = int(fields["MemAvailable"].split()[0]) << 10
    if available < byte_count:
        raise MachineError(
            f"a disk in memory needs {byte_count >> 20} MiB free, but the machine has "
            f"{available >> 20}; leave out the cases of the RAM disk")
