// Adaptive contexts: codes of one iteration <-> one entropy-coded chunk, without trained weights.
//
// Every code is predicted from codes that the decoder already has: neighbours above and to the left
// and earlier codes of the same position in this iteration, and whole planes of former iterations.
// Five predictions (one online logistic regression over all those codes, three adaptive context
// counters, one constant) are mixed in the logit domain by weights that learn as they go. All
// arithmetic is integer and defined in FORMAT.md; encoder and decoder run the same steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "container.hpp"
#include "regression.hpp"

namespace recodec {

// Coder for the planes of one image in order. Codes are -1, 0 or +1; 0 means not sent.
class AdaptiveCoder {
public:
    static constexpr std::size_t kNeighbourCount = 7;

    AdaptiveCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width);

    std::size_t plane_size() const { return std::size_t{depth_} * height_ * width_; }
    std::size_t positions() const { return std::size_t{height_} * width_; }

    // `codes` is depth x height x width. `sent` is height x width, non-zero where codes are sent;
    // empty means everywhere. Codes must be non-zero exactly where sent; throws Error otherwise.
    Bytes encode(std::span<const std::int8_t> codes, std::span<const std::uint8_t> sent = {});

    // Inverse of encode(). Any data decodes to some codes; damage is found by the chunk's checksum.
    void decode(ByteView data, std::span<std::int8_t> codes, std::span<const std::uint8_t> sent = {});

    // Checksum of the plane coded last, in coding order, continuing from `crc`.
    std::uint32_t checksum(std::uint32_t crc) const;

private:
    struct Counter {
        std::uint16_t probability = 32768;
        std::uint16_t count = 0;
    };

    static constexpr std::size_t kCounters = 3;
    static constexpr std::size_t kMixed = kCounters + 2;

    // Codes of one position's neighbours, each `depth` long.
    using Neighbourhood = std::array<const std::int8_t*, kNeighbourCount>;

    template <class Bits>
    void run(Bits& bits, std::span<const std::uint8_t> sent);
    template <class Bits>
    void code_position(Bits& bits, std::size_t cell);
    Neighbourhood gather(std::size_t cell);
    void begin_plane();

    std::size_t cell_of(std::uint32_t y, std::uint32_t x) const { return (y + 2) * row_ + x + 2; }

    std::uint32_t depth_, height_, width_;
    std::size_t row_;         // cells per padded row
    std::uint32_t iteration_ = 0;
    // Padded planes, position-major (cell, then channel): this iteration, the last, the one before.
    std::array<std::vector<std::int8_t>, 3> planes_;
    Regression regression_;  // weights Q16
    std::array<std::vector<Counter>, kCounters> counters_;
    std::vector<std::int32_t> mixer_;  // per stage, channel and mixed prediction, Q16
};

}  // namespace recodec
