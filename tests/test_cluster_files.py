"""The files for clusters: Ray's own schema holds, and they name what is there."""

import json
from pathlib import Path

import pytest

import compare
from dynlive_rl import DynLiveAgent
from tables import ROOT
from test_packaging import PROJECT

yaml = pytest.importorskip("yaml")
ray = pytest.importorskip("ray")
FILES = ROOT / "examples" / "cluster"


def test_the_launchers_file_keeps_to_rays_schema():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    content = yaml.safe_load((FILES / "aws.yaml").read_text())
    jsonschema.validate(content, schema)
    assert content["head_node_type"] in content["available_node_types"]
    assert content["available_node_types"]["head"]["resources"] == {"CPU": 0}


@pytest.fixture
def job():
    claim, job = yaml.safe_load_all((FILES / "kuberay.yaml").read_text())
    assert (claim["kind"], job["apiVersion"], job["kind"]) == ("PersistentVolumeClaim", "ray.io/v1", "RayJob")
    return job["spec"], claim["metadata"]["name"]


def test_the_job_of_kubernetes_has_what_kuberay_needs(job):
    spec, claim = job
    cluster = spec["rayClusterSpec"]
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    pod = head["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    (volume,) = pod["volumes"]
    assert (volume["name"], volume["persistentVolumeClaim"]["claimName"]) == (mount["name"], claim)
    assert f"--out {mount['mountPath']}/" in spec["entrypoint"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    for container in (pod["containers"][0], workers["template"]["spec"]["containers"][0]):
        assert container["resources"]["limits"] == container["resources"]["requests"]


def test_what_the_job_runs_is_a_study(job):
    python, script, *arguments = job[0]["entrypoint"].split()
    assert (python, script) == ("python", "scripts/compare.py")
    options = compare.parser().parse_args(arguments)
    assert options.ray == "auto"
    assert len(options.envs) == len(set(options.envs)) == 6


def test_all_have_the_version_of_ray_that_is_pinned(job):
    pinned = (ROOT / "constraints.txt").read_text().partition("\nray==")[2].partition("\n")[0]
    assert job[0]["rayClusterSpec"]["rayVersion"] == pinned
    image = (FILES / "Dockerfile").read_text()
    assert f"FROM rayproject/ray:{pinned}-py311-cpu" in image
    extras = PROJECT["project"]["optional-dependencies"]
    named = image.partition('".[')[2].partition("]")[0].split(",")
    assert named
    assert set(named) <= set(extras)


def test_the_image_compiles_what_agents_need(tmp_path, monkeypatch):
    code = (FILES / "Dockerfile").read_text().partition('RUN python -c "')[2].partition('"\n')[0]
    warmed = []
    monkeypatch.setattr(DynLiveAgent, "warm_up", lambda agent: warmed.append(agent.mode))
    exec(code)
    assert warmed == ["rehearsal", "live"]
