#include "mlp.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "contexts.hpp"
#include "neighbourhood.hpp"

namespace recodec::zoo {

namespace {

constexpr std::array<std::size_t, 6> kNetwork = {32, 16, 8, 4, 2, 1};
constexpr std::array<std::size_t, 1> kLinear = {1};

// Activations are Q6, weights Q12, inputs whole.
constexpr int kActivationBits = 6, kWeightBits = 12;
constexpr std::int32_t kMostActivation = 32767;
constexpr std::int32_t kMostRow = (1 << 16) - 1;

std::int32_t dot(const std::int16_t* a, const std::int16_t* b, std::size_t size) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += std::int32_t{a[i]} * b[i];
    return sum;
}

std::int32_t rounded(std::int32_t sum, int shift) {
    return static_cast<std::int32_t>((std::int64_t{sum} + (1 << (shift - 1))) >> shift);
}

// A plane in coding order, and those that are known as a whole; each sample must be told before the next is looked at.
class Surroundings {
public:
    Surroundings(const MlpShape& shape, std::span<const std::uint8_t> known, PlaneSize size)
        : raw_(shape.raw), own_(size.height, size.width) {
        for (std::size_t p = 0; p < shape.known; ++p) {
            known_.emplace_back(size.height, size.width);
            known_.back().fill(known.data() + p * size.samples());
        }
    }

    // To shape.inputs() numbers.
    void gather(std::size_t y, std::size_t x, std::int16_t* inputs) const {
        inputs = own_.gather(y, x, raw_, inputs);
        for (const NeighbourPlane& plane : known_) inputs = plane.gather_beside(y, x, raw_, inputs);
    }

    // What the network's answer counts from.
    std::int32_t base(std::size_t y, std::size_t x) const { return raw_ ? 0 : own_.mean_of_two(y, x); }

    void tell(std::size_t y, std::size_t x, std::uint8_t sample) { own_.put(y, x, sample); }

private:
    bool raw_;
    NeighbourPlane own_;
    std::vector<NeighbourPlane> known_;
};

class Predictor {
public:
    Predictor(const Mlp& mlp, const Surroundings& surroundings) : mlp_(mlp), surroundings_(surroundings) {}

    std::int32_t at(std::size_t y, std::size_t x) {
        surroundings_.gather(y, x, inputs_.data());
        return std::clamp(surroundings_.base(y, x) + mlp_.run(inputs_.data()), 0, 255);
    }

private:
    const Mlp& mlp_;
    const Surroundings& surroundings_;
    std::array<std::int16_t, Mlp::padded(MlpShape::kNeighbours + MlpShape::kMostKnown * MlpShape::kBeside)> inputs_{};
};

}  // namespace

std::span<const std::size_t> MlpShape::layers() const {
    if (linear) return kLinear;
    return kNetwork;
}

std::size_t MlpShape::weights() const {
    std::size_t sum = 0, before = inputs();
    for (const std::size_t outputs : layers()) {
        sum += before * outputs;
        before = outputs;
    }
    return sum;
}

Mlp::Mlp(const MlpShape& shape, std::span<const std::int16_t> weights) {
    std::size_t inputs = shape.inputs(), at = 0;
    for (const std::size_t outputs : shape.layers()) {
        Layer layer{inputs, outputs, std::vector<std::int16_t>(outputs * padded(inputs), 0)};
        for (std::size_t o = 0; o < outputs; ++o, at += inputs) {
            const auto row = weights.subspan(at, inputs);
            std::int32_t size = 0;
            for (const std::int16_t weight : row) size += std::abs(std::int32_t{weight});
            if (!layers_.empty() && size > kMostRow) {
                throw Error(Errc::format, "weights of one output of the network add up to " + std::to_string(size) +
                                              "; the most is " + std::to_string(kMostRow));
            }
            std::ranges::copy(row, layer.weights.begin() + static_cast<std::ptrdiff_t>(o * padded(inputs)));
        }
        layers_.push_back(std::move(layer));
        inputs = outputs;
    }
}

std::int32_t Mlp::run(const std::int16_t* inputs) const {
    std::array<std::array<std::int16_t, 32>, 2> activations{};
    int shift = kWeightBits;
    for (std::size_t l = 0; l + 1 < layers_.size(); ++l) {
        const Layer& layer = layers_[l];
        const std::size_t stride = padded(layer.inputs);
        auto& outputs = activations[l % 2];
        for (std::size_t o = 0; o < layer.outputs; ++o) {
            const std::int32_t sum = dot(layer.weights.data() + o * stride, inputs, stride);
            outputs[o] = static_cast<std::int16_t>(
                std::clamp(rounded(sum, l == 0 ? kWeightBits - kActivationBits : kWeightBits), 0, kMostActivation));
        }
        // Layers shrink, so that beyond their outputs there may be older ones.
        std::fill(outputs.begin() + static_cast<std::ptrdiff_t>(layer.outputs),
                  outputs.begin() + static_cast<std::ptrdiff_t>(padded(layer.outputs)), std::int16_t{0});
        inputs = outputs.data();
        shift = kWeightBits + kActivationBits;
    }
    const Layer& last = layers_.back();
    return rounded(dot(last.weights.data(), inputs, padded(last.inputs)), shift);
}

void mlp_examples(const MlpShape& shape, std::span<const std::uint8_t> planes, PlaneSize size,
                  std::span<const std::int64_t> places, std::span<std::int16_t> examples) {
    Surroundings surroundings(shape, planes, size);
    const std::uint8_t* own = planes.data() + shape.known * size.samples();
    const std::size_t step = shape.inputs() + 1;
    std::int16_t* next = examples.data();
    auto place = places.begin();
    for (std::size_t i = 0; i < size.samples() && place != places.end(); ++i) {
        const std::size_t y = i / size.width, x = i % size.width;
        for (; place != places.end() && *place == static_cast<std::int64_t>(i); ++place, next += step) {
            surroundings.gather(y, x, next);
            next[step - 1] = static_cast<std::int16_t>(own[i] - surroundings.base(y, x));
        }
        surroundings.tell(y, x, own[i]);
    }
}

void mlp_errors(const Mlp& mlp, const MlpShape& shape, std::span<const std::uint8_t> planes, PlaneSize size,
                std::span<std::uint8_t> errors) {
    Surroundings surroundings(shape, planes, size);
    Predictor predictor(mlp, surroundings);
    const std::uint8_t* own = planes.data() + shape.known * size.samples();
    for (std::size_t y = 0, i = 0; y < size.height; ++y) {
        for (std::size_t x = 0; x < size.width; ++x, ++i) {
            errors[i] = folded(own[i] - predictor.at(y, x));
            surroundings.tell(y, x, own[i]);
        }
    }
}

void mlp_decode(const Mlp& mlp, const MlpShape& shape, std::span<const std::uint8_t> known, PlaneSize size,
                ByteView data, Coding coding, std::span<std::uint8_t> plane) {
    // Every word has a bit: bytes that cannot be enough take no time in proportion to the picture.
    if (coding == Coding::huffman && data.size() < table_bytes(8) + size.samples() / 8) {
        throw Error(Errc::format, std::to_string(size.samples()) + " samples have " + std::to_string(data.size()) +
                                      " bytes; Huffman's code takes a bit for each and its table");
    }
    Surroundings surroundings(shape, known, size);
    Predictor predictor(mlp, surroundings);
    std::vector<std::uint8_t> errors(size.samples());
    const SymbolPlanes contexts{errors.data(), size.height, size.width};
    with_decoder(data, 8, coding, [&](auto& decoder) {
        for (std::size_t y = 0, i = 0; y < size.height; ++y) {
            for (std::size_t x = 0; x < size.width; ++x, ++i) {
                errors[i] = decoder.next(uses_contexts(coding) ? contexts.context(Context::magnitudes, 0, y, x) : 0);
                plane[i] = static_cast<std::uint8_t>(predictor.at(y, x) + unfolded(errors[i]));
                surroundings.tell(y, x, plane[i]);
            }
        }
    });
}

}  // namespace recodec::zoo
