"""Ceph's object gateway, which serves S3's API.

Ceph runs with one monitor, one disk in a file, and the gateway.

https://docs.ceph.com/en/pacific/install/manual-deployment/
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from contract.cloud import ACCESS_KEY, REGION, SECRET_KEY
from servers.machine import UnavailableError, await_port, find_port, install_debian, run, started, with_path

PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")

SETTINGS = """
[global]
fsid = {cluster}
mon_host = v2:127.0.0.1:{monitor_port}
public_addr = 127.0.0.1
# Only this machine reaches it, so keys and encryption are switched off.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
# One disk has everything once.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
plugin_dir = {libraries}/ceph
osd_class_dir = {libraries}/rados-classes
erasure_code_dir = {libraries}/ceph/erasure-code
run_dir = {folder}
admin_socket = {folder}/$name.asok
log_file = {folder}/$name.log
mon_data = {folder}/mon
osd_data = {folder}/osd
osd_objectstore = bluestore
bluestore_block_size = 8589934592
osd_memory_target = 939524096
# Without tcp_nodelay each answer to GET is held back for 48 ms.
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


@contextmanager
def start_rgw(cache: Path, folder: Path) -> Iterator[str]:
    """Start the gateway with its data in the folder; yield its URL.

    Raises:
        UnavailableError: The packages can't be installed here, or the gateway doesn't start.

    """
    root = install_debian(PACKAGES, cache / "ceph")
    libraries = next(root.glob("usr/lib/*-linux-gnu"), None)
    if libraries is None:
        raise UnavailableError(f"no libraries in {root}: is Ceph installed on this machine itself?")
    environ = with_path(root / "usr" / "bin") | {
        "LD_LIBRARY_PATH": f"{libraries}:{root / 'lib' / libraries.name}:{libraries / 'ceph'}",
        "PYTHONPATH": str(root / "usr/lib/python3/dist-packages"),
        "CEPH_CONF": str(folder / "ceph.conf"),
    }
    cluster, monitor_port, port = str(uuid.uuid4()), find_port(), find_port()
    (folder / "ceph.conf").write_text(
        SETTINGS.format(
            cluster=cluster, monitor_port=monitor_port, port=port, folder=folder, libraries=libraries
        )
    )
    with ExitStack() as daemons:
        address = f"[v2:127.0.0.1:{monitor_port}]"
        monitors = str(folder / "monitors")
        run(["monmaptool", "--create", "--fsid", cluster, "--addv", "a", address, monitors], environ)
        (folder / "mon").mkdir()
        run(["ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors], environ)
        daemons.enter_context(started(["ceph-mon", "-f", "-i", "a"], environ, folder / "mon.out"))
        await_port(monitor_port, folder / "mon.out")
        disk = str(uuid.uuid4())
        run(["ceph", "osd", "new", disk], environ)
        (folder / "osd").mkdir()
        run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk], environ)
        daemons.enter_context(started(["ceph-osd", "-f", "-i", "0"], environ, folder / "osd.out"))
        keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
        run(["radosgw-admin", "user", "create", "--uid", "tests", "--display-name", "tests", *keys], environ)
        run(
            ["radosgw-admin", "zonegroup", "modify", "--rgw-zonegroup", "default", "--api-name", REGION],
            environ,
        )
        gateway = ["radosgw", "-f", "-n", "client.rgw"]
        daemons.enter_context(started(gateway, environ, folder / "rgw.out"))
        await_port(port, folder / "rgw.out")
        yield f"http://127.0.0.1:{port}"
