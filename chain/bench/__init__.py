"""`pancap bench chain`: decode steps by replay of real captions, runaway answers, and the clock."""
