"""Two Ray nodes on this machine, each with one processor, until stdin closes.

    python ray_nodes.py

Prints the cluster's address. Then takes one order a line on stdin and answers when it is done: `worker` kills a worker
process that has work, `node` kills the second node with all its workers, if it can while one has work, and starts
another in its place, `head` kills the first node, `gcs` only the process of it that knows the cluster.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

STORE = 100 << 20  # bytes of the object store
# Workers find the modules of the tests beside what they are told to, and each is one of two on a busy machine.
os.environ |= {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]),
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
}


def working(raylets: set[int]) -> list[int]:
    """Processes that run a task, below one of `raylets`."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            title = (place / "cmdline").read_bytes()
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if title.startswith(b"ray::_work") and parent in raylets:
            found.append(int(place.name))
    return sorted(found)


def busy(nodes: Iterable[Any]) -> list[int]:
    """The workers of `nodes` that have work, as soon as there are any; none after a while without."""
    raylets = {node.all_processes["raylet"][0].process.pid for node in nodes}
    end = time.monotonic() + 20
    while not (found := working(raylets)) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def kill_worker(cluster: Cluster) -> None:
    os.kill(busy(cluster.list_all_nodes())[0], signal.SIGKILL)


def kill_node(cluster: Cluster) -> None:
    node = next(iter(cluster.worker_nodes))
    busy([node])  # one that took another's place may still be starting
    cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(wait=False, num_cpus=1, object_store_memory=STORE)


def kill_head(cluster: Cluster, kinds: str = "raylet gcs_server") -> None:
    for kind in kinds.split():
        os.kill(cluster.head_node.all_processes[kind][0].process.pid, signal.SIGKILL)


def kill_gcs(cluster: Cluster) -> None:
    kill_head(cluster, "gcs_server")


def main() -> None:
    """Start the nodes and obey."""
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    orders = {"worker": kill_worker, "node": kill_node, "head": kill_head, "gcs": kill_gcs}
    for line in sys.stdin:
        orders[line.strip()](cluster)
        sys.stdout.write("done\n")
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
