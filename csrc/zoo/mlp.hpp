// A network that predicts each sample of a plane from 60 before it, in integers, and the errors that it makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../bytes.hpp"
#include "symbol_coders.hpp"

namespace recodec::zoo {

// What a network sees: planes that are known as a whole, and the plane that is being coded.
struct MlpShape {
    std::size_t known;  // planes, 0 to 2
    bool linear;        // one layer alone
    bool raw;           // samples themselves, and not their differences from a mean of two neighbours

    static constexpr std::size_t kNeighbours = 60, kBeside = 9, kMostKnown = 2;

    std::size_t inputs() const { return kNeighbours + kBeside * known; }
    // Outputs of each layer; the last has one.
    std::span<const std::size_t> layers() const;
    std::size_t weights() const;
};

// Weights Q12, layer by layer, output by output. Sums, and why none exceeds 32 bits in whatever order it is taken:
//   inputs of the first layer lie in -255..255 and are at most 78, weights in -2^15..2^15, so |sum| <= 78 * 255 * 2^15
//   < 2^30; inputs of the others are activations in 0..2^15-1, and the sizes of the weights of one output of these
//   layers add up to less than 2^16, which the constructor checks, so |sum| < 2^31.
class Mlp {
public:
    // Throws Error (format) for weights whose sums could overflow. `weights` has shape.weights() elements.
    Mlp(const MlpShape& shape, std::span<const std::int16_t> weights);

    // inputs() numbers to whole levels. They are followed by zeros up to padded(inputs()).
    std::int32_t run(const std::int16_t* inputs) const;

    // Rows of weights and inputs are this long, for vectors.
    static constexpr std::size_t padded(std::size_t size) { return (size + 7) / 8 * 8; }

private:
    struct Layer {
        std::size_t inputs, outputs;
        std::vector<std::int16_t> weights;  // outputs x padded(inputs)
    };
    std::vector<Layer> layers_;
};

struct PlaneSize {
    std::size_t height, width;
    std::size_t samples() const { return height * width; }
};

// What the network is given at some places of the last of shape.known + 1 planes, and behind it what it should answer:
// shape.inputs() + 1 numbers a place. `places` count in coding order and rise.
void mlp_examples(const MlpShape& shape, std::span<const std::uint8_t> planes, PlaneSize size,
                  std::span<const std::int64_t> places, std::span<std::int16_t> examples);

// Folded errors, modulo 256, of the last of shape.known + 1 planes of samples, one behind the other.
void mlp_errors(const Mlp& mlp, const MlpShape& shape, std::span<const std::uint8_t> planes, PlaneSize size,
                std::span<std::uint8_t> errors);

// The plane behind shape.known others, from its errors as encode_symbols() wrote them. Throws Error (format).
void mlp_decode(const Mlp& mlp, const MlpShape& shape, std::span<const std::uint8_t> known, PlaneSize size,
                ByteView data, Coding coding, std::span<std::uint8_t> plane);

}  // namespace recodec::zoo
