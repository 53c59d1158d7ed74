import time

import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.data.indexed import DecodedImages
from tfdpzoo.data.streams import _errors, batches_in_order, original_errors, stream
from tfdpzoo.errors import InputError

SCALAR = tf.TensorSpec((), tf.int32)


def failing(error, after=2):
    def elements():
        yield from range(after)
        raise error

    return stream(elements, SCALAR, 2)


@pytest.mark.parametrize(
    "error", [InputError("The image 7 is broken."), OSError(5, "gone"), KeyError("a")]
)
def test_an_error_is_raised_as_it_was_and_after_what_came_before_it(error):
    seen = []
    with pytest.raises(type(error)) as raised, original_errors():
        for element in failing(error):
            seen.append(int(element))
    assert raised.value is error
    assert seen == [0, 1]
    assert not _errors


def test_it_is_raised_out_of_compiled_code_and_through_transformations():
    error = InputError("The image 7 is broken.")

    @tf.function
    def total(dataset):
        return dataset.reduce(0, lambda total, element: total + element)

    with pytest.raises(InputError, match="The image 7 is broken."), original_errors():
        total(failing(error).map(lambda element: 2 * element).repeat())


def test_the_cause_of_an_error_is_kept():
    cause = OSError(5, "gone")
    error = InputError("The image 7 is broken.")
    error.__cause__ = cause
    with pytest.raises(InputError) as raised, original_errors():
        list(failing(error))
    assert raised.value.__cause__ is cause


def test_two_streams_do_not_mix_their_errors():
    first, second = failing(InputError("first")), failing(InputError("second"))
    for dataset, text in ((second, "second"), (first, "first")):
        with pytest.raises(InputError, match=text), original_errors():
            list(dataset)


def test_errors_of_tensorflow_itself_stay_what_they_are():
    with pytest.raises(tf.errors.InvalidArgumentError), original_errors():
        tf.reshape(tf.zeros(3), (2, 2))


def test_no_more_than_was_asked_for_is_made_ahead():
    made = []

    def elements():
        for number in range(20):
            made.append(number)
            yield number

    iterator = iter(stream(elements, SCALAR, 2))
    for used in range(1, 4):
        next(iterator)
        end = time.monotonic() + 10
        while len(made) < used + 2 and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(made) == used + 2


@pytest.mark.parametrize("batch_size", [1, 4, 10, 11])
def test_all_examples_are_in_order_however_the_images_are_read(batch_size):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(10)
    by_index = DecodedImages(pixels.shape, lambda index: pixels[index])
    for images in (pixels, by_index):
        dataset = batches_in_order(images, labels, batch_size)
        assert len(dataset) == -(-10 // batch_size)
        for _ in range(2):  # Every epoch is evaluated on the same.
            found = list(dataset.as_numpy_iterator())
            np.testing.assert_array_equal(np.concatenate([each for each, _ in found]), pixels)
            np.testing.assert_array_equal(np.concatenate([each for _, each in found]), labels)
            assert {len(each) for _, each in found[:-1]} <= {batch_size}
