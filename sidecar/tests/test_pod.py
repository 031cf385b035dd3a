"""Which pod it is: read from the environment as OpenTelemetry writes it, or refused in words."""

import pytest

from memwarden_api import names
from memwarden_sidecar import pod
from memwarden_sidecar.errors import CannotStart

POD = "k8s.namespace.name=shop,k8s.pod.name=web-7d9f-x2x,k8s.pod.uid=3f2a9c1e-0000-4000-8000-1234567890ab"


def attributes(more: str = "", **environment: str) -> pod.Attributes:
    return pod.attributes_of({names.ENV_RESOURCE: POD + more, **environment})


def test_values_are_decoded_and_the_service_has_its_own_variable():
    found = dict(attributes(",k8s.node.name=a%2Cb , service.version = 1 ", OTEL_SERVICE_NAME="cart"))
    assert found["k8s.node.name"] == "a,b"
    assert found["service.version"] == "1"
    assert found[names.SERVICE_NAME] == "cart"


@pytest.mark.parametrize("missing", pod.NEEDED)
def test_a_pod_that_is_not_named_is_refused_by_the_missing_attribute(missing):
    text = ",".join(pair for pair in POD.split(",") if not pair.startswith(missing + "="))
    with pytest.raises(CannotStart, match=missing.replace(".", r"\.") + ";"):
        pod.attributes_of({names.ENV_RESOURCE: text})


def test_too_many_and_too_long_attributes_are_refused():
    with pytest.raises(CannotStart, match="more than 24"):
        attributes("".join(f",a{number}=1" for number in range(30)))
    with pytest.raises(CannotStart, match="over 256 bytes"):
        attributes(",service.version=" + "x" * 257)


def test_two_lives_of_a_container_are_two_scopes_and_the_longest_name_fits():
    assert pod.scope_id(attributes(), "app", "51") == "shop/web-7d9f-x2x/app@3f2a9c1e-51"
    assert pod.scope_id(attributes(), "app", "52") != pod.scope_id(attributes(), "app", "51")
    long = (
        (names.K8S_NAMESPACE, "n" * 63),
        (names.K8S_POD, "p" * 253),
        (names.K8S_POD_UID, "3f2a9c1e-0000"),
    )
    longest = pod.scope_id(long, "c" * 63, "9" * 15)
    assert len(longest) <= 256
    assert longest.endswith("@3f2a9c1e-" + "9" * 15)


def test_a_service_is_named_by_itself_else_by_its_owner_else_by_its_container():
    assert pod.service_of(attributes(OTEL_SERVICE_NAME="cart"), "app") == "cart"
    owned = attributes(",k8s.replicaset.name=web-7d9f,k8s.deployment.name=web")
    assert pod.service_of(owned, "app") == "web"
    assert pod.service_of(attributes(), "app") == "app"


def test_what_identifies_a_scope_cannot_be_set_from_outside():
    told = attributes(",memwarden.scope.id=x,process.pid=1,host.name=h,k8s.container.name=y")
    found = pod.of_container(told, "app")
    assert dict(found)[names.K8S_CONTAINER] == "app"
    assert not {"memwarden.scope.id", "process.pid", "host.name"} & {key for key, _ in found}


@pytest.mark.parametrize("text", ["", " , ", "App", "../up", "a" * 64, "a/b", "-a"])
def test_names_that_no_container_has_are_refused(text):
    with pytest.raises(CannotStart, match="--containers"):
        pod.container_names(text)


def test_containers_are_taken_in_order_and_once():
    assert pod.container_names("app, worker,app") == ("app", "worker")
