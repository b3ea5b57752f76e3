from pancap.caption import Box
from pancap.engine.detections import Detection
from pancap.engine.merging import drop_doubles, join_detections


def found(tag, *corners, score=1.0):
    return Detection(tag=tag, box=Box(*corners), score=score)


CAT = found("cat", 0.1, 0.1, 0.5, 0.5, score=0.1)


def test_a_region_elsewhere_joins_and_one_on_top_does_not():
    on_top, elsewhere = found("dog", 0.12, 0.1, 0.5, 0.5, score=0.99), found("dog", 0.6, 0.6, 0.9, 0.9)
    assert join_detections([CAT], [[on_top, elsewhere]], max_iou=0.5) == [CAT, elsewhere]


def test_the_first_detectors_regions_all_stay_however_they_overlap():
    assert join_detections([CAT, CAT], [[]], max_iou=0.0) == [CAT, CAT]


def test_a_region_that_joined_keeps_later_ones_out():
    first, second = found("dog", 0.6, 0.6, 0.9, 0.9), found("wolf", 0.6, 0.6, 0.9, 0.88)
    assert join_detections([CAT], [[first], [second]], max_iou=0.5) == [CAT, first]


def test_the_threshold_itself_still_joins():
    half = found("dog", 0.1, 0.1, 0.5, 0.3)
    assert join_detections([CAT], [[half]], max_iou=0.51) == [CAT, half]
    assert join_detections([CAT], [[half]], max_iou=0.49) == [CAT]


def test_of_two_boxes_of_one_name_the_better_one_stays():
    wall, again = found("wall", 0.0, 0.0, 1.0, 0.5, score=0.6), found("wall", 0.0, 0.0, 1.0, 0.6, score=0.7)
    floor, other_wall = found("floor", 0.0, 0.0, 1.0, 0.55, score=0.1), found("wall", 0.0, 0.7, 1.0, 1.0, score=0.2)
    assert drop_doubles([wall, floor, again, other_wall], max_iou=0.3) == [again, other_wall, floor]
    assert drop_doubles([wall, again], max_iou=0.9) == [again, wall]


def test_with_no_proposals_the_class_aware_regions_are_what_there_is():
    assert join_detections([], [[CAT]], max_iou=0.5) == [CAT]
