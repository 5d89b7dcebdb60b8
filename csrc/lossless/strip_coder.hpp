// A strip of rows of a picture, exactly: its planes one after the other, each with a stream of its own, or one plane of
// indices to a palette. FORMAT.md, section 14.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "../bytes.hpp"
#include "settings.hpp"

namespace recodec::lossless {

struct StripShape {
    std::uint32_t height, width;
    std::size_t channels;  // 1 grey, 2 with alpha, 3 RGB, 4 with alpha
    int depth;             // bits of a sample, 8 or 16

    std::size_t pixels() const { return std::size_t{height} * width; }
    std::size_t samples() const { return pixels() * channels; }
    std::int32_t most() const { return (1 << depth) - 1; }
};

// Samples lie as pictures have them, height x width x channels. Both use up to one thread a plane.
Bytes encode_strip(std::span<const std::uint16_t> samples, const StripShape& shape, Effort effort, std::size_t threads);

// Throws Error (format) if the data cannot be a strip's; any other stands for some samples.
void decode_strip(ByteView data, const StripShape& shape, Effort effort, std::span<std::uint16_t> samples,
                  std::size_t threads);

// What a strip of that shape takes in memory beside its samples, in bytes.
std::uint64_t strip_memory(const StripShape& shape, Effort effort);

}  // namespace recodec::lossless
