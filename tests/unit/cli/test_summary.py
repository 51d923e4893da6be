"""What a person is told."""

from dataclasses import replace
from pathlib import Path

from controlplane.cli.summary import Front, Row, render
from controlplane.settings.address import Address

HERE = Path("/home/me/isthmus")
FRONT = Front(
    url="https://127.0.0.1:8443",
    folder=HERE / ".isthmus",
    demo=True,
    kubectl=True,
    sample=HERE / "examples" / "sample.yaml",
    isthmus="isthmus",
    config_api=Address(path=str(HERE / ".isthmus" / "run" / "config.sock")),
)
ROWS = (Row("control plane", 4711, ".isthmus/run/xds.sock"), Row("envoy 1.40.0", 12, "https://127.0.0.1:8443"))


def test_the_summary_lists_programs_and_commands() -> None:
    """Programs stand in columns; commands are relative to where the person is."""
    assert render(ROWS, FRONT, HERE).splitlines() == [
        "control plane  pid 4711  .isthmus/run/xds.sock",
        "envoy 1.40.0   pid 12    https://127.0.0.1:8443",
        "",
        "kubeconfig: .isthmus/kubeconfig (contexts admin, alice)",
        "config API: .isthmus/run/config.sock (gRPC)",
        "",
        "Try:",
        "  export KUBECONFIG=$PWD/.isthmus/kubeconfig",
        "  kubectl api-resources --api-group=servicecatalog.k8s.io",
        "  kubectl apply -f examples/sample.yaml",
        "  kubectl --context alice get clusterservicebrokers",
        "  isthmus status",
    ]


def test_paths_outside_are_shown_whole_and_quoted() -> None:
    """A folder elsewhere, with a space in it, still makes a command that works."""
    text = render(ROWS, replace(FRONT, folder=Path("/srv/my isthmus"), sample=None), HERE)

    assert "  export KUBECONFIG='/srv/my isthmus/kubeconfig'" in text.splitlines()
    assert "  kubectl get clusterservicebrokers" in text.splitlines()
    assert "  isthmus status --config '/srv/my isthmus/config.yaml'" in text.splitlines()


def test_without_kubectl_the_commands_are_curl() -> None:
    """Three requests with the certificates of the users."""
    text = render(ROWS, replace(FRONT, kubectl=False), HERE)
    commands = [line.strip() for line in text.splitlines() if line.startswith("  curl")]

    assert len(commands) == 3
    assert commands[2] == (
        "curl --cacert .isthmus/pki/serving-ca.crt --cert .isthmus/pki/alice.crt --key .isthmus/pki/alice.key "
        "https://127.0.0.1:8443/apis/servicecatalog.k8s.io/v1beta1/clusterservicebrokers"
    )


def test_without_the_demo_no_command_asks_for_it() -> None:
    """What is not served is not offered."""
    for kubectl in (True, False):
        assert "servicebrokers" not in render(ROWS, replace(FRONT, demo=False, kubectl=kubectl), HERE)


def test_settings_that_somebody_has_changed_are_named() -> None:
    """A person who wonders why an option does nothing finds the file; one without a config API is not offered it."""
    text = render(ROWS, replace(FRONT, changed=True, config_api=None), HERE)

    assert "settings:   .isthmus/config.yaml (changed by you, and left as it is)" in text.splitlines()
    assert "config API" not in text


def test_a_command_that_is_not_on_the_path_is_shown_with_its_own() -> None:
    """What is pasted works in a shell that knows nothing of the virtual environment."""
    text = render(ROWS, replace(FRONT, isthmus=".venv/bin/isthmus"), HERE)

    assert "  .venv/bin/isthmus status" in text.splitlines()
