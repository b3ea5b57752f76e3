"""The box loss and its gradient in chunks: three matrix products and one kernel over the rows between them.

Logits are never recomputed and never all there: a chunk of `CHUNK_BOXES` boxes makes its logits, the kernel turns
them into the gradient of the logits, two products turn that into the gradients of hidden states and weight. 2,048
rows of 1,008 float32 logits are 8 MB: they stay in the L2 cache of a large GPU, and one chunk's first product has
128 tiles of 128 x 128, one for nearly every processor of an H100.

Legend: M boxes, R = 4 M rows, K coordinate values, H width.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

from pancap.custom_kernels.box_loss.reference import MIN_AREA, reach_of

CHUNK_BOXES = 512
# Rows of a buffer begin at multiples of 16 bytes in every dtype: odd ones send matrix products down slow paths.
_ALIGN = 8
_SCALE_BLOCK = 4096


@triton.jit
def _share(value, other):
    """The derivative of max(value, other) after value: 1, at a tie 1/2, else 0, as torch has it."""
    return tl.where(value > other, 1.0, tl.where(value == other, 0.5, 0.0))


@triton.jit
def _overlap(low, high, true_low, true_high):
    """One axis: (length, shared length, hull) and the derivatives of the latter two after low and high."""
    shared = tl.minimum(high, true_high) - tl.maximum(low, true_low)
    is_shared = tl.where(shared >= 0.0, 1.0, 0.0)
    hull = tl.maximum(high, true_high) - tl.minimum(low, true_low)
    return (
        tl.maximum(high - low, 0.0),
        tl.maximum(shared, 0.0),
        hull,
        -is_shared * _share(low, true_low),
        is_shared * _share(true_high, high),
        -_share(true_low, low),
        _share(high, true_high),
    )


@triton.jit
def _corner_gradient(area, shared, hull, shared_size, union, hull_size, MIN_AREA: tl.constexpr):
    """Derivative of GIoU = shared / union + union / hull - 1 from those of box area, shared area and hull."""
    union_safe = tl.maximum(union, MIN_AREA)
    hull_safe = tl.maximum(hull_size, MIN_AREA)
    by_union = tl.where(union >= MIN_AREA, 1.0 / hull_safe - shared_size / (union_safe * union_safe), 0.0)
    by_hull = tl.where(hull_size >= MIN_AREA, -union_safe / (hull_safe * hull_safe), 0.0)
    return shared / union_safe + (area - shared) * by_union + hull * by_hull


@triton.jit
def _corner(values, slots, SLOT: tl.constexpr):
    return tl.sum(tl.where(slots == SLOT, values, 0.0))


@triton.jit
def _giou(box, truth, slots, MIN_AREA: tl.constexpr):
    """GIoU of two boxes (4,), and its derivative (4,) after the first."""
    x1, y1, x2, y2 = _corner(box, slots, 0), _corner(box, slots, 1), _corner(box, slots, 2), _corner(box, slots, 3)
    true_x1, true_y1 = _corner(truth, slots, 0), _corner(truth, slots, 1)
    true_x2, true_y2 = _corner(truth, slots, 2), _corner(truth, slots, 3)
    width, shared_x, hull_x, shared_x1, shared_x2, hull_x1, hull_x2 = _overlap(x1, x2, true_x1, true_x2)
    height, shared_y, hull_y, shared_y1, shared_y2, hull_y1, hull_y2 = _overlap(y1, y2, true_y1, true_y2)
    shared, hull = shared_x * shared_y, hull_x * hull_y
    true_area = tl.maximum(true_x2 - true_x1, 0.0) * tl.maximum(true_y2 - true_y1, 0.0)
    union = width * height + true_area - shared
    union_safe = tl.maximum(union, MIN_AREA)
    giou = shared / union_safe + union_safe / tl.maximum(hull, MIN_AREA) - 1.0

    wide = tl.where(x2 >= x1, height, 0.0)
    tall = tl.where(y2 >= y1, width, 0.0)
    by_x1 = _corner_gradient(-wide, shared_x1 * shared_y, hull_x1 * hull_y, shared, union, hull, MIN_AREA)
    by_y1 = _corner_gradient(-tall, shared_y1 * shared_x, hull_y1 * hull_x, shared, union, hull, MIN_AREA)
    by_x2 = _corner_gradient(wide, shared_x2 * shared_y, hull_x2 * hull_y, shared, union, hull, MIN_AREA)
    by_y2 = _corner_gradient(tall, shared_y2 * shared_x, hull_y2 * hull_x, shared, union, hull, MIN_AREA)
    return giou, tl.where(slots == 0, by_x1, tl.where(slots == 1, by_y1, tl.where(slots == 2, by_x2, by_y2)))


@triton.jit
def _aim(distance, is_bin, sigma, reach, IS_SOFT: tl.constexpr):
    """What the distributions should be, by the distance of each bin from the true one; see `soft_targets`."""
    if IS_SOFT:
        steps = distance.to(tl.float32) / sigma
        near = (distance <= reach) & (distance >= -reach) & is_bin
        bell = tl.where(near, tl.exp(-0.5 * steps * steps), 0.0)
        return bell / tl.sum(bell, axis=1)[:, None]
    else:
        return tl.where(distance == 0, 1.0, 0.0)


# Over 60 lines, a third of them arguments.
@triton.jit
def _box_loss_rows_kernel(
    logits_ptr,
    grad_ptr,
    bias_ptr,
    targets_ptr,
    weights_ptr,
    loss_ptr,
    ce_ptr,
    giou_ptr,
    l1_ptr,
    expected_ptr,
    num_values,
    stride_logits,
    stride_grad,
    sigma,
    reach,
    ce_weight,
    giou_weight,
    l1_weight,
    HAS_BIAS: tl.constexpr,
    HAS_GRAD: tl.constexpr,
    IS_SOFT: tl.constexpr,
    MIN_AREA: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    box = tl.program_id(0).to(tl.int64)
    slots = tl.arange(0, 4)
    bins = tl.arange(0, BLOCK_K)
    is_bin = (bins < num_values)[None, :]
    last = (num_values - 1) * 1.0
    rows = box * 4 + slots
    logits = tl.load(logits_ptr + rows[:, None] * stride_logits + bins[None, :], mask=is_bin, other=float("-inf"))
    logits = logits.to(tl.float32)
    if HAS_BIAS:
        logits += tl.load(bias_ptr + bins[None, :], mask=is_bin, other=0.0).to(tl.float32)
    targets = tl.load(targets_ptr + rows)
    weight = tl.load(weights_ptr + box)

    logits -= tl.max(logits, axis=1)[:, None]
    probs = tl.exp(logits)
    total = tl.sum(probs, axis=1)
    probs = probs / total[:, None]
    values = bins.to(tl.float32)[None, :] / last
    expected = tl.sum(probs * values, axis=1)
    aim = _aim(bins[None, :] - targets[:, None], is_bin, sigma, reach, IS_SOFT)
    ce = tl.log(total) - tl.sum(tl.where(aim > 0.0, aim * logits, 0.0), axis=1)
    truth = targets.to(tl.float32) / last
    offset = expected - truth
    l1 = tl.abs(offset)
    giou, by_corner = _giou(expected, truth, slots, MIN_AREA)

    loss = ce_weight * tl.sum(ce) + giou_weight * (1.0 - giou) + l1_weight * tl.sum(l1)
    tl.store(loss_ptr + box, loss * weight)
    tl.store(ce_ptr + rows, ce)
    tl.store(giou_ptr + box, giou)
    tl.store(l1_ptr + rows, l1)
    tl.store(expected_ptr + rows, expected)
    if HAS_GRAD:
        sign = tl.where(offset > 0.0, 1.0, tl.where(offset < 0.0, -1.0, 0.0))
        by_expected = l1_weight * sign - giou_weight * by_corner
        # d expected / d logit k = p_k (v_k - expected).
        grad = ce_weight * (probs - aim) + by_expected[:, None] * probs * (values - expected[:, None])
        grad = (grad * weight).to(grad_ptr.dtype.element_ty)
        tl.store(grad_ptr + rows[:, None] * stride_grad + bins[None, :], grad, mask=is_bin)


@triton.jit
def _scale_kernel(data_ptr, factor_ptr, num_elements, BLOCK: tl.constexpr):
    factor = tl.load(factor_ptr)
    if factor != 1.0:
        offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        mask = offsets < num_elements
        data = tl.load(data_ptr + offsets, mask=mask, other=0.0)
        tl.store(data_ptr + offsets, (data.to(tl.float32) * factor).to(data.dtype), mask=mask)


def launch(
    hidden_M4H: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    targets_M4: torch.Tensor,
    box_weights_M: torch.Tensor,
    *,
    sigma: float,
    ce_weight: float,
    giou_weight: float,
    l1_weight: float,
    needs_hidden: bool,
    needs_weight: bool,
    needs_bias: bool,
) -> tuple[torch.Tensor, ...]:
    """(total, ce, giou, l1, expected, gradients of hidden, weight and bias; those not needed have no elements)."""
    num_boxes, _, width = hidden_M4H.shape
    num_values, device, dtype = len(weight_KH), hidden_M4H.device, hidden_M4H.dtype
    has_grad = needs_hidden or needs_weight or needs_bias
    shapes = (num_boxes,), (num_boxes, 4), (num_boxes,), (num_boxes, 4), (num_boxes, 4)
    figures = [torch.empty(shape, dtype=torch.float32, device=device) for shape in shapes]
    grad_hidden = hidden_M4H.new_empty(num_boxes if needs_hidden else 0, 4, width)
    sum_weight = torch.zeros(num_values if needs_weight else 0, width, dtype=torch.float32, device=device)
    sum_bias = torch.zeros(num_values if needs_bias else 0, dtype=torch.float32, device=device)
    logits_RK = _chunk(hidden_M4H, num_values, dtype=torch.float32)
    grad_RK = logits_RK if dtype == torch.float32 or not has_grad else _chunk(hidden_M4H, num_values, dtype=dtype)
    for start in range(0, num_boxes, CHUNK_BOXES):
        part = slice(start, start + CHUNK_BOXES)
        rows_RH = hidden_M4H[part].reshape(-1, width)
        logits, grad = logits_RK[: len(rows_RH)], grad_RK[: len(rows_RH)]
        _multiply(rows_RH, weight_KH.T, out=logits)
        _box_loss_rows_kernel[(len(rows_RH) // 4,)](
            logits,
            grad,
            weight_KH if bias_K is None else bias_K,
            targets_M4[part],
            box_weights_M[part],
            *(figure[part] for figure in figures),
            num_values,
            logits.stride(0),
            grad.stride(0),
            sigma,
            reach_of(sigma),
            ce_weight,
            giou_weight,
            l1_weight,
            HAS_BIAS=bias_K is not None,
            HAS_GRAD=has_grad,
            IS_SOFT=sigma > 0,
            MIN_AREA=MIN_AREA,
            BLOCK_K=triton.next_power_of_2(num_values),
            num_warps=8,
        )
        if needs_hidden:
            torch.mm(grad, weight_KH, out=grad_hidden[part].view(-1, width))
        if needs_weight:
            _multiply(grad.T, rows_RH, out=sum_weight, is_added=True)
        if needs_bias:
            sum_bias += grad.sum(dim=0, dtype=torch.float32)
    bias_dtype = torch.float32 if bias_K is None else bias_K.dtype
    return figures[0].sum(), *figures[1:], grad_hidden, sum_weight.to(weight_KH.dtype), sum_bias.to(bias_dtype)


def _chunk(hidden_M4H: torch.Tensor, num_values: int, *, dtype: torch.dtype) -> torch.Tensor:
    """Room for the (R, K) logits of one chunk."""
    num_rows = 4 * min(CHUNK_BOXES, len(hidden_M4H))
    pitch = triton.cdiv(num_values, _ALIGN) * _ALIGN
    return torch.empty(num_rows, pitch, dtype=dtype, device=hidden_M4H.device)[:, :num_values]


def launch_scale(data: torch.Tensor, factor: torch.Tensor) -> None:
    """Multiplies in place, without waiting for the factor; a factor of 1 costs one empty launch."""
    if data.numel():
        _scale_kernel[(triton.cdiv(data.numel(), _SCALE_BLOCK),)](
            data, factor, data.numel(), BLOCK=_SCALE_BLOCK, num_warps=8
        )


def _multiply(left: torch.Tensor, right: torch.Tensor, *, out: torch.Tensor, is_added: bool = False) -> None:
    """Matrix product summed and written in float32, whatever the inputs' dtype."""
    if left.dtype == torch.float32:
        torch.addmm(out, left, right, out=out) if is_added else torch.mm(left, right, out=out)
    elif left.is_cuda:
        if is_added:
            torch.addmm(out, left, right, out_dtype=torch.float32, out=out)
        else:
            torch.mm(left, right, out_dtype=torch.float32, out=out)
    else:
        # The CPU has no product of half-precision inputs into float32; only tests come here.
        product = left.float() @ right.float()
        out.add_(product) if is_added else out.copy_(product)
