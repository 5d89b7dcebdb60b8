// The file format: one header, then typed, length-prefixed chunks. FORMAT.md is the definition.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "bytes.hpp"

namespace recodec {

inline constexpr std::array<std::uint8_t, 4> kMagic = {0x8E, 'R', 'C', 'D'};
inline constexpr std::uint8_t kFormatVersion = 1;
inline constexpr std::uint32_t kMaxSide = 1u << 30;
inline constexpr std::size_t kMaxHeaderBody = 512;
inline constexpr std::size_t kMaxModelName = 32;
inline constexpr std::size_t kChecksumBytes = 4;
inline constexpr std::uint8_t kLosslessFamily = 2;
inline constexpr std::uint8_t kAlphaAsPng = 1, kAlphaInStrips = 2;

enum class ChunkType : std::uint8_t {
    end = 0,
    codes = 1,
    icc = 2,
    alpha = 3,
    exif = 4,
    xmp = 5,
    exact = 6,
    strip = 7,
};

// What files of all families say of themselves.
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
    Bytes fields;  // the family's own
};

// Where a chunk lies: its payload is [payload, payload + size), the next chunk starts at next.
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

// The chunk whose type and length stand at `offset`, or nothing if `data` ends before they do; the payload may not
// be there yet. Throws Error.
std::optional<Chunk> read_chunk_head(ByteView data, std::size_t offset);

// The chunk at `offset`, or nothing if `data` ends before the chunk does. Throws Error.
std::optional<Chunk> read_chunk(ByteView data, std::size_t offset);

}  // namespace recodec
