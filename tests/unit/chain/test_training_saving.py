"""States written while the training goes on (R11, R28)."""

import errno
import os
from dataclasses import dataclass, field, replace
from threading import Barrier, Event, Thread

import pytest
import torch

from pancap.chain.training import saving
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.copies import Copies
from pancap.chain.training.run import run_training
from pancap.chain.training.saving import StateSaver
from pancap.chain.training.states import TrainerState, latest_state
from pancap.configs import StoppedError


@dataclass
class Together:
    """What two workers, each a thread of this process, tell each other."""

    told: dict[int, float] = field(default_factory=dict)
    barrier: Barrier = field(default_factory=lambda: Barrier(2, timeout=20))

    def largest(self, value, *, rank):
        self.told[rank] = value
        self.barrier.wait()
        found = max(self.told.values())
        self.barrier.wait()
        return found


class Worker:
    """An engine of one weight."""

    def __init__(self, *, rank=0, others=None):
        self.rank, self.others = rank, others
        self.weight = torch.tensor([0.0])

    def largest(self, value):
        return self.others.largest(value, rank=self.rank) if self.others else value

    def state(self, folder):
        return {folder / f"part_{self.rank}.pt": {"weight": self.weight}}

    def weights(self, copies):
        return {"weight": self.weight}


def saver_of(root, worker, *, published=None, num_to_keep=2):
    def publish(state, weights):
        if published is not None:
            published.append((state.step, weights["weight"].item()))

    return StateSaver(root, engine=worker, num_to_keep=num_to_keep, publish=publish)


def weight_in(folder, *, rank=0):
    return torch.load(folder / f"part_{rank}.pt")["weight"].item()


def on_both(work):
    """Runs it as both workers; what each raised."""
    together = Together()
    raised = {}

    def body(rank):
        try:
            work(Worker(rank=rank, others=together))
        except StoppedError as error:
            raised[rank] = str(error)

    threads = [Thread(target=body, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_a_state_holds_the_weights_of_its_step_though_training_goes_on(tmp_path, monkeypatch):
    worker, may_write, published = Worker(), Event(), []
    write = saving._write
    monkeypatch.setattr(saving, "_write", lambda files: may_write.wait() and write(files))
    saver = saver_of(tmp_path, worker, published=published)
    saver.save(TrainerState(step=1))
    saver.wait_for_copy()
    worker.weight += 7
    saver.poll()
    assert latest_state(tmp_path) is None
    may_write.set()
    saver.finish()
    folder, state = latest_state(tmp_path)
    assert (state.step, weight_in(folder), published) == (1, 0.0, [(1, 0.0)])


def test_an_update_of_the_weights_waits_for_their_copy(tmp_path, monkeypatch):
    may_copy, order = Event(), []
    tree = Copies.tree

    def slow_tree(self, item):
        may_copy.wait(20)
        return tree(self, item)

    monkeypatch.setattr(Copies, "tree", slow_tree)
    saver = saver_of(tmp_path, Worker())
    saver.save(TrainerState(step=1))
    update = Thread(target=lambda: (saver.wait_for_copy(), order.append("update")))
    update.start()
    update.join(0.2)
    order.append("copy")
    may_copy.set()
    update.join()
    assert order == ["copy", "update"]
    saver.finish()


def test_a_state_counts_only_when_all_workers_have_written(tmp_path, monkeypatch):
    """R11: worker 1 is slow; after each of worker 0's steps meanwhile there is nothing to resume from."""
    slow, seen = Event(), []
    write = saving._write
    monkeypatch.setattr(saving, "_write", lambda files: ("part_1" in str(files) and slow.wait(), write(files)))

    def train(worker):
        saver = saver_of(tmp_path, worker)
        saver.save(TrainerState(step=1))
        for _ in range(3):
            saver.poll()
            seen.append(latest_state(tmp_path))
        slow.set()
        saver.finish()

    assert on_both(train) == {}
    assert seen == [None] * 6
    folder, _ = latest_state(tmp_path)
    assert (weight_in(folder), weight_in(folder, rank=1)) == (0.0, 0.0)


def test_the_next_state_waits_for_the_one_before_and_older_ones_go(tmp_path):
    worker, published = Worker(), []
    saver = saver_of(tmp_path, worker, published=published)
    for step in range(1, 5):
        saver.save(TrainerState(step=step))
        saver.wait_for_copy()
        worker.weight += 1
    saver.finish()
    assert published == [(1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_0000003", "step_0000004"]


def test_a_worker_that_cannot_write_stops_all_and_the_state_before_stays(tmp_path, monkeypatch):
    """R28: the disk of worker 1 alone is full; both say so, naming the folder, at the end of the same step."""

    def train(worker):
        saver = saver_of(tmp_path / "state", worker)
        saver.save(TrainerState(step=1))
        saver.finish()
        if worker.rank == 1:
            worker.state = lambda folder: {tmp_path / "full": None}
        saver.save(TrainerState(step=2))
        saver.finish()

    write = saving._write

    def refuse(files):
        if tmp_path / "full" in files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(files)

    monkeypatch.setattr(saving, "_write", refuse)
    raised = on_both(train)
    assert set(raised) == {0, 1}
    for message in raised.values():
        assert "the state after step 2" in message and str(tmp_path) in message
        assert "No space left on device" in message and "resume=true" in message
    assert latest_state(tmp_path / "state")[1].step == 1


def test_what_an_earlier_attempt_left_half_written_is_cleared_away(tmp_path):
    (tmp_path / ".writing_step_0000003").mkdir(parents=True)
    saver_of(tmp_path, Worker())
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_a_full_disk_stops_and_goes_on_when_there_is_room(squares_parquet, tiny_model, tmp_path, monkeypatch):
    """R28, with the writers of torch: their complaint is about a stream, what counts lies below it."""
    config = TrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), model=tiny_model, steps=4, batch_size=4, num_workers=0,
        log_every=1, checkpoint_every=2,
    )  # fmt: skip
    states = tmp_path / "run" / "state"
    fsync = os.fsync

    def full_after_the_first_state(descriptor):
        if latest_state(states):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_after_the_first_state)
        with pytest.raises(StoppedError, match=f"{tmp_path / 'run'}: .*No space left on device"):
            run_training(config)
    assert [path.name for path in states.iterdir()] == ["step_0000002"]
    assert run_training(replace(config, resume=True)).resumed_from == 2


def test_copies_go_to_the_memory_of_the_round_before_and_stay_one_where_tensors_are():
    embedding = torch.arange(4.0)
    tree = {"embedding": embedding, "head": embedding.view(4), "steps": [torch.tensor(3)], "name": "adam"}
    copies = Copies()
    first = copies.tree(tree)
    assert first["head"] is first["embedding"] is not embedding
    place = first["embedding"].data_ptr()
    copies.end_round()
    embedding += 1
    second = copies.tree(tree)
    assert second["embedding"].data_ptr() == place
    assert second["embedding"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert (second["steps"], second["name"]) == ([torch.tensor(3)], "adam")
