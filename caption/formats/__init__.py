"""The three ways a box stands in text, each with tolerant parsers that never raise and renderers.

`sapancap`: `[[0.004, 0.322, 0.454, 0.927]]`, fractions of the image, as in SA-Pancap's captions.
`asmv2`: `<box>[[4, 322, 454, 927]]</box>`, thousandths of the padded square, as ASMv2 and PancapChain-13B write.
`boxtoken`: `<box><c4><c322><c454><c927>`, one token a coordinate, thousandths of the image.
"""
