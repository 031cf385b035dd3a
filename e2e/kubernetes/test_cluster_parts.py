"""Parts of the test cluster that need no cluster."""

import tarfile
from pathlib import Path

import pytest
from cluster import Unsuitable, load
from cluster.images import CATALOGUE
from cluster.local import archives, binaries, requirements
from cluster.local.cgroups import Hierarchies

UPSTREAM = """
module k8s.io/kubernetes

go 1.24.0

godebug (
	default=go1.24
	winsymlink=0
)

require k8s.io/api v0.0.0

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/cri-client => ./staging/src/k8s.io/cri-client
)
"""

VERSION_1 = """\
30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 29 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 29 0:28 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
33 29 0:29 / {unified} rw,relatime - cgroup2 cgroup2 rw
"""


def test_go_mod_takes_every_library_at_the_version_that_was_published_with_this_kubernetes() -> None:
    written = binaries.module_file("1.34.4", UPSTREAM)

    assert "require k8s.io/kubernetes v1.34.4" in written
    assert "replace k8s.io/api => k8s.io/api v0.34.4" in written
    assert "replace k8s.io/cri-client => k8s.io/cri-client v0.34.4" in written
    assert "staging" not in written


def test_go_mod_keeps_the_language_version_and_the_switches_of_kubernetes() -> None:
    written = binaries.module_file("1.34.4", UPSTREAM)

    assert "\ngo 1.24.0\n" in written
    assert "winsymlink=0" in written


def test_cgroup_v1_is_read_from_the_mounts_with_the_empty_tree_of_v2_beside_it(tmp_path: Path) -> None:
    unified = tmp_path / "unified"
    unified.mkdir()
    (unified / "cgroup.controllers").write_text("\n")
    (tmp_path / "mountinfo").write_text(VERSION_1.format(unified=unified))

    found = Hierarchies.read(tmp_path / "mountinfo")

    assert found.version == 1
    assert found.by_controller["cpuacct"] == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert set(found.by_controller) == {"cpu", "cpuacct", "memory"}
    assert {root.name for root in found.roots} == {"cpu,cpuacct", "memory", "systemd", "unified"}


def test_cgroup_v2_is_read_from_the_mounts(tmp_path: Path) -> None:
    unified = tmp_path / "cgroup"
    unified.mkdir()
    (unified / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (tmp_path / "mountinfo").write_text(
        f"30 29 0:26 / {unified} rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
    )

    found = Hierarchies.read(tmp_path / "mountinfo")

    assert found.version == 2
    assert set(requirements.CONTROLLERS) <= set(found.by_controller)
    assert found.roots == [unified]


def test_a_cache_that_the_node_could_not_see_is_refused_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEMWARDEN_E2E_CACHE", "/var/lib/cache")
    settings = load(via="local")

    with pytest.raises(Unsuitable, match="MEMWARDEN_E2E_CACHE=") as refused:
        requirements.check_cache(settings, binaries.locate(settings))
    assert "\n" not in str(refused.value)


def test_the_image_of_one_program_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")

    for name in ("first", "second"):
        archives.write_single_file_image(tmp_path / name, "memwarden.test/one:1", program)

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    with tarfile.open(tmp_path / "first") as archive:
        assert set(archive.getnames()) == {"manifest.json", "config.json", "layer.tar"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_image_of_the_catalogue_has_what_it_is_made_from(name: str) -> None:
    image = CATALOGUE[name]

    assert "Containerfile" in [file.name for file in image.files()]
    named = (image.folder, *image.sources, *image.made_from)
    assert [source for source in named if not (image.root / source).exists()] == []


@pytest.mark.parametrize("version", ["latest", "1.34", "1.34.4; rm"])
def test_what_is_no_version_of_kubernetes_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="no version of Kubernetes"):
        load(kubernetes=version)
