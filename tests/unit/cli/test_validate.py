"""`isthmus validate`."""

from pathlib import Path

from click.testing import CliRunner
from pki import CertificateAuthority

from controlplane.cli import demo, main
from controlplane.settings.address import Address

MANIFEST = demo.manifest(Address(host="127.0.0.1", port=4711), CertificateAuthority("test CA").certificate)
BROKEN = MANIFEST.replace(b"groupPriorityMinimum: 1000", b"groupPriorityMinimum: 0")


def test_the_demos_own_manifest_is_valid(tmp_path: Path) -> None:
    """What `isthmus up` registers passes, from a folder and from standard input alike."""
    (tmp_path / "servicecatalog.yaml").write_bytes(MANIFEST)
    folder = CliRunner().invoke(main, ["validate", "-f", str(tmp_path)])
    text = CliRunner().invoke(main, ["validate", "-f", "-"], input=MANIFEST)

    assert (folder.exit_code, folder.stdout, folder.stderr) == (0, "5 objects are valid\n", "")
    assert (text.exit_code, text.stdout, text.stderr) == (0, "5 objects are valid\n", "")


def test_several_paths_are_counted_together(tmp_path: Path) -> None:
    """-f may be given again."""
    (tmp_path / "a.yaml").write_bytes(MANIFEST)
    (tmp_path / "b.yaml").write_bytes(MANIFEST)
    result = CliRunner().invoke(main, ["validate", "-f", str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.yaml")])

    assert (result.exit_code, result.stdout) == (0, "10 objects are valid\n")


def test_a_problem_is_one_line_with_its_place(tmp_path: Path) -> None:
    """A wrong field is named with the file and the object it is in, and the exit code is 1."""
    (tmp_path / "a.yaml").write_bytes(BROKEN)
    result = CliRunner().invoke(main, ["validate", "-f", str(tmp_path / "a.yaml")])
    problem, total = result.stderr.splitlines()

    assert (result.exit_code, result.stdout) == (1, "")
    assert problem.startswith(
        f"{tmp_path}/a.yaml, document 3: APIService v1beta1.servicecatalog.k8s.io: spec.groupPriorityMinimum: "
    )
    assert total == "4 objects are valid; problems: 1"


def test_a_misspelt_field_of_a_rule_is_told_with_its_remedy() -> None:
    """Kubernetes would pass over it, and grant more than was meant."""
    role = b"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get], resourceName: web}]
"""
    result = CliRunner().invoke(main, ["validate", "-f", "-"], input=role)
    problem, _ = result.stderr.splitlines()

    assert result.exit_code == 1
    assert problem.endswith(
        'ClusterRole reader: rules[0].resourceName: Invalid value: "web": unknown field; '
        "write verbs, apiGroups, resources, resourceNames, nonResourceURLs, or remove it"
    )


def test_a_path_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """A mistyped path does not pass as zero valid objects."""
    result = CliRunner().invoke(main, ["validate", "-f", str(tmp_path / "none.yaml")])

    assert result.exit_code == 1
    assert f"{tmp_path}/none.yaml: is not there" in result.stderr
