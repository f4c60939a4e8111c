"""Machines that lose their power under load: what was acknowledged is on the disk.

Each process has its home on an ext4 file system of its own in a loop device. The file system is shut down as a power failure
would, without flushing anything, its process is killed, and both come back. It strikes one machine, or all of them at once. Needs root and loop mounts; skipped where they are
forbidden. DURATION (30 s) says how long, SEED which random choices.
"""

import fcntl
import os
import signal
import struct
import subprocess
import tempfile
import unittest

from crash_model import SEED, ModelTest
from harness import Cluster, ROOT, free_port_base, kill, main, pid_of, run, wait_until

DURATION = float(os.environ.get("DURATION", "30"))
IMAGE_BYTES = 2 << 30
BACKENDS = 3
# _IOR('X', 125, __u32), and the flag that drops the journal too.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


def mount(image, at):
    os.makedirs(at, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True, capture_output=True)


def make(image, at):
    with open(image, "wb") as f:
        f.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
    mount(image, at)


def cut_power(at):
    """Nothing that is not on the disk by now gets there."""
    fd = os.open(at, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(fd)


def forbidden():
    """Why file systems cannot be mounted here, if so."""
    with tempfile.TemporaryDirectory() as trial:
        at = os.path.join(trial, "at")
        try:
            make(os.path.join(trial, "image"), at)
        except (OSError, subprocess.CalledProcessError) as e:
            return str(e)
        try:
            cut_power(at)
        except OSError as e:
            return str(e)
        finally:
            subprocess.run(["umount", at], check=True)
    return None


class PowerCluster(Cluster):
    def __init__(self):  # pylint: disable=super-init-not-called
        self.dir = tempfile.mkdtemp(prefix="mirrorship-power-")
        self.images = tempfile.mkdtemp(prefix="mirrorship-images-")
        self.homes = [os.path.join(self.dir, name) for name in ["fe1"] + [f"be{i + 1}" for i in range(BACKENDS)]]
        for home in self.homes:
            make(self.image(home), home)
        self.script("up", "--fe", "1", "--be", str(BACKENDS), "--port-base", str(free_port_base()))
        # What the set-up wrote is no part of the test.
        os.sync()
        self.read()

    def image(self, home):
        return os.path.join(self.images, os.path.basename(home))

    def lose_power(self, processes):
        """Machines go dark, and are switched on again."""
        pids = [pid_of(process) for process in processes]
        for process in processes:
            cut_power(process["home"])
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in processes:
            home = process["home"]
            wait_until(f"{home} is free", lambda at=home: subprocess.run(["umount", at], check=False, capture_output=True).returncode == 0)
            mount(self.image(home), home)
        for process in processes:
            run(os.path.join(ROOT, f"bin/start_{process['role']}.sh"), "--home", process["home"], "--daemon")
        wait_until("the frontend answers", lambda: self.sql("SELECT 1") == ((1,),))
        self.wait_alive()

    def close(self):
        self.script("down", check=False)
        for process in self.processes:
            kill(process)
        for home in self.homes:
            subprocess.run(["umount", home], check=False)
        if not os.environ.get("KEEP"):
            subprocess.run(["rm", "-rf", self.dir, self.images], check=False)


class Power(ModelTest):
    @classmethod
    def setUpClass(cls):
        reason = forbidden()
        if reason:
            raise unittest.SkipTest(f"file systems cannot be mounted here: {reason}")
        print(f"SEED={SEED} DURATION={DURATION:.0f}", flush=True)
        cls.cluster = PowerCluster()
        cls.cluster.wait_alive()

    def strike(self):
        everything = [self.cluster.frontend] + self.cluster.backends
        struck = everything if self.random.random() < 0.3 else [self.random.choice(everything)]
        self.cluster.lose_power(struck)
        names = " ".join(os.path.basename(process["home"]) for process in struck)
        return names, "power cut of all" if len(struck) > 1 else "power cut"

    def test_what_was_acknowledged_is_on_the_disk(self):
        self.work_through(self.strike, DURATION)


if __name__ == "__main__":
    main()
