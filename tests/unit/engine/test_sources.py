"""Where the engine's images come from, and R22: nothing outside the folder is ever read."""

import os

import pytest

from pancap.configs import UsageError
from pancap.engine.sources import confine, index_images, list_images


def put(folder, name, content=b"x"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_images_are_found_in_subfolders_in_the_order_of_their_paths(tmp_path):
    for name in ("b/2.PNG", "a.jpg", "b/1.jpeg", "notes.txt", ".hidden.jpg", ".git/3.png"):
        put(tmp_path, name)
    paths, num_outside = list_images(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in paths] == ["a.jpg", "b/1.jpeg", "b/2.PNG"]
    assert num_outside == 0


def test_an_image_is_named_by_its_content_and_taken_once(tmp_path):
    put(tmp_path, "a.jpg", b"one")
    put(tmp_path, "b.jpg", b"one")
    put(tmp_path, "c.jpg", b"two")
    images = index_images(str(tmp_path))
    assert [os.path.basename(uri) for uri in images.index["uri"].to_pylist()] == ["a.jpg", "c.jpg"]
    assert images.index["image_id"][0].as_py() == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert images.num_duplicates == 1


def test_a_limit_takes_the_first(tmp_path):
    for number in range(5):
        put(tmp_path, f"{number}.png", bytes([number]))
    assert len(index_images(str(tmp_path), limit=2).index) == 2


def test_of_a_scenes_folder_only_the_images_are_read(tmp_path):
    put(tmp_path, "images/000000.png", b"image")
    put(tmp_path, "scenes.parquet/part.parquet")
    put(tmp_path, "preview.png", b"not a scene")
    assert len(index_images(str(tmp_path)).index) == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [([], "an empty folder"), (["a.txt", "b.csv"], "2 files of other kinds")],
)
def test_a_folder_without_images_is_one_sentence(tmp_path, names, words):
    for name in names:
        put(tmp_path, name)
    with pytest.raises(UsageError, match=words):
        index_images(str(tmp_path))


def test_a_source_that_is_no_folder_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        index_images(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="is a file"):
        index_images(str(put(tmp_path, "a.jpg")))


def test_links_out_of_the_folder_are_left_out_and_counted(tmp_path):
    root = tmp_path / "root"
    secret = put(tmp_path, "secret.jpg")
    inside = put(root, "a.jpg")
    (root / "out.jpg").symlink_to(secret)
    (root / "in.jpg").symlink_to(inside)
    (root / "broken.jpg").symlink_to(root / "nothing.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "folder").symlink_to(tmp_path, target_is_directory=True)
    paths, num_outside = list_images(root)
    assert [path.name for path in paths] == ["a.jpg", "in.jpg"]
    assert num_outside == 3


@pytest.mark.parametrize(
    "relative", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "a\0.jpg", "x" * 5000, "", "b"]
)
def test_paths_from_outside_stay_inside(tmp_path, relative):
    root = tmp_path / "root"
    put(tmp_path, "secret.jpg")
    put(root, "a/b.jpg")
    with pytest.raises(UsageError):
        confine(root, relative)
    assert confine(root, "a/b.jpg") == root / "a/b.jpg"
