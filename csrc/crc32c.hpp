// CRC-32C (Castagnoli), reflected, initial value and final inversion of all ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace recodec {

namespace detail {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        table[i] = value;
    }
    return table;
}

inline constexpr auto kCrcTable = make_crc_table();

}  // namespace detail

// Continues from `crc`, the value of the bytes before, or 0 at the start.
inline std::uint32_t crc32c(std::span<const std::uint8_t> data, std::uint32_t crc = 0) {
    crc = ~crc;
    for (const std::uint8_t byte : data) crc = detail::kCrcTable[(crc ^ byte) & 0xFF] ^ crc >> 8;
    return ~crc;
}

}  // namespace recodec
