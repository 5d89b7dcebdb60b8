// Adaptive contexts: codes of one iteration <-> one entropy-coded chunk, without trained weights.
//
// With version 2, whether a position's codes are sent at all is coded first, by counters of its own; a
// position that is not sent takes no more. Every code is predicted from codes that the decoder already has: neighbours above and to the left
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

// Coder for the planes of one image in order. Codes are -1 or +1, or 0 for all of a position that is not
// sent: with version 2 that may be any position but those of the first plane, with version 1 none.
class AdaptiveCoder {
public:
    static constexpr std::size_t kNeighbourCount = 7;
    static constexpr std::uint8_t kNewestVersion = 2;

    AdaptiveCoder(std::uint32_t depth, std::uint32_t height, std::uint32_t width, std::uint8_t version = 1);

    std::size_t plane_size() const { return std::size_t{depth_} * height_ * width_; }
    std::size_t positions() const { return std::size_t{height_} * width_; }

    // `codes` is depth x height x width. Throws Error for codes that the version cannot code.
    Bytes encode(std::span<const std::int8_t> codes);

    // Inverse of encode(). Any data decodes to some codes; damage is found by the chunk's checksum.
    void decode(ByteView data, std::span<std::int8_t> codes);

    // Checksum of the plane coded last, in coding order, continuing from `crc`.
    std::uint32_t checksum(std::uint32_t crc) const;

private:
    struct Counter {
        std::uint16_t probability = 32768;
        std::uint16_t count = 0;

        void learn(bool bit);
    };

    static constexpr std::size_t kCounters = 3;
    static constexpr std::size_t kMixed = kCounters + 2;

    // Codes of one position's neighbours, each `depth` long.
    using Neighbourhood = std::array<const std::int8_t*, kNeighbourCount>;

    template <class Bits>
    void run(Bits& bits);
    template <class Bits>
    bool code_sent(Bits& bits, std::size_t cell);
    template <class Bits>
    void code_position(Bits& bits, std::size_t cell);
    Neighbourhood gather(std::size_t cell);
    void begin_plane();
    bool all_sent() const { return version_ == 1 || iteration_ == 0; }

    std::size_t cell_of(std::uint32_t y, std::uint32_t x) const { return (y + 2) * row_ + x + 2; }

    std::uint32_t depth_, height_, width_;
    std::uint8_t version_;
    std::size_t row_;         // cells per padded row
    std::uint32_t iteration_ = 0;
    // Padded planes, position-major (cell, then channel): this iteration, the last, the one before.
    std::array<std::vector<std::int8_t>, 3> planes_;
    Regression regression_;  // weights Q16
    std::array<std::vector<Counter>, kCounters> counters_;
    std::array<Counter, std::size_t{1} << kNeighbourCount> sent_counters_{};
    std::vector<std::int32_t> mixer_;  // per stage, channel and mixed prediction, Q16
};

}  // namespace recodec
