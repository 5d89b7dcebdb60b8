// Planes that are coded together, each from those before it, as streams side by side. FORMAT.md, section 14.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "../bytes.hpp"
#include "strip_coder.hpp"

namespace recodec::lossless {

Bytes encode_planes(std::span<const std::uint16_t> samples, const StripShape& shape, std::int32_t most, Effort effort,
                    bool drawn, std::size_t threads);

// Throws Error (format) if the data cannot be such.
void decode_planes(ByteView data, const StripShape& shape, std::int32_t most, Effort effort,
                   std::span<std::uint16_t> samples, std::size_t threads);

}  // namespace recodec::lossless
