"""A real Slurm on this machine: munged, slurmctld, and a slurmd for each node, without systemd.

    with Slurm(folder) as slurm:
        subprocess.run(["sbatch", ...], env=os.environ | slurm.environment)
        slurm.drain("node1")

Debian's packages are installed where they are missing (`install`). Nodes claim more cores and
memory than the machine has, so that jobs that ask for a cluster node's share fit; their GPUs are
ordinary files. Nothing accounts for what jobs use and nothing confines them.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.ports import claim_ports

PACKAGES = ("slurm-wlm", "munge")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
ReturnToService=2
MinJobAge=86400
KillWait=2
SlurmdTimeout=60
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""

NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
    "RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN"
)


def install() -> str | None:
    """Install what is missing; return why that is impossible, or None when all is there."""
    if all(_program(name) for name in PROGRAMS):
        return None
    if shutil.which("apt-get") is None:
        return "Slurm is not installed, and there is no apt-get to install it with"
    if os.geteuid() != 0:
        return "Slurm is not installed, and only root may install it"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], check=False, env=environment, **quiet)
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        return f"apt-get install {' '.join(PACKAGES)} failed: {done.stderr.strip()[-300:]}"
    return None


def why_not() -> str | None:
    """Return why Slurm cannot run here, or None. Installs it where it can."""
    if os.geteuid() != 0:
        return "slurmd without root cannot start jobs"
    return install()


class Slurm:
    """A cluster of `nodes` nodes; a context manager, or `start` and `stop`."""

    def __init__(
        self,
        folder: Path,
        nodes: int = 2,
        cpus: int = 16,
        memory_mb: int = 64_000,
        gpus: int = 2,
    ) -> None:
        self.folder = folder
        self.nodes = [f"node{number}" for number in range(nodes)]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        (folder / "state").mkdir(exist_ok=True)
        devices = [folder / f"gpu{number}" for number in range(gpus)]
        for device in devices:
            device.touch()
        host = socket.gethostname().partition(".")[0]
        ports = claim_ports(nodes + 1)
        rows = [
            NODE.format(name=name, host=host, port=port, cpus=cpus, memory_mb=memory_mb, gpus=gpus)
            for name, port in zip(self.nodes, ports[1:], strict=True)
        ]
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host, folder=folder, controller_port=ports[0], nodes="\n".join(rows)
            )
        )
        (folder / "gres.conf").write_text(
            "".join(f"Name=gpu File={device}\n" for device in devices)
        )
        # The executor plugin drops every SLURM_ variable before it calls srun, this one too.
        srun = folder / "bin/srun"
        srun.parent.mkdir(exist_ok=True)
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {_program("srun")} "$@"\n')
        srun.chmod(0o755)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Slurm's commands talk to this cluster."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every daemon and wait until all nodes are idle."""
        self._run_munged()
        self.start_controller(fresh=True)
        for name in self.nodes:
            self._launch(name, "slurmd", "-D", "-N", name)
        self.wait_until(lambda: self.states() == dict.fromkeys(self.nodes, "idle"), "idle nodes")

    def stop(self) -> None:
        """End every job and every daemon."""
        if "slurmctld" in self._processes:
            self.command("scancel", "--user=root", "--signal=KILL", "--full", check=False)
            self.command("scancel", "--user=root", check=False)
        for name in [*self.nodes, "slurmctld", "munged"]:
            self._end(name)

    def start_controller(self, *, fresh: bool = False) -> None:
        """Start the controller, as it was when it was ended unless `fresh`, and wait for it."""
        self._launch("slurmctld", "slurmctld", "-D", *(["-c"] if fresh else []))
        self.wait_until(
            lambda: self.command("scontrol", "ping", check=False).count("UP") > 0, "a controller"
        )

    def kill_controller(self) -> None:
        """End the controller without a warning; jobs go on."""
        self._end("slurmctld", gently=False)

    def drain(self, node: str) -> None:
        """Start no more jobs on a node."""
        self.command("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")

    def resume(self, node: str) -> None:
        """Start jobs on a node again."""
        self.command("scontrol", "update", f"nodename={node}", "state=resume")

    def jobs(self, states: str = "running") -> dict[str, str]:
        """Return the comment (rule and wildcards) of each job in these states, by its number."""
        out = self.command("squeue", "-h", "-t", states, "-o", "%i|%k")
        rows = (line.partition("|") for line in out.splitlines())
        return {number: comment for number, _, comment in rows}

    def job(self, number: str) -> dict[str, str]:
        """Return what Slurm knows about a job, by Slurm's own names."""
        out = self.command("scontrol", "--oneliner", "show", "job", number)
        return dict(word.split("=", 1) for word in out.split() if "=" in word)

    def states(self) -> dict[str, str]:
        """Return the state of every node."""
        out = self.command("sinfo", "-h", "-N", "-p", "cpu", "-o", "%N %t", check=False)
        return dict(line.split() for line in out.splitlines())

    def command(self, *words: str, check: bool = True) -> str:
        """Run one of Slurm's commands and return what it prints."""
        done = subprocess.run(
            words,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
        """Wait for a condition; fail with the daemons' logs when it does not come true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {what} after {seconds:.0f} s\n{self.logs()}")
            time.sleep(0.1)

    def logs(self) -> str:
        """Return the ends of the daemons' logs."""
        parts = []
        for path in sorted(self.folder.glob("*.log")):
            parts.append(f"{path.name}:\n{path.read_text(errors='replace')[-1500:]}")
        return "\n".join(parts)

    def _run_munged(self) -> None:
        folder = self.folder
        self._launch(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--key-file={folder}/munge.key",
            f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged.log",
            f"--seed-file={folder}/munged.seed",
        )
        self.wait_until((folder / "munge.socket").exists, "munge socket")

    def _launch(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / f"{name}.out.log").open("ab") as out:
            self._processes[name] = subprocess.Popen(
                [_program(program) or program, *arguments],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _end(self, name: str, *, gently: bool = True) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.terminate() if gently else process.kill()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it is gone, however it went."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
