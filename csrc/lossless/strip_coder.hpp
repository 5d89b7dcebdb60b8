// A strip of rows of a picture, exactly: its planes one after the other, each with a stream of its own. Defined in FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "../bytes.hpp"

namespace recodec::lossless {

struct StripShape {
    std::uint32_t height, width;
    std::size_t channels;  // 1 grey, 2 with alpha, 3 RGB, 4 with alpha

    std::size_t samples() const { return std::size_t{height} * width * channels; }
};

// Samples of 8 bits lie as pictures have them, height x width x channels. Both use up to one thread a plane.
Bytes encode_strip(std::span<const std::uint8_t> samples, const StripShape& shape, std::size_t threads);

// Throws Error (format) if the data cannot be a strip's; any other stands for some samples.
void decode_strip(ByteView data, const StripShape& shape, std::span<std::uint8_t> samples, std::size_t threads);

// What a strip of that shape takes in memory beside its samples, in bytes.
std::uint64_t strip_memory(const StripShape& shape);

}  // namespace recodec::lossless
