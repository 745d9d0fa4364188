"""How a proof pod gets its login, and that it may run anywhere and do nothing."""

from __future__ import annotations

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Policy, Registry, SecretPolicy
from harbor_agent.planning.pods.manifest import PullLogin, build_proof_pod, choose_login, list_images


def registry(address: str, secret: SecretPolicy | None = None, image: str | None = "library/pause:3.9") -> Registry:
    return Registry(address=Address.parse(address), verify_image=image, secret=secret)


def login(*registries: Registry) -> PullLogin:
    return choose_login(list_images(Policy(registries=registries)))


def test_a_secret_that_is_attached_is_not_named_so_that_the_attachment_is_proven() -> None:
    attached = SecretPolicy(name="a", service_accounts=("builder", "default"))
    assert login(registry("a.lan", attached)) == PullLogin(service_account="builder")
    other = SecretPolicy(name="b", service_accounts=("default",))
    assert login(registry("a.lan", attached), registry("b.lan", other)) == PullLogin(service_account="default")


def test_without_one_account_for_all_secrets_the_pod_names_them() -> None:
    attached = SecretPolicy(name="a", service_accounts=("default",))
    loose = SecretPolicy(name="b")
    assert login(registry("a.lan", attached), registry("b.lan", loose)).secrets == ("a", "b")


def test_without_secrets_the_default_account_is_used() -> None:
    assert login(registry("a.lan")) == PullLogin(service_account="default")


def test_only_registries_with_an_image_are_pulled_from() -> None:
    images = list_images(Policy(registries=(registry("a.lan", image=None), registry("b.lan"))))
    assert [image.reference for image in images] == ["b.lan/library/pause:3.9"]


def test_the_pod_always_pulls_on_its_node_whatever_taints_it_has() -> None:
    images = list_images(Policy(registries=(registry("a.lan"),)))
    pod = build_proof_pod(images, node="n1", node_uid="u1", run_id="run-1", controller="ops@host")
    spec = pod["spec"]
    assert isinstance(spec, dict)
    assert (spec["nodeName"], spec["tolerations"]) == ("n1", [{"operator": "Exists"}])
    assert [one["imagePullPolicy"] for one in spec["containers"]] == ["Always"]
    assert spec["automountServiceAccountToken"] is False
