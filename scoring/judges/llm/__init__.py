"""The judge that asks a language model.

Four steps, each over all captions at a time: extract what every caption states, match the entities (by the same code as
every judge), let the model write a contradiction to each statement, and ask of the other caption whether it supports
the statement and its contradiction. What is decided here, and why:

- *Boxes are numbered.* The caption's boxes become `[box 3]` for the extraction, and the reply names numbers: no
  coordinate is copied wrongly, and some twenty tokens a box need not be decoded.
- *Lists of short texts instead of objects.* `"2|is tall"` carries what `{"entity": 2, "text": "is tall"}` does in half
  the tokens, and a JSON schema with patterns holds for every structured-output engine.
- *One contradiction instead of two questions.* The question whose answer is Yes is the statement itself and need not be
  written by a model. Contradictions depend on the statement alone, so that "the sky is blue" is contradicted once for
  all captions.
- *One request an item.* Everything before the item is shared, and so is computed once an image; the reply is one of
  four choices of two words, and nothing else is decoded. No item's text stands in another item's request, so none can
  steer another's score. Which of the two statements comes first is drawn by their hash: a judge that always answers
  "yes no" is right on half of the items, not on all.
- *Invalid replies are never scores.* A reply that is cut, malformed or withheld is asked again with other seeds, then
  counted with its reason; its item or image is left out, and with too many of them there is no result.
"""
