// What of PNG an alpha channel needs: the compressed data of a datastream, and its filters undone. Inflating is the
// caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bytes.hpp"

namespace recodec {

// The compressed data in a PNG datastream, which must be a grey 8-bit picture of this size without chunks that say
// more. Throws Error.
Bytes png_data(ByteView png, std::uint32_t width, std::uint32_t height);

// Undoes PNG's filters for bytes of one channel: each row of `scanlines` is a filter type and then `width`
// bytes, and each row of `out` takes `width`. Throws Error.
void unfilter(ByteView scanlines, std::size_t width, std::span<std::uint8_t> out);

}  // namespace recodec
