"""Verification: an untouched export passes, and whatever is altered is found."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from stand_in import StandIn

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.record import Claim, Status
from tfdpzoo.saved_model import export
from tfdpzoo.verification import check_arithmetic, verify
from tfdpzoo.version_folder import write_privacy_file

RECORD = "assets.extra/privacy.json"


@pytest.fixture(scope="module")
def private() -> StandIn:
    return StandIn()


@pytest.fixture(scope="module")
def guarantee(private) -> PrivacyGuarantee:
    return private.guarantee()


@pytest.fixture(scope="module")
def exported(private, tmp_path_factory) -> Path:
    return export(private, tmp_path_factory.mktemp("models") / "small" / "1", class_names="abcd")


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    """A version to alter."""
    return Path(shutil.copytree(exported, tmp_path / "1"))


def only_problem(path: Path) -> str:
    report = verify(path)
    assert not report.ok
    assert len(report.problems) == 1, report.problems
    return report.problems[0]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_an_untouched_export_passes(private, exported, guarantee):
    report = verify(exported)
    assert report.ok
    assert report.problems == ()
    assert report.path == exported
    assert report.recomputed_epsilon == pytest.approx(guarantee.epsilon, rel=1e-6)
    assert report.guarantee.claim == guarantee.claim
    assert report.guarantee.valid


def test_a_models_folder_means_its_newest_version(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "9")
    shutil.copytree(exported, tmp_path / "10")
    (tmp_path / "9" / RECORD).unlink()
    assert verify(tmp_path).path == tmp_path / "10"
    assert verify(str(tmp_path)).ok


def test_verification_changes_nothing(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    verify(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_altered_files_are_named(copy):
    (copy / "saved_model.pb").write_bytes(b"something else")
    assert only_problem(copy) == (
        "The file saved_model.pb was altered: it does not have the digest in "
        "assets.extra/privacy.json."
    )


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_missing_files_are_named(copy, name):
    (copy / name).unlink()
    assert only_problem(copy) == f"The file {name} is missing."


def test_an_added_link_is_found(copy, tmp_path):
    (copy / "assets" / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    assert only_problem(copy) == (
        "A file of the model cannot be read: assets/elsewhere, it is not a regular file."
    )


def test_something_that_is_no_file_is_found_and_not_opened(copy):
    """Reading from a named pipe would wait for ever."""
    os.mkfifo(copy / "assets" / "pipe")
    assert "assets/pipe, it is not a regular file" in only_problem(copy)


def test_a_model_that_answers_with_less_is_found(copy, private, exported, monkeypatch):
    """The graph's answer is compared in both directions."""
    honest = verify(exported).guarantee
    monkeypatch.setattr(PrivacyGuarantee, "to_json", lambda self: "{}")
    shutil.rmtree(copy)
    export(private, copy)
    monkeypatch.undo()
    restate(copy, honest)
    assert only_problem(copy).startswith("The model itself answers with another text than that of")


def test_tensorflow_is_not_imported_for_an_altered_model(copy):
    called = []
    verify(copy, before_loading=lambda: called.append("intact"))
    (copy / "saved_model.pb").write_bytes(b"something else")
    verify(copy, before_loading=lambda: called.append("altered"))
    assert called == ["intact"]


def test_added_files_are_named(copy):
    (copy / "assets" / "more.txt").write_text("more")
    assert only_problem(copy).startswith("The file assets/more.txt was added: ")


def test_a_model_without_a_record_is_reported(copy):
    (copy / RECORD).unlink()
    assert only_problem(copy) == (
        f"There is no {RECORD}: this SavedModel was not written by tfdpzoo, or its privacy record "
        "was taken away, so that nothing is claimed for it."
    )


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds neither a SavedModel"):
        verify(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        verify(tmp_path / "none")


def test_an_edited_epsilon_is_contradicted_by_the_model(copy, guarantee):
    record, digests = json.loads((copy / RECORD).read_text()), "files"
    files = record.pop(digests)
    lower = dataclasses.replace(
        PrivacyGuarantee.from_fields(record),
        claim=Claim(0.5, 1e-4, 4.0, guarantee.claim.delta_rule),
    )
    text = strict_json.to_text({**lower.to_fields(), digests: files}) + "\n"
    (copy / RECORD).write_text(text)
    problems = verify(copy).problems
    assert len(problems) == 2
    assert "states sentence = The final weights" in problems[0]
    assert "states claim.epsilon = 0.5, but the model itself answers 2.38" in problems[1]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "epsilon = 2.39",
            "epsilon = 0.39",
            "states sentence = The final weights of this model are",
        ),
        ('"executed": 20', '"executed":  20', "was edited: it is not in the form"),
        ('"executed": 20', '"executed": 21', "updates.executed = 21, but the model itself answers"),
        ('"valid": true', '"valid": false', "valid exactly if it lists no weaknesses"),
        ('"planned": 20,', "", "lacks the field updates.planned"),
        ('"files": {', '"more": {', "lacks the digests of the model's files"),
    ],
)
def test_edits_of_the_record_are_explained(copy, old, new, problem):
    edit(copy / RECORD, old, new)
    assert problem in only_problem(copy)


def restate(folder: Path, guarantee: PrivacyGuarantee) -> None:
    """Writes another record with digests that fit, as somebody who knows the format would."""
    write_privacy_file(folder, guarantee)


def test_a_record_of_other_weights_is_found(copy, exported, tmp_path):
    """The variables of another model, with digests of files that fit."""
    from stand_in import small_model

    other = export(StandIn(small_model(seed=5)), tmp_path / "other" / "1")
    shutil.copytree(other / "variables", copy / "variables", dirs_exist_ok=True)
    restate(copy, verify(exported).guarantee)
    assert only_problem(copy) == (
        "The weights are not the ones of the record: they do not have its digest."
    )


def test_a_record_that_the_graph_does_not_have_is_found(copy, exported):
    honest = verify(exported).guarantee
    restate(copy, honest.with_metrics({"accuracy": 0.99}))
    (problem,) = verify(copy).problems
    assert "evaluation" in problem
    assert "but the model itself answers None" in problem


def test_another_answer_over_rest_is_found(copy, exported):
    """The record's signature is intact; the one that REST can call claims something else."""

    class Lying(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="requests")])
        def answer(self, requests):
            return {"json": tf.fill(tf.shape(requests), "epsilon = 0")}

    loaded, lying = tf.saved_model.load(str(exported)), Lying()
    lying.weights = loaded.weights
    honest = loaded.signatures["privacy_guarantee"]
    signatures = {"privacy_guarantee": honest, "privacy_guarantee_rest": lying.answer}
    tf.saved_model.save(lying, str(copy), signatures=signatures)
    restate(copy, verify(exported).guarantee)
    assert only_problem(copy) == (
        "The model does not answer with its privacy record: over REST it answers with another one."
    )


def test_a_foreign_saved_model_is_found(copy, exported):
    """A graph without the signature, with digests that fit."""
    module = tf.Module()
    module.variable = tf.Variable(1.0)
    tf.saved_model.save(module, str(copy))
    restate(copy, verify(exported).guarantee)
    problems = verify(copy).problems
    assert any("does not answer with its privacy record" in problem for problem in problems)


def test_a_graph_that_does_not_parse_is_found(copy, exported):
    (copy / "saved_model.pb").write_bytes(b"\xff" * 100)
    (copy / "variables" / "variables.index").write_bytes(b"\xff" * 100)
    restate(copy, verify(exported).guarantee)
    problems = verify(copy).problems
    assert any("The variables cannot be read" in problem for problem in problems)
    assert any("does not answer with its privacy record" in problem for problem in problems)


def test_an_export_with_too_low_an_epsilon_fails(private, guarantee, tmp_path):
    """Everything agrees with everything, except the arithmetic."""
    low = dataclasses.replace(guarantee, claim=dataclasses.replace(guarantee.claim, epsilon=1.0))
    report = verify(export(private, tmp_path / "1", guarantee=low))
    assert report.problems == (
        f"The record states claim.epsilon = 1.0, but its own fields give {guarantee.epsilon!r}.",
    )
    assert report.recomputed_epsilon == pytest.approx(guarantee.epsilon, rel=1e-6)
    assert report.guarantee.epsilon == 1.0


def replaced(record, where, value):
    """Returns a record with the field at a dotted path replaced."""
    name, _, rest = where.partition(".")
    inner = value if not rest else replaced(getattr(record, name), rest, value)
    return dataclasses.replace(record, **{name: inner})


@pytest.mark.parametrize(
    ("where", "value", "problem"),
    [
        ("claim.epsilon", 2.38, "claim.epsilon = 2.38, but its own fields give 2.38"),
        ("claim.epsilon", math.inf, "claim.epsilon = infinity, but its own fields give 2.38"),
        ("claim.delta", 1e-3, "claim.epsilon = 2.38"),
        ("claim.target_epsilon", 2.0, "hides a weakness: the executed updates cost more than"),
        ("updates.executed", 19, "updates.executed = 19, but its own fields give 20"),
        ("updates.segments", (Segment(1.1, 0.1, 21),), "claim.epsilon = 2.38"),
        ("updates.segments", (Segment(1.0, 0.1, 20),), "mechanism.noise_multiplier = 1.1"),
        ("mechanism.noise_standard_deviation", 2.2, "mechanism.noise_standard_deviation = 2.2"),
        ("mechanism.clip_norm", 0.5, "mechanism.noise_standard_deviation = 1.1"),
        ("sampling.sampling_rate", 0.05, "sampling.sampling_rate = 0.05"),
        ("sampling.expected_batch", 200, "sampling.sampling_rate = 0.1"),
        ("event.events", (), "event.events = []"),
        ("renyi.values", (), "renyi.values = []"),
        ("curve", (), "curve = []"),
    ],
)
def test_wrong_arithmetic_is_found(guarantee, where, value, problem):
    epsilon, problems = check_arithmetic(replaced(guarantee, where, value))
    assert any(problem in each for each in problems), problems
    assert epsilon is not None


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("factor", [0.9, 1 - 1e-5, 1 + 1e-5, 1.1])
def test_every_row_is_compared(guarantee, row, factor):
    rows = list(guarantee.results)
    rows[row] = dataclasses.replace(rows[row], epsilon=rows[row].epsilon * factor)
    _, problems = check_arithmetic(dataclasses.replace(guarantee, results=tuple(rows)))
    assert len(problems) == 1
    assert f"results[{row}].epsilon" in problems[0]


def test_every_point_of_the_curves_is_compared(guarantee):
    points = list(guarantee.curve)
    points[2] = dataclasses.replace(points[2], epsilon=points[2].epsilon - 0.01)
    values = list(guarantee.renyi.values)
    values[7] -= 0.01
    altered = dataclasses.replace(
        guarantee,
        curve=tuple(points),
        renyi=dataclasses.replace(guarantee.renyi, values=tuple(values)),
    )
    _, problems = check_arithmetic(altered)
    named = [each.split()[3] for each in problems]
    assert named == ["curve[2].epsilon", "renyi.values[7]"]


def test_an_honest_record_has_no_problems(guarantee):
    assert check_arithmetic(guarantee) == (guarantee.epsilon, [])
    weak = dataclasses.replace(guarantee, status=Status(False, ("the seed was fixed",)))
    assert check_arithmetic(weak) == (guarantee.epsilon, [])


def test_a_record_of_another_accountants_version_is_compared_by_its_numbers(guarantee):
    rows = [dataclasses.replace(row, accountant_version="other 9") for row in guarantee.results]
    assert check_arithmetic(dataclasses.replace(guarantee, results=tuple(rows)))[1] == []


def test_a_record_on_a_coarser_grid_is_recomputed_on_its_own(guarantee):
    from tfdpzoo.privacy.results import account

    coarse = account(guarantee.updates.segments, guarantee.delta, 1e-2)
    stated = dataclasses.replace(
        guarantee,
        results=coarse.results,
        curve=coarse.curve,
        claim=dataclasses.replace(guarantee.claim, epsilon=coarse.results[0].epsilon),
    )
    assert check_arithmetic(stated) == (coarse.results[0].epsilon, [])
    assert stated.recompute() == coarse.results[0].epsilon > guarantee.epsilon


def test_an_implausible_grid_is_refused_and_not_computed(guarantee):
    rows = list(guarantee.results)
    rows[0] = dataclasses.replace(rows[0], discretization_interval=1e-12)
    epsilon, problems = check_arithmetic(dataclasses.replace(guarantee, results=tuple(rows)))
    assert epsilon is None
    assert problems == ["The record's discretisation interval of 1e-12 is not plausible."]


def test_digests_are_plain_sha256(exported):
    """What a person checks with sha256sum."""
    files = json.loads((exported / RECORD).read_text())["files"]
    for name, digest in files.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest
