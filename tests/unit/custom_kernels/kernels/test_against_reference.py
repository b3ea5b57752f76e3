"""Every op's own comparisons with float64, the ones that `pancap bench kernels` makes before it times anything."""

from importlib import import_module

import pytest

OPS = ("box_decode", "box_loss", "pairwise_iou", "nms", "roi_align")


@pytest.mark.parametrize("op", OPS)
def test_forward_and_gradients_agree_with_float64(op, device):
    checks = list(import_module(f"pancap.custom_kernels.{op}.bench").checks(device))
    assert checks
    failed = [f"{check.name}: {check.error:.2e} > {check.limit:.0e}" for check in checks if not check.is_passed]
    assert not failed, "\n".join(failed)
