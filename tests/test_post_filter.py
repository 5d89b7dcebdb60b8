"""The filter behind the loop: what it sees, what it leaves alone, and its training by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from recodec.bitstream import CODES, Reader
from recodec.codec import Codec
from recodec.errors import TrainingError
from recodec.networks.pixel.config import LayerConfig, NetworkConfig, PostFilterConfig
from recodec.networks.pixel.post_filter import PostFilter
from recodec.networks.pixel.reach import reach_of
from recodec.networks.pixel.recurrent import DecoderState, EncoderState, RecurrentCodec
from recodec.states import Workplace
from recodec.tiled_network import Samples, TiledDecoder, TiledEncoder
from recodec.tiling import TileGrid
from recodec.train.data.photographs import Photographs
from recodec.train.tasks.pixel.recipe import PixelOptimizer, PixelPhase, PixelRecipe
from recodec.train.tasks.pixel.start import start_from_transform
from recodec.weights import Model, find_model, load_model, save_model
from tests.train.running import make_trainer
from tests.zoned import ZONED

CPU = torch.device("cpu")
SMALL = PostFilterConfig(width=6, blocks=1, inner_width=8, inner_blocks=0)
FILTERED = replace(ZONED, post_filter=SMALL)


@torch.no_grad()
def scrambled(post_filter: PostFilter) -> PostFilter:
    """With nothing left at 0."""
    for parameter in post_filter.parameters():
        parameter.add_(torch.empty_like(parameter).normal_(0, 0.2))
    return post_filter


def pictures(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, height // 16, width // 16, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1) - 0.5


def test_it_begins_by_changing_nothing() -> None:
    torch.manual_seed(0)
    post_filter = PostFilter(SMALL, 16, 4)
    pixels = pictures(2, 48, 32)
    for iteration in range(4):
        assert torch.equal(post_filter(pixels, iteration), pixels)
    torch.nn.init.normal_(post_filter.output.weight)
    assert not torch.allclose(post_filter(pixels, 0), pixels, atol=1e-2)


def test_each_iteration_has_biases_and_a_gain_and_later_ones_share_the_last() -> None:
    torch.manual_seed(0)
    post_filter = scrambled(PostFilter(SMALL, 16, 3)).double()
    pixels = pictures(1, 32, 32).double()
    shown = [post_filter(pixels, iteration) for iteration in range(5)]
    assert torch.equal(shown[2], shown[3])
    assert torch.equal(shown[2], shown[4])
    for name in PostFilter.per_iteration:
        parameter = post_filter.get_parameter(name)
        assert len(parameter) == 3
        with torch.no_grad():
            parameter[1] += 0.5
        changed = [post_filter(pixels, iteration) for iteration in range(3)]
        assert torch.equal(changed[0], shown[0])
        assert not torch.allclose(changed[1], shown[1], atol=1e-6), name
        assert torch.equal(changed[2], shown[2])
        shown = changed


def test_a_gain_scales_the_correction() -> None:
    torch.manual_seed(0)
    post_filter = scrambled(PostFilter(SMALL, 16, 3)).double()
    pixels = pictures(1, 32, 32).double()
    before = post_filter(pixels, 1) - pixels
    with torch.no_grad():
        post_filter.log_gain[1] += 0.7
    torch.testing.assert_close(post_filter(pixels, 1) - pixels, before * np.exp(0.7), rtol=1e-9, atol=1e-12)


def test_it_knows_its_place_within_grid_positions_and_nothing_else_of_where_it_is() -> None:
    torch.manual_seed(0)
    post_filter = scrambled(PostFilter(SMALL, 16, 3)).double()
    assert SMALL.reach == 20
    pixels = pictures(1, 96, 96).double()
    whole = post_filter(pixels, 1)
    part = post_filter(pixels[:, :, 16:, 32:], 1)
    torch.testing.assert_close(part[:, :, 32:, 32:], whole[:, :, 48:, 64:], rtol=0, atol=1e-12)
    for shift in (4, 8):
        moved = post_filter(pixels.roll((shift, shift), (2, 3)), 1).roll((-shift, -shift), (2, 3))
        assert not torch.allclose(moved[:, :, 32:64, 32:64], whole[:, :, 32:64, 32:64], atol=1e-4)


@pytest.mark.parametrize(("blocks", "inner_blocks"), [(0, 0), (1, 0), (0, 2), (2, 1), (3, 4)])
def test_it_reaches_as_far_as_its_configuration_says(blocks: int, inner_blocks: int) -> None:
    config = PostFilterConfig(2, blocks, 2, inner_blocks)
    post_filter = PostFilter(config, 16, 1).double()
    with torch.no_grad():
        # Nothing cancels and no ReLU is silent, so every path counts.
        for parameter in post_filter.parameters():
            parameter.fill_(0.3)
    pixels = torch.full((1, 3, 256, 272), 0.5, dtype=torch.float64, requires_grad=True)
    post_filter(pixels, 0)[:, :, 120:128, 136:144].sum().backward()
    assert pixels.grad is not None
    rows, columns = (pixels.grad[0, 0].any(axis).nonzero() for axis in (1, 0))
    assert (int(rows[0]), int(rows[-1])) == (120 - config.reach, 127 + config.reach)
    assert (int(columns[0]), int(columns[-1])) == (136 - config.reach, 143 + config.reach)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_half_precision_stays_near(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    post_filter = scrambled(PostFilter(SMALL, 16, 3))
    pixels = pictures(1, 32, 32)
    expected = post_filter(pixels, 1)
    shown = post_filter.to(dtype)(pixels.to(dtype), 1)
    assert shown.dtype == dtype
    assert float((expected - pixels).abs().mean()) > 0.05
    torch.testing.assert_close(shown.float(), expected, rtol=0, atol=0.05)


def networks(config: NetworkConfig = FILTERED) -> tuple[RecurrentCodec, RecurrentCodec]:
    """The same random network in double precision, without and with a filter that does a lot."""
    torch.manual_seed(2)
    filtered = RecurrentCodec(config)
    assert filtered.decoder.post_filter is not None
    scrambled(filtered.decoder.post_filter)
    others = pictures(2, 80, 96)
    filtered.calibrate(others)
    filtered.fit_dead_zones(others, (0.2, 0.3))
    plain = RecurrentCodec(replace(config, post_filter=None))
    weights = filtered.state_dict()
    plain.load_state_dict({name: weights[name] for name in plain.state_dict()})
    return plain.double(), filtered.double()


@torch.no_grad()
def test_codes_and_states_of_the_loop_know_nothing_of_it() -> None:
    plain, filtered = networks()
    assert filtered.decoder.post_filter is not None
    target = plain.front_end.analyse(pictures(1, 48, 32).double())
    encoders: list[EncoderState | None] = [None, None]
    decoders: list[DecoderState | None] = [None, None]
    for iteration in range(4):
        steps, shown = [], []
        for index, network in enumerate((plain, filtered)):
            codes, encoders[index] = network.encode_step(target, encoders[index], decoders[index])
            decoders[index] = decoded = network.decode_step(codes, decoders[index])
            assert decoded.layers is not None
            assert decoded.gain is not None
            carried = [part for layer in decoded.layers for part in layer or ()]
            steps.append((codes, decoded.reconstruction, decoded.gain, *carried))
            shown.append(network.synthesise(decoded))
        assert all(torch.equal(a, b) for a, b in zip(*steps, strict=True))
        assert torch.equal(shown[0], plain.pixels(steps[0][1]))
        assert torch.equal(shown[1], filtered.decoder.post_filter(shown[0], iteration))
        assert not torch.allclose(shown[0], shown[1], atol=1e-2)


def test_gain_networks_look_at_what_the_loop_knows() -> None:
    config = replace(ZONED, reconstruction="residual-scaling", feedback=0, post_filter=SMALL)
    plain, filtered = networks(config)
    pixels = pictures(1, 48, 32).double()
    target = plain.front_end.analyse(pixels)
    codes, _ = plain.encode_step(target, None, None)
    one, other = (network.decode_step(codes, None).gain for network in (plain, filtered))
    assert one is not None
    assert other is not None
    assert torch.equal(one, other)


def test_training_sees_what_is_shown() -> None:
    _, filtered = networks()
    pixels = pictures(2, 48, 32).double()
    target = filtered.front_end.analyse(pixels)
    encoder = decoded = None
    unrolled = filtered.unroll(pixels, 3)
    for picture in unrolled:
        codes, encoder = filtered.encode_step(target, encoder, decoded)
        decoded = filtered.decode_step(codes, decoded)
        torch.testing.assert_close(picture, filtered.synthesise(decoded), rtol=0, atol=1e-9)
    unrolled[1].sum().backward()
    assert filtered.decoder.post_filter is not None
    for name, parameter in filtered.decoder.post_filter.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


def test_the_decoder_s_halo_counts_it_and_the_encoder_s_does_not() -> None:
    # 3 positions of the decoder and 20 pixels.
    assert (reach_of(ZONED).decoder, reach_of(FILTERED).decoder) == (3, 5)
    assert reach_of(ZONED).encoder == reach_of(FILTERED).encoder == 3
    large = replace(ZONED, post_filter=PostFilterConfig())
    assert (reach_of(large).decoder, reach_of(large).encoder) == (8, 3)


@torch.inference_mode()
def test_tiles_equal_the_whole_picture() -> None:
    plain, filtered = networks()
    height, width = 9, 11
    samples = (255 * (pictures(1, 16 * height, 16 * width)[0] + 0.5)).round().to(torch.uint8)
    source = Samples(samples[:, :-5, :-9], 16, CPU, torch.float64)
    place = Workplace(CPU, torch.float64)
    halo = reach_of(FILTERED).decoder
    whole, tiled = TileGrid(height, width), TileGrid(height, width, 3, 2, halo)
    planes: dict[str, list[NDArray[np.int8]]] = {}
    for name, network, grid in (
        ("plain", plain, whole),
        ("whole", filtered, whole),
        ("tiled", filtered, tiled),
    ):
        encoder = TiledEncoder(network, source, grid, place)
        planes[name] = []
        for _ in range(4):
            planes[name].append(encoder.next_plane())
            encoder.decode(planes[name][-1])
    np.testing.assert_array_equal(planes["whole"], planes["plain"])
    np.testing.assert_array_equal(planes["tiled"], planes["plain"])

    def picture(grid: TileGrid) -> Tensor:
        shown = torch.full((3, 16 * height, 16 * width), torch.nan, dtype=torch.float64)
        for region, pixels in TiledDecoder(filtered, grid.tiles(), place).decode(planes["plain"]):
            region.scaled(16).of(shown)[:] = pixels
        return shown

    expected = picture(whole)
    torch.testing.assert_close(picture(tiled), expected, rtol=0, atol=1e-9)
    # As wide as the decoder alone would want it.
    narrow = picture(replace(tiled, halo=reach_of(ZONED).decoder))
    assert not torch.allclose(narrow, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["tiny", "dev-1", "rnn-1"])
def test_models_from_before_keep_the_texts_that_are_hashed(tiny_model: str, name: str) -> None:
    with safe_open(find_model(name), "pt") as file:
        texts = file.metadata()
    config = NetworkConfig.from_texts(texts)
    assert config.post_filter is None
    assert config.to_texts() == {side: texts[side] for side in ("decoder", "encoder")}


def test_the_hash_of_a_model_covers_it(tmp_path: Path) -> None:
    plain, filtered = networks()
    hashes = set()
    for name, network in (("plain", plain), ("filtered", filtered)):
        save_model(tmp_path / f"{name}.safetensors", network, {})
        hashes.add(load_model(tmp_path / f"{name}.safetensors").hash)
    again = load_model(tmp_path / "filtered.safetensors")
    assert again.network.config == FILTERED
    assert again.network.decoder.post_filter is not None
    again.network.decoder.post_filter.log_gain[3] = 0.25
    save_model(tmp_path / "other.safetensors", again.network, {})
    hashes.add(load_model(tmp_path / "other.safetensors").hash)
    assert len(hashes) == 3


PHASE = PixelPhase(
    steps=40, crop=32, batch=4, iterations=2, unroll="random", lead_in=2, learning_rate=2e-2, warm_up_steps=5
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    folder = tmp_path_factory.mktemp("photos")
    for index, pixels in enumerate(pictures(3, 96, 128)):
        array = (255 * (pixels + 0.5)).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(array).save(folder / f"{index}.png")
    return Photographs([folder])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model without a filter, as it comes from a file."""
    path = tmp_path_factory.mktemp("models") / "plain.safetensors"
    plain = networks()[0].float()
    # Without any training, but a codec.
    start_from_transform(plain, pictures(32, 64, 64), (0.2, 0.3))
    plain.fit_dead_zones(pictures(32, 64, 64), (0.2, 0.3))
    # Something that a filter can learn in a few steps: what is decoded is too bright.
    with torch.no_grad():
        assert plain.decoder.output.bias is not None
        plain.decoder.output.bias[:, 0] += 2
    save_model(path, plain, {})
    return load_model(path)


@pytest.fixture
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.train.tasks.pixel.task._CALIBRATION_CROPS", 8)


def recipe(phase: PixelPhase = PHASE, config: NetworkConfig = FILTERED) -> PixelRecipe:
    optimizer = PixelOptimizer(trains="post-filter", ema=0.9)
    return PixelRecipe(model="filtered", network=config, phases=(phase,), optimizer=optimizer)


def code_chunks(codec: Codec, image: Image.Image) -> list[bytes]:
    reader = Reader(codec.encode(image, iterations=4))
    return [bytes(chunk.payload) for chunk in reader.chunks() if chunk.type == CODES]


@pytest.mark.usefixtures("few_crops")
def test_training_it_alone_lowers_the_loss_and_leaves_all_codes(
    tmp_path: Path, photographs: Photographs, model: Model
) -> None:
    trainer = make_trainer(recipe(), photographs, tmp_path)
    trainer.start_from(model)
    before = {name: value.clone() for name, value in trainer.task.network.state_dict().items()}
    pixels = trainer.task._sample(8)
    assert not trainer.run(steps=20)
    again = make_trainer(recipe(), photographs, tmp_path)
    assert again.resume()
    assert again.run()

    for name, value in again.task.network.state_dict().items():
        filters = name.startswith("decoder.post_filter.")
        assert torch.equal(value, before[name]) != filters, name
        assert torch.equal(again.averaged()[f"network.{name}"], before[name]) != filters, name
    path = tmp_path / "filtered.safetensors"
    save_model(path, again.task.averaged_network(again.averaged()), {})
    written = load_model(path)
    weights = model.network.state_dict()
    for name, value in weights.items():
        assert torch.equal(written.network.state_dict()[name], value), name
    image = photographs.read(0)
    chunks = code_chunks(Codec(written), image)
    assert len(chunks) == 4
    assert chunks == code_chunks(Codec(model), image)

    errors = [
        float((torch.stack(network.unroll(pixels, 4)) - pixels).abs().mean())
        for network in (written.network, model.network)
    ]
    assert errors[0] < 0.98 * errors[1], errors
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "train"] == [20, 40]


@pytest.mark.usefixtures("few_crops")
def test_the_frozen_loop_remembers_nothing_for_gradients(
    tmp_path: Path, photographs: Photographs, model: Model
) -> None:
    trainer = make_trainer(recipe(), photographs, tmp_path)
    trainer.start_from(model)
    network = trainer.task.network
    with torch.no_grad():
        assert network.decoder.post_filter is not None
        torch.nn.init.normal_(network.decoder.post_filter.output.weight)
    pixels = pictures(1, 32, 32)
    features, _ = network.encode_features(network.front_end.analyse(pixels), None, None)
    decoded = network.decode_step(network.binarizer.train_codes(features, 0), None)
    assert not decoded.reconstruction.requires_grad
    network.unroll(pixels, 2)[1].square().mean().backward()
    touched = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    own = {name for name, _ in network.named_parameters() if name.startswith("decoder.post_filter.")}
    assert touched == own


@pytest.mark.usefixtures("few_crops")
def test_iterations_that_were_not_trained_take_biases_and_gain_of_the_last_that_was(
    tmp_path: Path, photographs: Photographs, model: Model
) -> None:
    short = replace(PHASE, steps=4, lead_in=0, warm_up_steps=1, learning_rate=0.02)
    trainer = make_trainer(recipe(short), photographs, tmp_path)
    trainer.start_from(model)
    assert trainer.run()
    written = trainer.task.averaged_network(trainer.averaged())
    for name, value in model.network.state_dict().items():
        assert torch.equal(written.state_dict()[name], value), name
    assert written.decoder.post_filter is not None
    for name in PostFilter.per_iteration:
        parameter = written.decoder.post_filter.get_parameter(name)
        assert not torch.equal(parameter[0], parameter[1]), name
        assert torch.equal(parameter[2:], parameter[[1, 1]]), name


@pytest.mark.usefixtures("few_crops")
def test_a_start_takes_a_filter_of_the_same_shape_and_keeps_its_own_otherwise(
    tmp_path: Path, photographs: Photographs, model: Model
) -> None:
    source = replace(model, id="source", network=networks()[1].float())
    trainer = make_trainer(recipe(), photographs, tmp_path / "same")
    trainer.start_from(source)
    for name, value in source.network.state_dict().items():
        assert torch.equal(trainer.task.network.state_dict()[name], value), name

    wider = replace(FILTERED, post_filter=replace(SMALL, width=7))
    trainer = make_trainer(recipe(config=wider), photographs, tmp_path / "wider")
    before = {name: value.clone() for name, value in trainer.task.network.state_dict().items()}
    trainer.start_from(source)
    for name, value in trainer.task.network.state_dict().items():
        own = name.startswith("decoder.post_filter.")
        assert torch.equal(value, before[name] if own else source.network.state_dict()[name]), name
    other = replace(FILTERED, decoder=(LayerConfig("gru", 12, resample=2), LayerConfig("gru", 12)))
    with pytest.raises(TrainingError, match="another network than the recipe"):
        make_trainer(recipe(config=other), photographs, tmp_path / "other").start_from(source)


@pytest.mark.usefixtures("few_crops")
def test_training_it_behind_random_weights_is_refused(tmp_path: Path, photographs: Photographs) -> None:
    with pytest.raises(TrainingError, match="a model to start from"):
        make_trainer(recipe(), photographs, tmp_path).run(steps=1)
