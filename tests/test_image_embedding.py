"""Embeddings of pictures by tiny networks with random weights, opened as real ones are."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from skimage.data import astronaut, coffee

from featmer._checks import MissingExtra
from featmer.extractors import ImageEmbedding, image_embedding
from featmer.extractors.people import Person
from featmer.media import Frame, write_video


def embed(extractor: ImageEmbedding, image: np.ndarray) -> np.ndarray | None:
    return extractor.describe(Frame(np.ascontiguousarray(image), 0.0))[0]


@pytest.fixture
def cat_and_mat(monkeypatch) -> np.ndarray:
    """Return a picture whose right half has a person in it."""
    points = np.full((33, 3), np.nan)
    points[[11, 12, 23, 24], :2] = [(0.9, -0.2), (0.7, -0.2), (0.9, -0.4), (0.7, -0.4)]
    person = Person(points, points, np.ones(33), aspect=0.5)
    monkeypatch.setattr(image_embedding, "find_people", lambda image: [person] if image.any() else [])
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, :100], picture[:, 100:] = coffee()[:100, :100], astronaut()[:100, :100]
    return picture


class TestFrame:
    def test_names_say_model_and_dimension(self, tiny_image_model):
        extractor = ImageEmbedding(str(tiny_image_model))
        assert extractor.channels == tuple(f"scene.tiny-vit.{index:03d}" for index in range(16))
        assert extractor.names[-1] == "scene.tiny-vit.share"

    def test_equals_the_model_called_directly(self, tiny_image_model):
        from transformers import AutoImageProcessor, ViTModel

        pixels = AutoImageProcessor.from_pretrained(str(tiny_image_model))(astronaut(), return_tensors="pt")
        with torch.inference_mode():
            tokens = ViTModel.from_pretrained(str(tiny_image_model)).eval()(**pixels).last_hidden_state[0]
        np.testing.assert_allclose(embed(ImageEmbedding(str(tiny_image_model)), astronaut()), tokens.mean(0), atol=1e-5)

    def test_a_picture_gives_the_same_bits_again(self, tiny_image_model):
        extractor = ImageEmbedding(str(tiny_image_model))
        first, other = embed(extractor, astronaut()), embed(extractor, coffee())
        assert np.array_equal(first, embed(extractor, astronaut()))
        assert not np.allclose(first, other)

    def test_a_clip(self, tiny_image_model, tmp_path):
        picture = np.ascontiguousarray(astronaut()[::4, ::4])
        write_video(tmp_path / "still.mp4", [picture] * 5, 5)
        extractor = ImageEmbedding(str(tiny_image_model))
        (outcome,) = ImageEmbedding.describe_clip([extractor], tmp_path / "still.mp4", None, None)
        np.testing.assert_allclose(outcome.values[:16], embed(extractor, picture), atol=0.1)
        np.testing.assert_allclose(outcome.values[16:32], 0, atol=0.01)
        assert outcome.values[-1] == 1

    def test_another_state_of_the_model_has_another_hash(self, tiny_image_model, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            for file in tiny_image_model.iterdir():
                (tmp_path / name / file.name).write_bytes(file.read_bytes())
        (tmp_path / "two" / "preprocessor_config.json").write_text('{"image_processor_type": "ViTImageProcessor"}')
        hashes = [ImageEmbedding(str(tmp_path / name)).fingerprint()["model"] for name in ("one", "two")]
        assert hashes[0] == ImageEmbedding(str(tiny_image_model)).fingerprint()["model"] != hashes[1]


class TestPerson:
    def test_the_person_is_cut_out_with_a_margin(self, tiny_image_model, cat_and_mat):
        whole, person = (ImageEmbedding(str(tiny_image_model), region=region) for region in ("frame", "person"))
        # The box is 0.2 x 0.2 picture widths, 15 % more on each side.
        np.testing.assert_array_equal(embed(person, cat_and_mat), embed(whole, cat_and_mat[34:86, 134:186]))
        assert person.channels[0] == "person.tiny-vit.000"
        assert "mediapipe" in person.packages

    def test_nobody_is_no_embedding(self, tiny_image_model, cat_and_mat):
        extractor = ImageEmbedding(str(tiny_image_model), region="person")
        assert embed(extractor, np.zeros_like(cat_and_mat)) is None
        assert extractor.subject == "person"

    def test_an_unknown_region_is_named(self, tiny_image_model):
        with pytest.raises(ValueError, match="Unknown region 'face'"):
            _ = ImageEmbedding(str(tiny_image_model), region="face").names


class TestTimm:
    @pytest.fixture
    def stand_in(self, monkeypatch) -> list[tuple[str, dict]]:
        """Put a module in timm's place whose networks average pixels; return what it was asked for."""

        asked = []

        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = torch.nn.Parameter(torch.tensor(2.0))

            def forward(self, pixels):
                assert not self.training
                return self.scale * pixels.mean(dim=(2, 3))

        def create_model(name, **options):
            asked.append((name, options))
            return Network()

        def create_transform(*, size, is_training):
            assert not is_training
            return lambda image: torch.tensor(np.asarray(image.resize(size)), dtype=torch.float32).movedim(-1, 0) / 255

        timm, data = ModuleType("timm"), ModuleType("timm.data")
        timm.create_model = create_model
        data.create_transform = create_transform
        data.resolve_model_data_config = lambda network: {"size": (32, 32)}
        monkeypatch.setitem(sys.modules, "timm", timm)
        monkeypatch.setitem(sys.modules, "timm.data", data)
        for function in (image_embedding._open_timm, image_embedding._open_encoder, image_embedding._width):
            monkeypatch.setattr(image_embedding, function.__name__, function.__wrapped__)  # remembers nothing
        return asked

    def test_a_name_of_the_hub(self, stand_in):
        extractor = ImageEmbedding("timm/tiny.random")
        red = np.zeros((40, 60, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
        np.testing.assert_allclose(embed(extractor, red), [2, 0, 0])
        assert extractor.channels[-1] == "scene.tiny.random.002"
        assert stand_in[0] == ("hf-hub:timm/tiny.random", {"pretrained": True, "num_classes": 0})

    def test_a_folder_that_timm_wrote(self, stand_in, tmp_path):
        (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "num_features": 3}))
        assert len(ImageEmbedding(str(tmp_path)).channels) == 3
        assert stand_in[0][0] == f"local-dir:{tmp_path}"

    def test_timm_is_named_where_it_is_missing(self):
        with pytest.raises(MissingExtra, match="needs the package 'timm'.*pip install timm"):
            ImageEmbedding("timm/resnet18.a1_in1k").fingerprint()

    def test_the_real_library(self, tmp_path):
        timm = pytest.importorskip("timm")
        network = timm.create_model("resnet10t", pretrained=False, num_classes=4)
        timm.models.save_for_hf(network, tmp_path / "tiny", model_config={"num_classes": 4})
        extractor = ImageEmbedding(str(tmp_path / "tiny"))
        assert embed(extractor, astronaut()).shape == (512,)
        assert "timm" in extractor.fingerprint()
