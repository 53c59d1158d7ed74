import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.data.aligned import aligned_zeros


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=4),
    st.sampled_from([np.uint8, np.int32, np.float64]),
)
def test_they_are_zeros_at_an_address_that_tensorflow_uses(shape, dtype):
    array = aligned_zeros(tuple(shape), dtype)
    assert (array.shape, array.dtype) == (tuple(shape), np.dtype(dtype))
    assert array.ctypes.data % 64 == 0 or array.size == 0
    assert not array.any()
    assert array.flags.c_contiguous and array.flags.writeable
