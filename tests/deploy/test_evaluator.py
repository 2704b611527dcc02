"""The evaluator that the other tests of the deployment stand on."""

from pathlib import Path

import pytest

from deploy.bicep import BicepError, Runtime, evaluate, read_params

MAIN = """
param names array
@allowed(['a', 'b'])
param kind string = 'a'
param extra bool = false
var doubled = [for (name, i) in names: '${name}-${i} of ${length(names)}']

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg'
}

module inner 'inner.bicep' = [
  for name in names: if (name != 'skipped') {
    name: 'inner-${name}'
    scope: group
    params: { name: name, size: kind == 'a' ? 1 : 2 }
  }
]

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (extra) {
  name: 'lock'
  scope: group
  properties: { level: 'CanNotDelete' }
}

output doubled array = doubled
output first string = inner[0].outputs.secret
"""
INNER = """
param name string
param size int
resource parent 'Microsoft.A/as@1' existing = {
  name: 'top'
}
resource child 'Microsoft.A/as/bs@1' = {
  parent: parent
  name: name
  properties: { size: size, nested: [{ 'odata.type': 'x' }] }
}
output secret string = child.properties.key
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.bicep").write_text(MAIN)
    (tmp_path / "inner.bicep").write_text(INNER)
    return tmp_path


def test_loops_conditions_and_modules_unfold(folder: Path) -> None:
    """A loop makes one resource a round, a condition that fails makes none, and a module makes its own."""
    made = evaluate(folder / "main.bicep", {"names": ["x", "skipped", "y"]})
    assert [resource.name for resource in made.resources] == ["rg", "x", "y"]
    assert made.resources[1].id.endswith("/resourceGroups/rg/providers/Microsoft.A/as/top/bs/x")
    assert made.outputs["doubled"] == ["x-0 of 3", "skipped-1 of 3", "y-2 of 3"]


def test_an_extension_knows_what_it_is_on(folder: Path) -> None:
    """A resource with a scope has that scope's id, so that a test can see what a role is granted on."""
    made = evaluate(folder / "main.bicep", {"names": ["x"], "extra": True})
    assert made.resources[-1].scope == made.resources[0].id


def test_what_azure_alone_knows_stays_a_mark(folder: Path) -> None:
    """A value of run time is no guess: it says where it comes from."""
    made = evaluate(folder / "main.bicep", {"names": ["x"]})
    assert made.outputs["first"] == Runtime("[x.properties.key]")
    assert isinstance(made.outputs["first"], Runtime)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, "names is missing"),
        ({"names": "x"}, "not array"),
        ({"names": [], "kind": "c"}, "allowed"),
        ({"names": [], "colour": "red"}, "no parameter colour"),
    ],
)
def test_wrong_parameters_are_named(folder: Path, params: dict[str, object], reason: str) -> None:
    """A missing, mistyped, forbidden or unknown parameter ends the evaluation with its name."""
    with pytest.raises(BicepError, match=reason):
        evaluate(folder / "main.bicep", params)


def test_what_the_grammar_misreads_is_refused(folder: Path) -> None:
    """A line that tree-sitter's grammar reads otherwise than Bicep does is an error, not a wrong answer."""
    (folder / "main.bicep").write_text("param a bool\nparam b object\nvar c = a && b.x == b.y\n")
    with pytest.raises(BicepError, match="put parentheses"):
        evaluate(folder / "main.bicep", {"a": True, "b": {"x": 1, "y": 1}})


def test_parameter_files_read_the_environment(tmp_path: Path) -> None:
    """`readEnvironmentVariable` takes the variable, else its default, else fails by name."""
    path = tmp_path / "x.bicepparam"
    path.write_text("using 'main.bicep'\nparam a = readEnvironmentVariable('A', 'none')\n")
    assert read_params(path, {}) == {"a": "none"}
    assert read_params(path, {"A": "some"}) == {"a": "some"}
    path.write_text("using 'main.bicep'\nparam a = readEnvironmentVariable('A')\n")
    with pytest.raises(BicepError, match="variable A is not set"):
        read_params(path, {})


@pytest.mark.parametrize(
    ("late", "needs"),
    [
        ("module b 'inner.bicep' = [for x in [a.outputs.secret]: { name: 'b-${x}', params: {} }]", "a.outputs"),
        ("var items = [{ id: a.outputs.secret }]\nvar ids = [for x in items: x.id]", "a.outputs"),
        ("var ids = [for i in [1]: a.outputs.secret]", "a.outputs"),
        ("resource b 'A/b@1' = {\n  name: top.properties.key\n}", "top.properties"),
        ("resource b 'A/b@1' = if (top.tags.on == 'x') {\n  name: 'b'\n}", "top.tags"),
        ("module b 'inner.bicep' = {\n  name: 'b-${a.outputs.secret}'\n  params: {}\n}", "a.outputs"),
    ],
)
def test_what_is_not_known_at_the_start_shapes_nothing(folder: Path, late: str, needs: str) -> None:
    """A loop, a condition or a name that hangs on what only the making of a resource tells is refused."""
    known = "module a 'inner.bicep' = {\n  name: 'a'\n  params: { name: 'x', size: 1 }\n}\n"
    known += "resource top 'A/tops@1' existing = {\n  name: 'top'\n}\n"
    (folder / "main.bicep").write_text(known + late)
    with pytest.raises(BicepError, match=rf"needs {needs}\b.* before"):
        evaluate(folder / "main.bicep", {})


def test_what_is_known_at_the_start_may_shape_anything(folder: Path) -> None:
    """Ids and names are known, outputs may stand in properties, and a loop's own variable hides a name of the file."""
    (folder / "main.bicep").write_text(
        "module a 'inner.bicep' = {\n  name: 'a'\n  params: { name: 'x', size: 1 }\n}\n"
        "resource top 'A/tops@1' existing = {\n  name: 'top'\n}\n"
        "resource b 'A/bs@1' = [for a in [top.id]: {\n  name: '${a}-${top.name}'\n}]\n"
        "resource c 'A/cs@1' = if (!empty(a.name)) {\n  name: 'c'\n  properties: { key: a.outputs.secret }\n}\n"
    )
    assert [made.type for made in evaluate(folder / "main.bicep", {}).resources][1:] == ["A/bs", "A/cs"]
