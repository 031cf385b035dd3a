"""What is done to a pod: by example, and properties that hold for any pod."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pods import INSTALLATION, TRUST, any_pod, applied, choice, container, pod, profile, resources

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfileSpec
from memwarden_operator.injector.inject import Injected, inject
from memwarden_operator.injector.namespace_limits import NamespaceLimits
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.resources import is_guaranteed
from memwarden_operator.injector.skips import REASONS, Skip


def injected(given: dict[str, Any], chosen: Any = None, **more: Any) -> dict[str, Any]:
    result = inject(given, chosen or choice(), INSTALLATION, **more)
    assert isinstance(result, Injected), result
    return applied(given, result.operations)


def skipped(given: dict[str, Any], chosen: Any = None, **more: Any) -> Skip:
    result = inject(given, chosen or choice(), INSTALLATION, **more)
    assert isinstance(result, Skip), result
    return result


def sidecar_of(given: dict[str, Any]) -> dict[str, Any]:
    [found] = [one for one in given["spec"]["initContainers"] if one["name"] == names.CONTAINER_SIDECAR]
    return found


def variables(one: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in one["env"]}


# ── Properties of any pod ────────────────────────────────────────────────────────────────────────────────
environments = st.sampled_from(["Preload", "Variables"])
any_limits = st.sampled_from(
    [
        NamespaceLimits(),
        NamespaceLimits.of(
            [
                {
                    "spec": {
                        "limits": [
                            {
                                "type": "Container",
                                "min": {"cpu": "50m"},
                                "max": {"memory": "64Mi", "cpu": "2"},
                            }
                        ]
                    }
                }
            ],
            [
                {
                    "status": {
                        "hard": {"limits.cpu": "4", "requests.memory": "1Gi"},
                        "used": {"limits.cpu": "1"},
                    }
                }
            ],
        ),
    ]
)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(any_pod, environments, any_limits)
def test_injecting_twice_is_injecting_once_and_nothing_of_the_user_s_goes(
    given: dict[str, Any], environment: str, limits: NamespaceLimits
) -> None:
    before = copy.deepcopy(given)
    chosen = choice(injection={"environment": environment, "minimumContainerMemory": "16Mi"})
    result = inject(given, chosen, INSTALLATION, limits)
    assert given == before, "the pod that was given is not touched"
    if isinstance(result, Skip):
        assert result.reason in REASONS
        return
    once = applied(given, result.operations)
    again = inject(once, chosen, INSTALLATION, limits)
    assert isinstance(again, Injected)
    assert again.operations == []
    is_ours = names.INJECTION in given["metadata"].get("annotations", {})
    assert_all_kept(given, once, is_ours)


def assert_all_kept(before: Any, after: Any, is_ours: bool) -> None:
    """Each value is where it was; lists only grow; of variables that are lists, ours has joined. Where we have been
    before, the user's init containers keep their order, and ours come after them."""
    ours = {names.CONTAINER_PROBES, names.CONTAINER_SIDECAR, names.VOLUME_TOKEN} if is_ours else set()
    if isinstance(before, dict):
        if before.get("name") in ours | {names.ENV_SOCKET}:
            return
        if before.get("name") in ("PYTHONPATH", "LD_PRELOAD"):
            assert (before.get("value") or "") in after.get("value", "")
            assert before.get("valueFrom") == after.get("valueFrom")
            return
        for key, value in before.items():
            if is_ours and key == "initContainers":
                assert_all_kept(users_of(value), users_of(after[key]), is_ours)
            elif not (is_ours and key in (names.INJECTION, "mountPath", "name")):
                assert_all_kept(value, after[key], is_ours)
    elif isinstance(before, list):
        for place, value in enumerate(before):
            assert_all_kept(value, after[place], is_ours)
    else:
        assert before == after


def users_of(containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in containers if one["name"] not in names.OUR_CONTAINERS]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(any_pod, any_limits)
def test_our_containers_never_ask_for_more_than_they_may_use_and_qos_stays(
    given: dict[str, Any], limits: NamespaceLimits
) -> None:
    from memwarden_api.quantities import quantity

    given["metadata"].pop("annotations", None)
    given["spec"].pop("resources", None)
    result = inject(given, choice(injection={"minimumContainerMemory": "16Mi"}), INSTALLATION, limits)
    if isinstance(result, Skip):
        return
    once = applied(given, result.operations)
    made = sidecar_of(once)["resources"]
    for name, requested in made["requests"].items():
        assert quantity(requested) <= quantity(made["limits"].get(name, requested)), made
    everyone = [*once["spec"]["containers"], *once["spec"]["initContainers"]]
    users = [*given["spec"]["containers"], *given["spec"].get("initContainers", [])]
    assert is_guaranteed(everyone) == is_guaranteed(users)


@pytest.mark.nightly
def test_both_hold_for_other_pods_each_night() -> None:
    often = settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    injecting = test_injecting_twice_is_injecting_once_and_nothing_of_the_user_s_goes.hypothesis.inner_test
    asking = test_our_containers_never_ask_for_more_than_they_may_use_and_qos_stays.hypothesis.inner_test
    often(given(any_pod, environments, any_limits)(injecting))()
    often(given(any_pod, any_limits)(asking))()


# ── By example ───────────────────────────────────────────────────────────────────────────────────────────
def test_a_pod_gets_probes_a_native_sidecar_and_three_variables() -> None:
    made = injected(pod())
    [app] = made["spec"]["containers"]
    assert variables(app) == {
        "MEMWARDEN_SOCKET": "/run/memwarden/probe.sock",
        "MEMWARDEN_CONTAINER": "app",
        "PYTHONPATH": "/opt/memwarden/python/inject",
    }
    assert all(mount["readOnly"] for mount in app["volumeMounts"])
    [sidecar] = made["spec"]["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("memwarden", "Always")
    [*_, target] = sidecar["lifecycle"]["postStart"]["exec"]["command"]
    mounted = {mount["mountPath"]: mount["name"] for mount in sidecar["volumeMounts"]}
    assert mounted[target] == "memwarden-probes"
    assert "--containers=app" in sidecar["args"]
    assert "startupProbe" not in sidecar, "the app must not wait for the sidecar"
    assert made["metadata"]["labels"][names.INJECTED] == "shop"
    assert made["metadata"]["annotations"][names.TRUST] == TRUST
    [token] = [volume for volume in made["spec"]["volumes"] if volume["name"] == names.VOLUME_TOKEN]
    [first, second] = token["projected"]["sources"]
    assert first["serviceAccountToken"]["audience"] == "memwarden-collector"
    assert (
        second["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] == f"metadata.annotations['{names.TRUST}']"
    )


def test_each_image_is_looked_into_as_the_app_runs_in_it() -> None:
    config = [{"configMapRef": {"name": "settings"}}]
    root = {"runAsUser": 0, "runAsNonRoot": False, "capabilities": {"add": ["NET_ADMIN"]}}
    given = pod(
        container("web"),
        container("worker"),
        container("log", image="log:1", imagePullPolicy="Always", envFrom=config, securityContext=root),
        container("own", image="own:1", env=[{"name": "LD_PRELOAD", "value": "/own.so"}]),
    )
    made = injected(given, choice(injection={"environment": "Preload"}))
    sidecar, first, second = made["spec"]["initContainers"]
    assert sidecar["name"] == "memwarden", "first: it brings what the others run"
    assert [(one["name"], one["image"]) for one in (first, second)] == [
        ("memwarden-image-1", "shop:1"),
        ("memwarden-image-2", "log:1"),
    ]
    assert (second["imagePullPolicy"], second["envFrom"]) == ("Always", config)
    assert second["securityContext"]["runAsUser"] == 0, "the image may want it"
    assert second["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert first["command"] == ["/opt/memwarden/lib/memwarden-look"]
    assert injected(given, choice(injection={"environment": "Variables"}))["spec"]["initContainers"] == [
        sidecar
    ]


def test_the_sidecar_is_told_whose_pod_it_is_and_how_it_is_to_be_judged() -> None:
    chosen = choice(sampling={"interval": "5s"}, detection={"sensitivity": "Eager", "warmUp": "1m"})
    sidecar = sidecar_of(injected(pod(), chosen))
    told = dict(pair.split("=", 1) for pair in variables(sidecar)["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    assert told["k8s.deployment.name"] == "shop"
    assert told["k8s.pod.label.pod-template-hash"] == "5d9c7b"
    assert told[names.PROFILE_NAME] == "shop"
    assert told[names.DETECTION_SENSITIVITY] == "high"
    assert told[names.DETECTION_WARM_UP] == "60"
    assert "--interval=5" in sidecar["args"]


def test_everything_of_ours_obeys_pod_security_restricted() -> None:
    for one_pod in (pod(), pod(securityContext={"runAsUser": 0})):
        for one in injected(one_pod)["spec"]["initContainers"]:
            context = one["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(("user", "ours"), [(0, 65532), (1000, None), (None, None)])
def test_a_user_id_of_our_own_only_where_the_pod_s_is_root(user: int | None, ours: int | None) -> None:
    given = pod(securityContext={} if user is None else {"runAsUser": user})
    assert sidecar_of(injected(given))["securityContext"].get("runAsUser") == ours


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, "OURS"),
        ({"env": [{"name": "PYTHONPATH", "value": "/app"}]}, "OURS:/app"),
        ({"env": [{"name": "PYTHONPATH", "value": ""}]}, "OURS"),
        ({"env": [{"name": "PYTHONPATH", "value": "/lib:OURS"}]}, "/lib:OURS"),
        ({"envFrom": [{"configMapRef": {"name": "c"}}]}, "OURS:$(PYTHONPATH)"),
        ({"env": [{"name": "PYTHONPATH", "value": "/a"}, {"name": "PYTHONPATH", "value": "/b"}]}, "OURS:/b"),
    ],
)
def test_the_path_that_the_user_has_stays(more: dict[str, Any], wanted: str) -> None:
    ours = "/opt/memwarden/python/inject"
    for variable in more.get("env", ()):
        variable["value"] = variable["value"].replace("OURS", ours)
    [app] = injected(pod(container(**more)))["spec"]["containers"]
    assert variables(app)["PYTHONPATH"] == wanted.replace("OURS", ours)


@pytest.mark.parametrize(
    ("theirs", "wanted"),
    [("", "OURS"), ("libjemalloc.so.2", "libjemalloc.so.2:OURS"), ("a b", "a b:OURS"), ("a OURS", "a OURS")],
)
def test_the_loader_comes_after_what_the_user_preloads(theirs: str, wanted: str) -> None:
    ours = "/opt/memwarden/lib/memwarden-preload.so"
    given = pod(container(env=[{"name": "LD_PRELOAD", "value": theirs.replace("OURS", ours)}]))
    [app] = injected(given, choice(injection={"environment": "Preload"}))["spec"]["containers"]
    assert variables(app)["LD_PRELOAD"] == wanted.replace("OURS", ours)
    assert variables(app)["MEMWARDEN_PRELOAD_PYTHONPATH"] == "/opt/memwarden/python/inject"
    assert "PYTHONPATH" not in variables(app), "what the image has there stays visible"


def test_a_guaranteed_pod_stays_guaranteed_and_the_sidecar_is_not_starved() -> None:
    given = pod(container(**resources("500m", "512Mi", equal=True)))
    made = injected(given)
    assert is_guaranteed([*made["spec"]["containers"], *made["spec"]["initContainers"]])
    assert sidecar_of(made)["resources"]["requests"] == {"cpu": "100m", "memory": "96Mi"}


def test_the_container_that_looks_costs_the_pod_nothing() -> None:
    given = pod(container(**resources("500m", "512Mi")))
    made = injected(given, choice(injection={"environment": "Preload"}))
    [_, looking] = made["spec"]["initContainers"]
    assert looking["resources"] == given["spec"]["containers"][0]["resources"]


def test_an_app_with_a_limit_on_its_disk_does_not_pay_for_ours() -> None:
    given = pod(container(resources={"limits": {"ephemeral-storage": "10Mi"}}))
    assert sidecar_of(injected(given))["resources"]["limits"]["ephemeral-storage"] == "112Mi"


def test_a_pod_with_resources_as_a_whole_gets_none_for_ours() -> None:
    given = pod(resources={"limits": {"memory": "1Gi", "cpu": "1"}})
    made = injected(given, choice(injection={"environment": "Preload"}))
    assert [one["resources"] for one in made["spec"]["initContainers"]] == [{}, {}]


def limit_range(**item: Any) -> NamespaceLimits:
    return NamespaceLimits.of([{"spec": {"limits": [{"type": "Container", **item}]}}], [])


@pytest.mark.parametrize(
    ("limits", "requests", "bounds"),
    [
        (
            limit_range(min={"cpu": "50m", "memory": "64Mi"}),
            {"cpu": "50m", "memory": "64Mi"},
            {"memory": "96Mi"},
        ),
        (limit_range(max={"memory": "64Mi"}), {"cpu": "10m", "memory": "48Mi"}, {"memory": "64Mi"}),
        (limit_range(max={"cpu": "1"}), {"cpu": "10m", "memory": "48Mi"}, {"cpu": "1", "memory": "96Mi"}),
        (
            limit_range(maxLimitRequestRatio={"memory": "1"}),
            {"cpu": "10m", "memory": "96Mi"},
            {"memory": "96Mi"},
        ),
    ],
)
def test_the_sidecar_fits_into_a_limit_range(limits: Any, requests: Any, bounds: Any) -> None:
    made = sidecar_of(injected(pod(), limits=limits))["resources"]
    assert (made["requests"], made["limits"]) == (requests, bounds)


@pytest.mark.parametrize("limits", [limit_range(min={"memory": "1Gi"}), limit_range(max={"memory": "32Mi"})])
def test_where_a_limit_range_has_no_room_the_pod_stays_as_it_is(limits: NamespaceLimits) -> None:
    assert skipped(pod(), limits=limits).reason == names.SKIP_NAMESPACE_LIMITS


def quota(hard: dict[str, str], used: dict[str, str]) -> NamespaceLimits:
    return NamespaceLimits.of([], [{"status": {"hard": hard, "used": used}}])


def test_a_full_quota_keeps_the_sidecar_out_and_not_the_pod() -> None:
    app = container(**resources("1", "512Mi", equal=True))
    full = quota({"requests.memory": "1Gi"}, {"requests.memory": "512Mi"})
    assert skipped(pod(app), limits=full).reason == names.SKIP_NAMESPACE_LIMITS
    wide = quota({"requests.memory": "2Gi"}, {"requests.memory": "512Mi"})
    injected(pod(app), limits=wide)


def test_a_quota_on_limits_of_processors_gives_the_sidecar_one() -> None:
    made = sidecar_of(injected(pod(), limits=quota({"limits.cpu": "4"}, {})))
    assert made["resources"]["limits"]["cpu"] == "100m"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (pod(hostNetwork=True), names.SKIP_HOST_NETWORK),
        (pod(os={"name": "windows"}), names.SKIP_WINDOWS),
        (pod(nodeSelector={"kubernetes.io/os": "windows"}), names.SKIP_WINDOWS),
        (pod(container(**resources("1", "64Mi"))), names.SKIP_CONTAINER_TOO_SMALL),
        (
            pod(container(env=[{"name": "PYTHONPATH", "valueFrom": {"configMapKeyRef": {}}}])),
            names.SKIP_VALUE_FROM,
        ),
        (pod(container(env=[{"name": "MEMWARDEN_SOCKET", "value": "/x"}])), names.SKIP_OTHER_PROFILER),
        (pod(container(command=["python", "-m", "scalene"])), names.SKIP_OTHER_PROFILER),
        (pod(container(env=[{"name": "MEMWARDEN_DISABLE", "value": "1"}])), names.SKIP_OPTED_OUT),
        (pod(container("memwarden")), names.SKIP_NAME_TAKEN),
        (pod(volumes=[{"name": "memwarden"}]), names.SKIP_NAME_TAKEN),
        (
            pod(container(volumeMounts=[{"name": "x", "mountPath": "/opt/memwarden/lib/"}])),
            names.SKIP_PATH_TAKEN,
        ),
    ],
)
def test_pods_that_are_left_alone_say_why(given: dict[str, Any], reason: str) -> None:
    skip = skipped(given)
    assert skip.reason == reason
    assert skip.message


def test_a_container_that_can_t_be_watched_does_not_keep_the_others_out() -> None:
    result = inject(pod(container(), container("small", **resources("1", "8Mi"))), choice(), INSTALLATION)
    assert isinstance(result, Injected)
    assert [skip.reason for skip in result.left_out] == [names.SKIP_CONTAINER_TOO_SMALL]
    assert "small" in result.left_out[0].message


def test_only_the_containers_that_are_named() -> None:
    made = injected(pod(container("web"), container("log")), choice(containers=["web"]))
    assert ["env" in one for one in made["spec"]["containers"]] == [True, False]
    assert skipped(pod(), choice(containers=["web"])).reason == names.SKIP_NO_CONTAINER


def test_host_network_where_the_profile_wants_it() -> None:
    injected(pod(hostNetwork=True), choice(injection={"hostNetwork": True}))


def test_a_pod_made_from_another_s_live_manifest_gets_its_parts_anew_in_their_places() -> None:
    copied = injected(pod(), choice(sampling={"interval": "1m"}))
    made = injected(copied, choice(sampling={"interval": "5s"}))
    assert [one["name"] for one in made["spec"]["initContainers"]] == ["memwarden"]
    assert "--interval=5" in sidecar_of(made)["args"]


def test_what_another_version_of_us_has_put_there_goes_and_the_user_s_stays_before_ours() -> None:
    preload = choice(injection={"environment": "Preload"})
    copied = injected(pod(initContainers=[container("migrate")]), preload)
    migrate, sidecar, looker = copied["spec"]["initContainers"]
    copied["spec"]["initContainers"] = [
        migrate,
        {"name": "memwarden-probes", "image": "p:0"},
        looker,
        sidecar,
    ]
    copied["metadata"]["annotations"][names.INJECTION] = "0.0.1 other"
    made = injected(copied, preload)
    assert made["spec"]["initContainers"] == [migrate, sidecar, looker]


def test_what_others_and_the_api_server_make_of_our_parts_meanwhile_stays() -> None:
    once = injected(pod())
    sidecar_of(once)["resources"]["requests"]["memory"] = "60Mi"
    sidecar_of(once)["terminationMessagePath"] = "/dev/termination-log"
    again = inject(once, choice(), INSTALLATION)
    assert isinstance(again, Injected)
    assert again.operations == []


def test_a_path_that_another_webhook_has_replaced_is_joined_again() -> None:
    once = injected(pod())
    [variable] = [one for one in once["spec"]["containers"][0]["env"] if one["name"] == "PYTHONPATH"]
    variable["value"] = "/otel"
    [app] = injected(once)["spec"]["containers"]
    assert variables(app)["PYTHONPATH"] == "/opt/memwarden/python/inject:/otel"


def test_the_injector_s_defaults_are_those_of_the_kind() -> None:
    written = MemoryProfileSpec().model_dump(mode="json", by_alias=True)
    assert profile() == Profile.of({"metadata": {"namespace": "shop", "name": "shop"}, "spec": written})
