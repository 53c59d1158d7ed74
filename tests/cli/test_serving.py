"""`serve-config`, `predict` and `guarantee` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving_models import CLASS_NAMES, make_images, make_registry
from serving_servers import RunningServer, own_server, rest_server
from stand_in import StandIn, guarantee_with

from tfdpzoo.saved_model import export


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return make_registry(tmp_path_factory.mktemp("zoo") / "saved_models")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    return make_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def server(models) -> Iterator[RunningServer]:
    with own_server(models) as running:
        yield running


@pytest.fixture(params=["--url", "--grpc"])
def at(request, server) -> list[str]:
    address = server.url if request.param == "--url" else server.grpc_address
    return [request.param, address, "--model", "small"]


def test_serve_config_writes_a_file_and_prints_a_command(program, models, tmp_path):
    outcome = program("serve-config", "--models", models)
    assert outcome.code == 0
    assert outcome.out.startswith("docker run --rm -p 8500:8500 -p 8501:8501 \\\n")
    assert f"source={tmp_path}/models.config,target=/config/models.config" in outcome.out
    assert "--allow_version_labels_for_unavailable_models=true" in outcome.out
    assert "- small: 1, 2, champion = 1\n" in outcome.err
    assert 'key: "champion" value: 1' in (tmp_path / "models.config").read_text()
    assert program("serve-config", "--models", models).code == 0


def test_serve_config_as_json(program, models):
    outcome = program("serve-config", "small:2", "--models", models, "--out", "a.config", "--json")
    found = json.loads(outcome.out)
    assert found["path"] == "a.config"
    assert found["models"] == [{"name": "small", "versions": [2], "labels": {}}]
    assert found["command"].startswith("docker run")
    assert outcome.err == ""


def test_serve_config_refuses(refused, models, tmp_path):
    assert "There is no folder saved_models" in refused("serve-config")
    assert "no model in" in refused("serve-config", "smal", "--models", models)
    assert "cannot be used" in refused("serve-config", "a b", "--models", models)
    (tmp_path / "models.config").write_text("mine")
    assert "choose another --out" in refused("serve-config", "--models", models)


def test_predict_prints_classes(program, at, images, models):
    outcome = program("predict", *at, "--classes", "small", "--models", models, *images)
    assert outcome.code == 0, outcome.err
    head, columns, *rows = outcome.out.splitlines()
    assert head == "small, version 2"
    assert columns.split() == ["image", "class", "probability"]
    assert len(rows) == len(images)
    assert all(row.split()[-2] in CLASS_NAMES for row in rows)


def test_predict_as_json(program, at, images, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(CLASS_NAMES))
    plain = json.loads(program("predict", *at, "--json", *images).out)
    named = json.loads(
        program(
            *("predict", *at, "--json", "--classes", "names.txt", "--batch-size", 2, *images)
        ).out
    )
    assert (named["model"], named["version"]) == ("small", 2)
    for before, after in zip(plain["predictions"], named["predictions"], strict=True):
        assert before["class"] is None
        assert after["class"] == CLASS_NAMES[before["class_number"]]
        assert after["probability"] == pytest.approx(before["probability"], abs=1e-6)
        assert sum(after["probabilities"]) == pytest.approx(1, abs=1e-6)


def test_predict_by_label_and_version(program, at, images):
    by_label = json.loads(program("predict", *at, "--label", "champion", "--json", images[0]).out)
    by_version = json.loads(program("predict", *at, "--version", 1, "--json", images[0]).out)
    assert by_label == by_version
    assert by_label["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "small"], "Give one server: --url"),
        (["--url", "http://a", "--grpc", "a:1", "--model", "small"], "Give one server: --url"),
        (["--url", "http://127.0.0.1:9"], "Give --model, the model's name at the server."),
        (["--url", "127.0.0.1:9", "--model", "small"], "is not the address of a server"),
        (["--grpc", "http://a", "--model", "small"], "is not the address of a gRPC server"),
        (["--url", "http://127.0.0.1:9", "--model", "a/b"], "cannot be asked for"),
        (["--url", "http://127.0.0.1:9", "--model", "small"], "There is no server at"),
        (["--grpc", "127.0.0.1:9", "--model", "small"], "There is no gRPC server at"),
        (["--url", "http://127.0.0.1:9", "--model", "a", "--timeout", "0"], "A timeout of 0 sec"),
        (["--url", "http://127.0.0.1:9", "--model", "a", "--timeout", "nan"], "A timeout of nan"),
        (
            ["--url", "http://127.0.0.1:9", "--model", "a", "--version", "1", "--label", "b"],
            "a version or a label",
        ),
    ],
)
def test_what_cannot_be_asked(refused, arguments, sentence):
    assert sentence in refused("predict", *arguments, "seven.png")
    if len(arguments) > 2:
        assert sentence in refused("guarantee", *arguments)


def test_predict_refuses_images_and_names(refused, at, images, tmp_path):
    (tmp_path / "two").write_text("a\nb\n")
    assert "There are no models in saved_models" in refused(
        "predict", *at, "--classes", "none", images[0]
    )
    (tmp_path / "page.png").write_text("<html>")
    assert "2 class names, but" in refused("predict", *at, "--classes", "two", images[0])
    assert "it is not a JPEG or PNG image" in refused("predict", *at, images[0], "page.png")
    assert "No such file" in refused("predict", *at, "none.png")
    assert "0 images cannot be sent" in refused("predict", *at, "--batch-size", 0, images[0])


def test_predict_at_servers_of_other_things(refused, images):
    with rest_server(lambda *_: (200, b"<html>")) as url:
        assert "is not JSON" in refused("predict", "--url", url, "--model", "a", images[0])
    other = {"model_spec": {}, "metadata": {"signature_def": {"signature_def": {"other": {}}}}}
    with rest_server(lambda *_: (200, other)) as url:
        sentence = refused("predict", "--url", url, "--model", "a", images[0])
        assert "is not a model that tfdpzoo exported: its signature serving_default" in sentence
    with rest_server(lambda *_: (404, {"error": "Servable not found"})) as url:
        assert "does not serve a model named" in refused(
            "predict", "--url", url, "--model", "a", images[0]
        )


def test_a_served_guarantee(program, at):
    outcome = program("guarantee", *at)
    assert outcome.code == 0, outcome.err
    sentence = outcome.out.splitlines()[0]
    assert sentence.startswith("The final weights of this model are differentially private with")
    assert "recomputed" in outcome.out
    assert "the weights behind it cannot be seen from here" in outcome.out


def test_a_served_guarantee_as_json(program, at, models):
    found = json.loads(program("guarantee", *at, "--json").out)
    assert (found["ok"], found["holds"], found["weights_checked"]) == (True, True, False)
    assert found["recomputed_epsilon"] == pytest.approx(found["record"]["claim"]["epsilon"])
    local = json.loads(program("guarantee", "small", "--models", models, "--json").out)
    assert local["record"] == found["record"]


def respond_with(record: str):
    def respond(method: str, path: str, body: bytes):
        names = {"privacy_guarantee_rest": {}}
        metadata = {"model_spec": {}, "metadata": {"signature_def": {"signature_def": names}}}
        return 200, metadata if method == "GET" else {"predictions": [record]}

    return respond


def test_a_served_guarantee_that_does_not_verify(program):
    low = StandIn().guarantee().with_weights("0" * 64).to_json().replace("2.38", "0.38")
    with rest_server(respond_with(low)) as url:
        outcome = program("guarantee", "--url", url, "--model", "small")
        as_json = program("guarantee", "--url", url, "--model", "small", "--json")
    assert outcome.code == as_json.code == 1
    assert "gives a guarantee that does NOT verify:" in outcome.out
    assert not outcome.out.startswith("The final weights")
    found = json.loads(as_json.out)
    assert (found["ok"], found["holds"], found["record"]) == (False, False, None)
    assert found["problems"]


def test_an_honest_record_of_no_guarantee_does_not_hold(program, tmp_path):
    private = StandIn()
    weak = guarantee_with(weaknesses=["the seed was fixed"])
    export(private, tmp_path / "weak" / "1", guarantee=weak)
    outcome = program("guarantee", "weak/1")
    assert outcome.code == 1
    assert outcome.out.startswith("Not a valid privacy guarantee. Reason: the seed was fixed.")
    assert "weakens it" in outcome.out
    assert "The guarantee is not valid: the seed was fixed." in outcome.out
    with rest_server(respond_with(weak.with_weights("0" * 64).to_json())) as url:
        served = program("guarantee", "--url", url, "--model", "small", "--json")
    found = json.loads(served.out)
    assert served.code == 1
    assert (found["ok"], found["holds"]) == (True, False)


def test_the_guarantee_of_a_registered_model_in_words(program, models):
    outcome = program("guarantee", "small@champion", "--models", models)
    assert outcome.code == 0
    assert "2.39 (rounded up)" in outcome.out
    assert "without amplification by sampling" in outcome.out
    assert "`tfdpzoo verify` checks whether the model supports it" in outcome.out


def test_guarantees_that_cannot_be_asked_for(refused, models, at):
    assert refused("guarantee").startswith("Give TARGET, or a server")
    assert refused("guarantee", "small", *at).startswith("Give TARGET, or a server")
    assert "There are no models in saved_models" in refused("guarantee", "small")
    assert "did you mean 'small'" in refused("guarantee", "smal", "--models", models)
