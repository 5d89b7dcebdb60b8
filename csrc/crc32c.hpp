// CRC-32C (Castagnoli), reflected, initial value and final inversion of all ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace recodec {

namespace detail {

using CrcTable = std::array<std::uint32_t, 256>;

// Table 0 is that of a byte, table k that of a byte with k zeros behind it: eight bytes take as long as one then.
constexpr std::array<CrcTable, 8> make_crc_tables() {
    std::array<CrcTable, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        tables[0][i] = value;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t i = 0; i < 256; ++i) {
            const std::uint32_t value = tables[k - 1][i];
            tables[k][i] = tables[0][value & 0xFF] ^ value >> 8;
        }
    }
    return tables;
}

inline constexpr auto kCrcTables = make_crc_tables();

}  // namespace detail

// Continues from `crc`, the value of the bytes before, or 0 at the start.
inline std::uint32_t crc32c(std::span<const std::uint8_t> data, std::uint32_t crc = 0) {
    crc = ~crc;
    const auto& tables = detail::kCrcTables;
    std::size_t i = 0;
    for (; i + 8 <= data.size(); i += 8) {
        std::uint32_t next = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            next ^= tables[7 - k][(crc >> 8 * k ^ data[i + k]) & 0xFF] ^ tables[3 - k][data[i + 4 + k]];
        }
        crc = next;
    }
    for (; i < data.size(); ++i) crc = tables[0][(crc ^ data[i]) & 0xFF] ^ crc >> 8;
    return ~crc;
}

}  // namespace recodec
