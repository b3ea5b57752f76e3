from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec, Instance, without_boxes

BOX = Box(0.1, 0.2, 0.3, 0.4)


def test_a_box_is_spelled_in_the_padded_square_in_both_forms():
    assert BoxCodec(coordinates="tokens", width=200, height=100).render_box(BOX) == "<box><c100><c350><c300><c450>"
    text = BoxCodec(coordinates="text", width=200, height=100).render_box(BOX)
    assert text == "<box>[[100, 350, 300, 450]]</box>"


def test_a_caption_survives_the_way_through_the_model_s_text():
    caption = "A cat [[0.100, 0.200, 0.300, 0.400]] sits on a mat [[0.000, 0.350, 1.000, 0.900]]. It is dark."
    for coordinates in ("tokens", "text"):
        codec = BoxCodec(coordinates=coordinates)
        assert codec.from_model(codec.to_model(caption)) == caption


def test_token_form_puts_no_space_before_a_box():
    codec = BoxCodec(coordinates="tokens")
    model_text = codec.to_model("A cat [[0.100, 0.200, 0.300, 0.400]] sits.")
    assert model_text == "A cat<box><c100><c200><c300><c400> sits."


def test_parsing_stops_at_the_first_malformed_entry_and_drops_exact_duplicates():
    codec = BoxCodec(coordinates="tokens")
    good = " cat<box><c100><c200><c300><c400>"
    swapped = " dog<box><c300><c200><c100><c400>"
    assert codec.parse_instances(good + good + swapped + " cup<box><c1><c2><c3><c4>") == (Instance(tag="cat", box=BOX),)
    assert codec.parse_boxes("<box><c100><c200><c300><c400><box><c5><c6>") == (BOX,)


def test_an_answer_of_none_holds_no_instances():
    for coordinates in ("tokens", "text"):
        assert BoxCodec(coordinates=coordinates).parse_instances("None") == ()


def test_units_of_a_parsed_box_are_the_units_that_were_written():
    codec = BoxCodec(coordinates="tokens", width=313, height=97)
    for units in ((0, 400, 1, 500), (17, 411, 999, 612), (333, 345, 1000, 655)):
        box = codec.parse_boxes("<box>" + "".join(f"<c{unit}>" for unit in units))[0]
        assert codec.to_units(box) == units


def test_words_are_learned_with_the_space_that_stands_before_them():
    assert list(without_boxes(["A cat [[0.1, 0.2, 0.3, 0.4]] sits."])) == ["A cat sits."]
