// The file format: one header, then typed, length-prefixed chunks. FORMAT.md is the definition.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace recodec {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline constexpr std::array<std::uint8_t, 4> kMagic = {0x8E, 'R', 'C', 'D'};
inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint32_t kMaxSide = 1u << 30;
inline constexpr std::uint32_t kMaxDepth = 256;
inline constexpr std::uint32_t kMaxTileHalo = 255;
inline constexpr std::size_t kMaxHeaderBody = 512;
inline constexpr std::size_t kMaxModelName = 32;

enum class ChunkType : std::uint8_t { end = 0, codes = 1, icc = 2, alpha = 3, exif = 4, xmp = 5 };

// Adaptive contexts (kind 1) have versions 1 and 3, networks with trained tables (kind 2) have version 1.
struct EntropyCoder {
    std::uint8_t kind = 1;
    std::uint8_t version = 1;

    bool is_known() const { return (kind == 1 && (version == 1 || version == 3)) || (kind == 2 && version == 1); }
};

struct Header {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint8_t channels = 3;
    std::uint8_t bit_depth = 8;
    std::uint8_t colour = 0;
    std::uint8_t alpha = 0;
    std::uint8_t family = 1;
    std::string model;
    std::array<std::uint8_t, 8> model_hash{};
    std::uint8_t stride = 16;
    std::uint32_t depth = 32;
    EntropyCoder entropy;
    std::uint32_t tile_columns = 1;
    std::uint32_t tile_rows = 1;
    std::uint32_t tile_halo = 0;
    std::uint8_t arithmetic = 0;  // 0 float32, 1 float16, 2 bfloat16; others tell nothing

    // Size of the code grid, in positions.
    std::uint32_t rows() const { return (height - 1) / stride + 1; }
    std::uint32_t columns() const { return (width - 1) / stride + 1; }
};

// One chunk's place in the data: payload is [payload, payload + size), the next chunk starts at next.
struct Chunk {
    std::uint8_t type = 0;
    std::size_t payload = 0;
    std::size_t size = 0;
    std::size_t next = 0;
};

// Throws Error if a field is outside what the format can hold.
Bytes write_header(const Header& header);

// Reads the header at the start of `data` and sets `end` to the first byte after it. Throws Error.
Header read_header(ByteView data, std::size_t& end);

// Type, length, payload.
Bytes write_chunk(std::uint8_t type, ByteView payload);

// The chunk at `offset`, or nothing if `data` ends before the chunk does. Throws Error.
std::optional<Chunk> read_chunk(ByteView data, std::size_t offset);

// The compressed data in the PNG datastream of an alpha channel, which must be a grey 8-bit picture of the
// header's size without chunks that say more. Inflating is the caller's. Throws Error.
Bytes alpha_data(ByteView png, const Header& header);

// Undoes PNG's filters for bytes of one channel: each row of `scanlines` is a filter type and then `width`
// bytes, and each row of `out` takes `width`. Throws Error.
void unfilter(ByteView scanlines, std::size_t width, std::span<std::uint8_t> out);

}  // namespace recodec
