"""What each kernel takes of an H100, compiled here without a GPU: no spills, and room for two programs a processor."""

import pytest

from pancap.custom_kernels.backend import is_interpreting

MAX_SHARED_BYTES = 113 * 1024

DECODE_SIGNATURE = {
    **{f"{name}_ptr": "*bf16" for name in ("hidden", "weight", "bias", "embedding", "next")},
    **{f"{name}_ptr": "*i64" for name in ("lower", "upper", "seeds", "bins")},
    **{f"{name}_ptr": "*fp32" for name in ("partial", "stats", "pairs", "log_prob", "mean", "std")},
    "counters_ptr": "*i32",
    "num_rows": "i32",
    "num_values": "i32",
    **dict.fromkeys(("width", "split_width", "stride_hidden", "stride_weight", "stride_embedding"), "i32:16"),
    "temperature": "fp32",
}


def decode_build(num_rows, *, is_joint=False, is_sampled=False):
    import torch
    import triton

    from pancap.custom_kernels.box_decode import kernel
    from pancap.custom_kernels.box_decode.plan import make_plan

    plan = make_plan(num_rows, 1001, 5120, dtype=torch.bfloat16, is_joint=is_joint, processors=132)
    return {
        "kernel": kernel._box_decode_fwd_kernel,
        "signature": DECODE_SIGNATURE,
        "constants": {
            "HAS_BIAS": False,
            "HAS_LOWER": True,
            "HAS_UPPER": True,
            "HAS_EMBEDDING": num_rows <= kernel.MAX_FUSED_ROWS,
            "IS_SAMPLED": is_sampled,
            "IS_JOINT": is_joint,
            "SPLITS": plan.splits,
            "BLOCK_N": plan.block_n,
            "BLOCK_K": plan.block_k,
            "BLOCK_H": plan.block_h,
            "BLOCK_J": triton.next_power_of_2(triton.cdiv(1001, plan.block_k)),
            "PRECISION": "ieee",
            "IS_WIDENED": False,
        },
        "num_warps": plan.num_warps,
        "num_stages": plan.num_stages,
    }


def loss_build():
    from pancap.custom_kernels.box_loss import kernel
    from pancap.custom_kernels.box_loss.reference import MIN_AREA

    figures = ("logits", "weights", "loss", "ce", "giou", "l1", "expected")
    return {
        "kernel": kernel._box_loss_rows_kernel,
        "signature": {
            **{f"{name}_ptr": "*fp32" for name in figures},
            "grad_ptr": "*bf16",
            "bias_ptr": "*bf16",
            "targets_ptr": "*i64",
            "num_values": "i32",
            "stride_logits": "i32:16",
            "stride_grad": "i32:16",
            "reach": "i32",
            **dict.fromkeys(("sigma", "ce_weight", "giou_weight", "l1_weight"), "fp32"),
        },
        "constants": {
            "HAS_BIAS": False,
            "HAS_GRAD": True,
            "IS_SOFT": True,
            "MIN_AREA": MIN_AREA,
            "BLOCK_K": 1024,
        },
        "num_warps": 8,
    }


def scale_build():
    from pancap.custom_kernels.box_loss import kernel

    return {
        "kernel": kernel._scale_kernel,
        "signature": {"data_ptr": "*bf16", "factor_ptr": "*fp32", "num_elements": "i64:16"},
        "constants": {"BLOCK": 4096},
        "num_warps": 8,
    }


def iou_build():
    from pancap.custom_kernels.pairwise_iou import kernel

    return {
        "kernel": kernel._pairwise_iou_fwd_kernel,
        "signature": {
            "boxes_ptr": "*fp32",
            "others_ptr": "*fp32",
            "starts_ptr": "*i64",
            "values_ptr": "*fp32",
            "num_pairs": "i32",
        },
        "constants": {
            "IS_GENERALIZED": True,
            "MIN_AREA": kernel.MIN_AREA,
            "BLOCK_N": kernel.BLOCK_N,
            "BLOCK_M": kernel.BLOCK_M,
        },
        "num_warps": 8,
    }


def nms_bits_build():
    from pancap.custom_kernels.nms import kernel

    return {
        "kernel": kernel._nms_bits_kernel,
        "signature": {
            "boxes_ptr": "*fp32",
            "labels_ptr": "*i64",
            "bits_ptr": "*i32",
            "num_boxes": "i32",
            "num_words": "i32",
            "max_iou": "fp32",
        },
        "constants": {"MIN_AREA": kernel.MIN_AREA, "BLOCK": kernel._BLOCK, "WORD": kernel._WORD},
        "num_warps": 4,
    }


def nms_walk_build():
    from pancap.custom_kernels.nms import kernel

    return {
        "kernel": kernel._nms_walk_kernel,
        "signature": {"bits_ptr": "*i32", "kept_ptr": "*i8", "num_boxes": "i32", "num_words": "i32"},
        "constants": {"BLOCK_W": 64, "WORD": kernel._WORD},
        "num_warps": 1,
    }


def roi_build(*, is_backward):
    from pancap.custom_kernels.roi_align import kernel

    return {
        "kernel": kernel._roi_align_kernel,
        "signature": {
            "features_ptr": "*fp32",
            "regions_ptr": "*fp32",
            "output_ptr": "*fp32",
            "channels": "i32:16",
            "height": "i32",
            "width": "i32",
            "scale": "fp32",
            "shift": "fp32",
        },
        "constants": {
            "PH": 7,
            "PW": 7,
            "SAMPLING": 0,
            "IS_ALIGNED": True,
            "IS_BACKWARD": is_backward,
            "BLOCK_C": 256,
        },
        "num_warps": 4,
    }


# (build, most registers a thread): 65,536 a processor are enough for 3 programs of 4 warps at 168, 2 of 8 at 128.
BUILDS = {
    "box_decode, 1 row": (lambda: decode_build(1), 168),
    "box_decode, 64 rows": (lambda: decode_build(64), 168),
    "box_decode, 64 rows, drawn": (lambda: decode_build(64, is_sampled=True), 168),
    "box_decode, 256 rows": (lambda: decode_build(256), 168),
    "box_decode, joint": (lambda: decode_build(16, is_joint=True), 168),
    "box_loss, rows": (loss_build, 128),
    "box_loss, scale": (scale_build, 128),
    "pairwise_iou": (iou_build, 128),
    "nms, bits": (nms_bits_build, 128),
    "nms, walk": (nms_walk_build, 128),
    "roi_align": (lambda: roi_build(is_backward=False), 128),
    "roi_align, backward": (lambda: roi_build(is_backward=True), 128),
}


@pytest.mark.parametrize("name", BUILDS)
def test_a_kernel_for_hopper_stays_within_its_registers_and_spills_nothing(name):
    if is_interpreting():
        pytest.skip("needs Triton to compile; unset TRITON_INTERPRET")
    from pancap.custom_kernels.resources import compile_ahead

    build, max_registers = BUILDS[name]
    found = compile_ahead(**build())
    print(name, found)
    assert found.registers <= max_registers
    assert found.spilled_bytes == 0
    assert found.shared_bytes <= MAX_SHARED_BYTES
