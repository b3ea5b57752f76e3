import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pancap.custom_kernels.box_decode import box_decode, box_decode_joint

SCALES = st.sampled_from([0.0, 1.0, 1e3, 1e30])


def slots(seed, num_boxes, num_values, scale):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(num_boxes, 4, 8, generator=generator) * scale
    return hidden, torch.randn(num_values, 8, generator=generator)


def limits(draw_low, draw_high, num_values):
    """Bounds of one axis that leave room for two ends."""
    low = min(draw_low, num_values - 2)
    return low, max(low + 1, min(draw_high, num_values - 1))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    num_boxes=st.integers(1, 3),
    num_values=st.integers(2, 40),
    scale=SCALES,
    corners=st.tuples(*[st.integers(0, 40)] * 4),
    is_drawn=st.booleans(),
)
def test_slot_by_slot_no_box_is_ever_invalid(seed, num_boxes, num_values, scale, corners, is_drawn):
    """R26, the way the chain decodes: x1, y1 below the last allowed value, then x2 > x1 and y2 > y1."""
    hidden, weight = slots(seed, num_boxes, num_values, scale)
    axes = limits(*corners[:2], num_values), limits(*corners[2:], num_values)
    written = []
    for slot in range(4):
        low, high = axes[slot % 2]
        first = torch.full((num_boxes,), low) if slot < 2 else written[slot - 2] + 1
        last = torch.full((num_boxes,), high - 1 if slot < 2 else high)
        seeds = torch.arange(num_boxes) * 4 + slot + seed if is_drawn else None
        found = box_decode(hidden[:, slot], weight, lower_N=first, upper_N=last, seeds_N=seeds, temperature=0.7)
        assert (found.expected >= 0).all() and (found.expected <= 1 + 1e-6).all()
        assert (found.std >= 0).all() and (found.std <= 0.5 + 1e-6).all()
        assert (found.log_prob <= 1e-6).all()
        written.append(found.bins)
    for axis, (low, high) in enumerate(axes):
        assert (written[axis] >= low).all() and (written[axis + 2] <= high).all()
        assert (written[axis] < written[axis + 2]).all()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    num_boxes=st.integers(1, 3),
    num_values=st.integers(2, 40),
    scale=SCALES,
    corners=st.tuples(*[st.integers(0, 40)] * 4),
)
def test_four_slots_at_once_no_box_is_ever_invalid(seed, num_boxes, num_values, scale, corners):
    hidden, weight = slots(seed, num_boxes, num_values, scale)
    axes = [limits(*corners[:2], num_values), limits(*corners[2:], num_values)] * 2
    lower = torch.tensor([low for low, _ in axes]).expand(num_boxes, -1)
    upper = torch.tensor([high for _, high in axes]).expand(num_boxes, -1)
    found = box_decode_joint(hidden, weight, lower_B4=lower, upper_B4=upper)
    assert (found.bins >= lower).all() and (found.bins <= upper).all()
    assert (found.bins[:, :2] < found.bins[:, 2:]).all()
    assert torch.isfinite(found.log_prob).all()
