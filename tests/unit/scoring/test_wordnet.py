from pancap.scoring.wordnet import TABLE_PATH, load_nouns


def test_the_table_is_the_whole_of_wordnet_3_0_nouns_and_small():
    assert len(load_nouns()) == 117_798  # as Princeton states
    assert TABLE_PATH.stat().st_size < 3_000_000
    assert "Princeton University" in (TABLE_PATH.parent / "WORDNET_LICENSE.txt").read_text()


def test_synonyms_are_the_lemmas_of_all_senses_with_case_and_underscores():
    dog = load_nouns().synonyms("dog")
    assert {"Canis_familiaris", "domestic_dog", "andiron", "frank"} <= dog
    assert len(dog) == 22


def test_inflected_forms_are_looked_up_by_exceptions_first_then_by_suffix():
    nouns = load_nouns()
    assert nouns.base_forms("wolves") == ("wolf",)
    assert nouns.base_forms("Churches") == ("church",)
    assert nouns.base_forms("women") == ("woman",)
    assert nouns.base_forms("glasses") == ("glasses", "glass")
    assert nouns.base_forms("no such word") == ()
    assert nouns.synonyms("") == frozenset()


def test_senses_come_the_most_frequent_first():
    nouns = load_nouns()
    assert nouns.senses("automobile")[0] == nouns.senses("car")[0]
    assert nouns.senses("gondola")[0] in nouns.senses("car") or set(nouns.senses("gondola")) & set(nouns.senses("car"))
    assert nouns.senses("car")[0] not in nouns.senses("gondola")


def test_a_phrase_is_looked_up_with_underscores():
    assert "traffic_signal" in load_nouns().synonyms("traffic_light")
