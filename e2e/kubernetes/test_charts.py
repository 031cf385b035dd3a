"""The charts as text: what they make for several values, whether the API server takes it, and what they refuse."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cluster.product import version
from cluster.settings import KUBERNETES

from memwarden_operator.controller.rights import ALERT_FILES, ALERTS, RULES

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

CHARTS = Path(__file__).resolve().parents[2] / "charts"
MEMWARDEN, KINDS = CHARTS / "memwarden", CHARTS / "memwarden-crds"
NAMESPACE = "memwarden-as-text"
OWN_DATABASE = {"database": {"existingSecret": "mine", "trial": {"enabled": False}}}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "a database of the user's": OWN_DATABASE,
    "several of each": {
        "collector": {"replicas": 3},
        "injector": {"replicas": 3, "environment": "Variables"},
    },
    "a mirror, a secret, a class": {
        "images": {
            "registry": "mirror.example/all",
            "tag": "1.2.3",
            "collector": {"digest": "sha256:" + "a" * 64},
        },
        "imagePullSecrets": [{"name": "mirror"}],
        "priorityClassName": "system-cluster-critical",
        "commonLabels": {"team": "platform"},
    },
    "snapshots on a volume": {"collector": {"snapshots": {"enabled": True}}},
    "snapshots in the pod": {
        "collector": {"snapshots": {"enabled": True, "persistence": {"enabled": False}}}
    },
    "what leaks may be sent away": {"rbac": {"remediation": True}},
    "alerts without the Prometheus operator": {
        "alerts": {
            "prometheusURL": "http://prometheus.monitoring.svc:9090",
            "alertmanagerURL": "http://alertmanager.monitoring.svc:9093",
            "labels": {"release": "stack", "team": "shop"},
            "configMaps": True,
            "historyFrom": [{"name": "alertmanager", "namespace": "monitoring"}],
        }
    },
    "nothing optional": {
        "rbac": {"create": False},
        "networkPolicy": {"enabled": False},
        "injector": {"podDisruptionBudget": {"enabled": False}},
        "database": {"trial": {"persistence": {"enabled": False}}},
    },
}
"""The kinds of cert-manager and of the Prometheus operator are not in the test cluster: text alone is looked at."""
FOREIGN = {"certificates": {"certManager": {"enabled": True}}, "serviceMonitor": {"enabled": True}}


class Helm:
    def __init__(self, command: list[str], folder: Path) -> None:
        self.command = command
        self.folder = folder
        self.namespace = NAMESPACE

    def template(self, values: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        words = [
            "template",
            "memwarden",
            MEMWARDEN,
            "--namespace",
            self.namespace,
            "--kube-version",
            KUBERNETES,
        ]
        return subprocess.run(
            [*self.command, *map(str, words), "--values", str(file), *more],
            capture_output=True,
            text=True,
            check=False,
        )

    def objects(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        made = self.template(values, "--skip-tests")
        assert made.returncode == 0, made.stderr
        return [found for found in yaml.safe_load_all(made.stdout) if found]


@pytest.fixture
def charts(helm: list[str], tmp_path: Path) -> Helm:
    return Helm(helm, tmp_path)


def templates(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods that these objects make."""
    jobs = [made["spec"]["jobTemplate"]["spec"]["template"] for made in objects if made["kind"] == "CronJob"]
    return jobs + [made["spec"]["template"] for made in objects if "template" in made.get("spec", {})]


def containers(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        container
        for pod in templates(objects)
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    ]


def by_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


@pytest.mark.parametrize("chart", [MEMWARDEN, KINDS], ids=lambda chart: chart.name)
def test_helm_finds_nothing_wrong_and_the_version_is_that_of_the_product(
    helm: list[str], chart: Path
) -> None:
    subprocess.run([*helm, "lint", "--strict", "--kube-version", KUBERNETES, str(chart)], check=True)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == version()


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_api_server_takes_every_object_with_every_field(
    charts: Helm, namespace: "Namespace", values: dict[str, Any]
) -> None:
    charts.namespace = namespace.name
    objects = charts.objects(values)
    kubectl = [*namespace.cluster.kubectl, "--namespace", namespace.name]
    taken = subprocess.run(
        [*kubectl, "apply", "--dry-run=server", "--validate=strict", "--filename=-"],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        check=False,
    )
    assert taken.returncode == 0, taken.stderr
    assert len(taken.stdout.splitlines()) == len(objects)


@pytest.mark.parametrize("values", [*VALUES.values(), FOREIGN], ids=[*VALUES, "foreign kinds"])
def test_every_pod_is_restricted_bounded_and_without_a_token_that_it_did_not_ask_for(
    charts: Helm, values: dict[str, Any]
) -> None:
    objects = charts.objects(values)
    for pod in templates(objects):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["enableServiceLinks"] is False
    for container in containers(objects):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    for account in by_kind(objects, "ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False
    for volume in (volume for pod in templates(objects) for volume in pod["spec"].get("volumes", [])):
        assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


def test_no_pod_matches_both_entries_of_the_webhook_and_none_of_ours_or_the_systems_one(charts: Helm) -> None:
    (made,) = by_kind(
        charts.objects({"injector": {"excludedNamespaces": ["legacy"]}}), "MutatingWebhookConfiguration"
    ).values()

    # VPA's is called vpa-webhook-config: what it sets must be there when we look.
    assert made["metadata"]["name"] > "vpa-webhook-config"
    by_label, by_namespace = made["webhooks"]
    assert by_label["objectSelector"] == {"matchLabels": {"memwarden.dev/inject": "true"}}
    assert by_namespace["objectSelector"] == {
        "matchExpressions": [{"key": "memwarden.dev/inject", "operator": "DoesNotExist"}]
    }
    assert by_namespace["namespaceSelector"]["matchLabels"] == {"memwarden.dev/inject": "true"}
    for entry in made["webhooks"]:
        (excluded,) = entry["namespaceSelector"]["matchExpressions"]
        assert excluded == {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": ["kube-system", "kube-node-lease", NAMESPACE, "legacy"],
        }
        assert entry["failurePolicy"] == "Ignore"
        assert entry["timeoutSeconds"] == 2
        assert entry["reinvocationPolicy"] == "IfNeeded"
        (rule,) = entry["rules"]
        assert (rule["operations"], rule["resources"]) == (["CREATE"], ["pods"])
        assert [condition["name"] for condition in entry["matchConditions"]] == ["no-mirror-of-a-static-pod"]


def test_rights_are_split_and_none_is_for_everything(charts: Helm) -> None:
    objects = charts.objects({})
    roles = {**by_kind(objects, "ClusterRole"), **{f"in {k}": v for k, v in by_kind(objects, "Role").items()}}

    rules = [(name, rule) for name, role in roles.items() for rule in role["rules"]]
    for name, rule in rules:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], name
        assert "secrets" not in rule["resources"] or rule["resourceNames"], name
    who_evicts = [name for name, rule in rules if "pods/eviction" in rule["resources"]]
    assert who_evicts == ["memwarden-controller-evicts-stuck-pods"]
    resources = {
        resource for name, rule in rules if name == "memwarden-collector" for resource in rule["resources"]
    }
    assert resources == {"tokenreviews", "subjectaccessreviews"}
    kubelets = charts.objects({"collector": {"kubelets": {"enabled": True}}})
    assert "nodes/proxy" in str(by_kind(kubelets, "ClusterRole")["memwarden-collector"])
    without = charts.objects({"rbac": {"evictStuckPods": False, "aggregate": False}})
    gone = set(by_kind(objects, "ClusterRole")) - set(by_kind(without, "ClusterRole"))
    assert gone == {*who_evicts, "memwarden-view", "memwarden-edit"}
    assert not [made for made in charts.objects(VALUES["nothing optional"]) if "Role" in made["kind"]]


def test_what_leaks_is_touched_only_where_that_is_switched_on(charts: Helm) -> None:
    def switched(**rbac: bool) -> tuple[set[str], bool]:
        objects = charts.objects({"rbac": rbac})
        spec = by_kind(objects, "Deployment")["memwarden-controller"]["spec"]["template"]["spec"]
        roles = {*by_kind(objects, "ClusterRole"), *by_kind(objects, "ClusterRoleBinding")}
        return roles, "--remediation=true" in spec["containers"][0]["args"]

    without, obeyed = switched()
    assert not obeyed
    assert "memwarden-controller-remediates" not in without
    roles, obeyed = switched(remediation=True)
    assert obeyed
    assert roles - without == {"memwarden-controller-remediates"}
    # Whoever withholds the one right keeps the other.
    roles, _ = switched(remediation=True, evictStuckPods=False)
    assert without - roles == {"memwarden-controller-evicts-stuck-pods"}
    assert "memwarden-controller-remediates" in roles


def test_evidence_is_for_who_administers_a_namespace_where_that_is_switched_on(charts: Helm) -> None:
    without, with_it = (
        by_kind(charts.objects({"rbac": {"aggregate": False, "snapshots": on}}), "ClusterRole")
        for on in (False, True)
    )
    assert set(with_it) - set(without) == {"memwarden-snapshots"}
    role = with_it["memwarden-snapshots"]
    assert role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-admin"] == "true"
    assert [rule["resources"] for rule in role["rules"]] == [["heapsnapshots"]]
    views = [made for name, made in without.items() if not name.startswith("memwarden-controller")]
    assert not any("heapsnapshots" in rule["resources"] for made in views for rule in made["rules"])


def test_credentials_of_prometheus_and_alertmanager_are_mounted_from_secrets(charts: Helm) -> None:
    given = {"alerts": {"prometheusSecret": "prom", "alertmanagerSecret": "alert"}}
    spec = by_kind(charts.objects(given), "Deployment")["memwarden-controller"]["spec"]["template"]["spec"]
    secrets = {one["name"]: one["secret"]["secretName"] for one in spec["volumes"] if "secret" in one}
    assert {"prometheus": "prom", "alertmanager": "alert"}.items() <= secrets.items()
    mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
    for who in ("prometheus", "alertmanager"):
        assert f"--{who}-credentials={mounts[who]}" in spec["containers"][0]["args"]


def test_the_controller_has_the_rights_that_its_code_names_and_no_other(charts: Helm) -> None:
    everything = {"rbac": {"remediation": True}, "alerts": {"configMaps": True}}
    roles = by_kind(charts.objects(everything), "ClusterRole")
    granted = {
        (group, resource, verb)
        for name in (
            "memwarden-controller",
            "memwarden-controller-evicts-stuck-pods",
            "memwarden-controller-remediates",
            "memwarden-controller-makes-alerts",
            "memwarden-controller-makes-alert-files",
        )
        for rule in roles[name]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    used = {
        (rule.group, resource, verb)
        for rule in (*RULES, *ALERTS, *ALERT_FILES)
        for resource in rule.resources
        for verb in rule.verbs
    }
    assert granted == used


def test_images_come_from_where_they_are_said_to_be(charts: Helm) -> None:
    objects = charts.objects(VALUES["a mirror, a secret, a class"])
    images = {container["image"] for container in containers(objects)}
    mirror = "mirror.example/all/memwarden"
    assert f"{mirror}-collector@sha256:{'a' * 64}" in images
    assert f"{mirror}-operator:1.2.3" in images
    (injector,) = by_kind(objects, "Deployment")["memwarden-injector"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert f"--sidecar-image={mirror}-sidecar:1.2.3" in injector["args"]
    for pod in templates(objects):
        assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]


def test_several_injectors_stand_on_several_nodes_and_one_controller_decides(charts: Helm) -> None:
    deployments = by_kind(charts.objects({}), "Deployment")
    injector, controller = (
        deployments["memwarden-injector"]["spec"],
        deployments["memwarden-controller"]["spec"],
    )
    assert injector["replicas"] == 2
    assert (
        injector["template"]["spec"]["topologySpreadConstraints"][0]["topologyKey"]
        == "kubernetes.io/hostname"
    )
    assert (controller["replicas"], controller["strategy"]) == (1, {"type": "Recreate"})
    assert (
        by_kind(charts.objects({}), "PodDisruptionBudget")["memwarden-injector"]["spec"]["maxUnavailable"]
        == 1
    )


@pytest.mark.parametrize("values", ["snapshots on a volume", "snapshots in the pod"])
def test_a_folder_of_snapshots_is_on_a_volume_that_one_collector_has_at_a_time(
    charts: Helm, values: str
) -> None:
    objects = charts.objects(VALUES[values])
    spec = by_kind(objects, "Deployment")["memwarden-collector"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (folder,) = (word for word in container["args"] if word.startswith("--snapshot-folder="))
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "snapshots")
    (volume,) = (volume for volume in spec["template"]["spec"]["volumes"] if volume["name"] == "snapshots")
    claims = by_kind(objects, "PersistentVolumeClaim")

    assert folder.startswith(f"--snapshot-folder={mount['mountPath']}/")
    assert spec["strategy"] == {"type": "Recreate"}
    # A new volume is root's; the pod's group may write it.
    assert spec["template"]["spec"]["securityContext"]["fsGroup"] == 65532
    claimed = volume.get("persistentVolumeClaim", {}).get("claimName")
    assert (claimed in claims) is (values == "snapshots on a volume")


def test_no_probe_but_that_of_the_start_counts_before_a_part_has_started(charts: Helm) -> None:
    for name, path in (("collector", "/startupz"), ("controller", "/healthz")):
        spec = by_kind(charts.objects({}), "Deployment")[f"memwarden-{name}"]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert container["startupProbe"]["httpGet"]["path"] == path
        assert "initialDelaySeconds" not in container["livenessProbe"]


def test_certificates_and_monitors_by_others_kinds(charts: Helm) -> None:
    objects = charts.objects(FOREIGN)
    assert set(by_kind(objects, "Certificate")) == {
        "memwarden-authority",
        "memwarden-injector",
        "memwarden-collector",
    }
    assert not by_kind(objects, "Job")
    assert not by_kind(objects, "CronJob")
    (webhook,) = by_kind(objects, "MutatingWebhookConfiguration").values()
    assert webhook["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": f"{NAMESPACE}/memwarden-injector"
    }
    assert set(by_kind(objects, "ServiceMonitor")) == {"memwarden-collector"}
    given = charts.objects(
        {
            "certificates": {
                "certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "ours"}}
            }
        }
    )
    assert {made["spec"]["issuerRef"]["name"] for made in by_kind(given, "Certificate").values()} == {"ours"}
    assert not by_kind(given, "Issuer")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"colector": {}}, "colector"),
        ({"collector": {"replicas": "many"}}, "replicas"),
        ({"injector": {"environment": "Magic"}}, "environment"),
        ({"images": {"collector": {"digest": "latest"}}}, "digest"),
        ({"database": {"trial": {"enabled": False}}}, "database.existingSecret"),
        ({"collector": {"replicas": 2, "snapshots": {"enabled": True}}}, "collector.replicas"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(charts: Helm, values: dict[str, Any], named: str) -> None:
    refused = charts.template(values)
    assert refused.returncode != 0
    assert named in refused.stderr


def test_every_value_is_in_the_schema_and_every_one_of_the_schema_has_a_default() -> None:
    schema = json.loads((MEMWARDEN / "values.schema.json").read_text())
    values = yaml.safe_load((MEMWARDEN / "values.yaml").read_text())

    def names(schema: dict[str, Any], values: Any, path: str = "") -> None:
        listed = schema.get("properties")
        if listed is None or schema.get("additionalProperties") is not False or path.endswith(".resources"):
            return
        assert set(values) == set(listed) - {"global"}, path
        for name, value in values.items():
            names(listed[name], value, f"{path}.{name}")

    names(schema, values)


def test_kinds_stay_when_their_chart_goes(helm: list[str]) -> None:
    made = subprocess.run(
        [*helm, "template", "kinds", str(KINDS), "--kube-version", KUBERNETES],
        capture_output=True,
        text=True,
        check=True,
    )
    objects = [found for found in yaml.safe_load_all(made.stdout) if found]
    assert {found["kind"] for found in objects} == {"CustomResourceDefinition"}
    assert {found["metadata"]["annotations"]["helm.sh/resource-policy"] for found in objects} == {"keep"}
