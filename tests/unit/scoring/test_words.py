from pancap.scoring.words import count_words


def test_boxes_are_no_words():
    assert count_words("The man's well-lit face [[0.1, 0.2, 0.3, 0.4]], [[0.5, 0.5, 1.0, 1.0]] smiles.") == 5
    assert count_words("") == count_words("[[0.1, 0.2, 0.3, 0.4]]") == 0
