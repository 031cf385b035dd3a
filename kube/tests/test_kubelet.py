"""Is what a real kubelet said read as it was meant? `data/cadvisor.txt` was recorded from Kubernetes 1.34.4."""

from pathlib import Path

import pytest

from memwarden_kube.kubelet import read_cadvisor

RECORDED = (Path(__file__).parent / "data" / "cadvisor.txt").read_text().split("\n")
UID = "279ca737-1e37-4ea6-aacb-31634767d52f"
ID = "2c9948a4bdcd42445cc2ddca09a736aa5d5fab1756fc9ff383fde15ae1e9a3cd"


def test_a_recorded_answer_has_its_one_container_and_neither_pods_nor_pauses() -> None:
    (use,) = read_cadvisor(RECORDED)
    assert (use.namespace, use.pod, use.pod_uid, use.container) == ("default", "quiet", UID, "app")
    assert use.life == ID[:12]
    assert use.at == 1795303488.724
    assert use.values == {
        "anon_bytes": 44613632.0,
        "limit_bytes": 96 << 20,
        "cpu_seconds": 0.055849717,
        "oom_events": 0.0,
    }


def line(id: str, value: str = "5e+06 1795303488724", container: str = "app", more: str = "") -> str:
    return (
        f'container_memory_rss{{container="{container}",id="{id}",{more}namespace="shop",pod="cart"}} {value}'
    )


@pytest.mark.parametrize(
    ("id", "uid"),
    [
        (f"/kubepods/pod{UID}/{ID}", UID),
        (f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{ID}.scope", UID),
        (f"/kubepods/burstable/pod{UID.replace('-', '')}/crio-{ID}", UID.replace("-", "")),
    ],
)
def test_each_way_of_naming_control_groups_is_known(id: str, uid: str) -> None:
    (use,) = read_cadvisor([line(id, more='image="a\\"b,{}",')])
    assert (use.pod_uid, use.life) == (uid, ID[:12])


def test_a_container_without_a_limit_has_none() -> None:
    without = line(f"/kubepods/pod{UID}/{ID}", "0").replace("memory_rss", "spec_memory_limit_bytes")
    (use,) = read_cadvisor([line(f"/kubepods/pod{UID}/{ID}"), without])
    assert use.values == {"anon_bytes": 5e6}


@pytest.mark.parametrize(
    "bad",
    [
        line("/system.slice/sshd.service"),
        line(f"/kubepods/pod{UID}/{ID}", "NaN 1"),
        line(f"/kubepods/pod{UID}/{ID}", "-1 1795303488724"),
        line(f"/kubepods/pod{UID}/{ID}", "1e300 1795303488724"),
        line(f"/kubepods/pod{UID}/{ID}", "one 1795303488724"),
        line(f"/kubepods/pod{UID}/{ID}", ""),
        line(f"/kubepods/pod{UID}/{ID}", "5e+06"),  # nobody knows when
        line(f"/kubepods/pod{UID}/{ID}")[:60],
        'container_memory_rss{container="app"} 5',
        "container_memory_rss{",
        "\x00",
    ],
)
def test_what_can_not_be_used_is_left_out(bad: str) -> None:
    assert read_cadvisor([bad]) == []
