"""`models.config` is what TensorFlow Serving's own protocol buffers say it is."""

from __future__ import annotations

import csv
import os
import shlex
import stat
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.serving.configuration import (
    ServedVersions,
    configuration_text,
    served_versions,
    write_configuration,
)
from tfdpzoo.serving.docker import docker_command


def parsed(text: str) -> list:
    configuration = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return list(configuration.model_config_list.config)


def register(models: Path, name: str, *versions: int) -> None:
    for version in versions:
        folder = models / name / str(version)
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"")


@pytest.fixture
def registry(tmp_path) -> Path:
    models = tmp_path / "saved_models"
    register(models, "digits", 1, 2, 10)
    register(models, "cifar10", 3)
    (models / "README.md").write_text("")
    (models / "empty").mkdir()
    (models / "digits" / ".aliases").mkdir()
    (models / "digits" / "11").mkdir()  # A version that is still being copied.
    return models


def test_all_models_in_their_newest_version(registry):
    cifar10, digits = parsed(configuration_text(served_versions([], registry)))
    assert (cifar10.name, digits.name) == ("cifar10", "digits")
    assert digits.base_path == "/models/digits"
    assert digits.model_platform == "tensorflow"
    assert digits.model_version_policy.latest.num_versions == 1
    assert not digits.version_labels


def test_aliases_are_labels_of_versions_that_are_loaded(registry):
    set_alias(registry / "digits", "champion", 1)
    set_alias(registry / "digits", "old.but-good", 1)
    cifar10, digits = parsed(configuration_text(served_versions([], registry)))
    assert list(digits.model_version_policy.specific.versions) == [1, 10]
    assert dict(digits.version_labels) == {"champion": 1, "old.but-good": 1}
    assert cifar10.model_version_policy.HasField("latest")


@pytest.mark.parametrize(
    ("references", "versions", "labels"),
    [
        (["digits"], [1, 2, 10], {"champion": 1, "next": 2}),
        (["digits:10"], [10], {}),
        (["digits:1"], [1], {"champion": 1}),
        (["digits@next"], [2], {"next": 2}),
        (["digits@next", "digits:10"], [2, 10], {"next": 2}),
        (["digits:1", "digits"], [1, 2, 10], {"champion": 1, "next": 2}),
    ],
)
def test_references(registry, references, versions, labels):
    set_alias(registry / "digits", "champion", 1)
    set_alias(registry / "digits", "next", 2)
    (digits,) = parsed(configuration_text(served_versions(references, registry)))
    assert list(digits.model_version_policy.specific.versions) == versions
    assert dict(digits.version_labels) == labels


def test_folders_of_registered_models(registry):
    by_name = served_versions(["cifar10", "digits:2"], registry)
    folders = [str(registry / "digits" / "2"), str(registry / "cifar10")]
    assert served_versions(folders, registry) == by_name
    assert by_name == (ServedVersions("cifar10"), ServedVersions("digits", (2,)))


def test_what_cannot_be_served(registry, tmp_path):
    register(tmp_path / "elsewhere", "digits", 1)
    (registry / "copied" / "1").mkdir(parents=True)
    for references, sentence in [
        (["digit"], "no model in .* named 'digit'; did you mean 'digits'"),
        (["digits:7"], "has no version 7"),
        (["digits@champion"], "has no aliases"),
        (["digits:11"], "11 holds no saved_model.pb to serve"),
        (["copied"], "copied in .* has no version with a saved_model.pb"),
        ([str(tmp_path / "elsewhere" / "digits")], "is not registered in .*; give --models"),
    ]:
        with pytest.raises(InputError, match=sentence):
            served_versions(references, registry)
    with pytest.raises(InputError, match="There are no registered models in"):
        served_versions([], registry / "empty")
    with pytest.raises(InputError, match="There is no folder"):
        served_versions([], registry / "none")


def test_an_alias_of_a_version_that_is_gone(registry):
    set_alias(registry / "digits", "champion", 1)
    (registry / "digits" / "1" / "saved_model.pb").unlink()
    with pytest.raises(InputError, match="alias champion of digits stands for version 1, which"):
        served_versions([], registry)


def test_a_folder_whose_name_is_none_of_a_model_is_passed_over(registry):
    register(registry, 'a"b', 1)
    assert [each.name for each in served_versions([], registry)] == ["cifar10", "digits"]


def test_it_replaces_only_what_it_wrote(tmp_path):
    path = tmp_path / "models.config"
    write_configuration(path, configuration_text([ServedVersions("a")]))
    write_configuration(path, configuration_text([ServedVersions("b")]))
    assert parsed(path.read_text())[0].name == "b"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["models.config"]
    path.write_text("mine")
    with pytest.raises(InputError, match="was not written by `tfdpzoo serve-config`; choose"):
        write_configuration(path, configuration_text([]))
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="was not written by"):
        write_configuration(tmp_path, configuration_text([]))


def test_it_leaves_nothing_where_it_cannot_write(tmp_path):
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\)"):
        write_configuration(tmp_path / "none" / "models.config", configuration_text([]))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["plain", "two words", "it's", "a,b", 'a"b', "$HOME", "a:b"])
def test_the_command_survives_the_shell(name, tmp_path):
    models, configuration = tmp_path / name / "saved_models", tmp_path / name / "models.config"
    command = shlex.split(docker_command(models, configuration, labels=True).replace("\\\n", " "))
    assert command[:3] == ["docker", "run", "--rm"]
    assert command[-3:] == [
        "tensorflow/serving",
        "--model_config_file=/config/models.config",
        "--allow_version_labels_for_unavailable_models=true",
    ]
    assert [command[4], command[6]] == ["8500:8500", "8501:8501"]
    mounts = [command[at + 1] for at, word in enumerate(command) if word == "--mount"]
    fields = [dict(each.partition("=")[::2] for each in next(csv.reader([one]))) for one in mounts]
    assert [each["source"] for each in fields] == [str(models), str(configuration)]
    assert [each["target"] for each in fields] == ["/models", "/config/models.config"]
    assert all("readonly" in each for each in fields)


def test_without_labels_the_server_is_told_nothing_of_them():
    assert "labels" not in docker_command(Path("/zoo"), Path("/models.config"), labels=False)
