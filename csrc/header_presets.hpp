// What short headers say by a number: the fields of files by a released model, as FORMAT.md lists them. Rows are added and
// never change.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "container.hpp"

namespace recodec {

struct HeaderPreset {
    std::uint8_t family;
    std::string_view model;
    std::array<std::uint8_t, 8> model_hash;
    std::span<const std::uint8_t> fields;  // of the family, and there may be more behind them
};

namespace detail {

// Stride 16, 256 latents, version 2 of the entropy network, one tile.
inline constexpr std::array<std::uint8_t, 8> kLatentFields = {0x10, 0x80, 0x02, 0x02, 0x02, 0x01, 0x01, 0x00};
// The same with version 4.
inline constexpr std::array<std::uint8_t, 8> kLearningFields = {0x10, 0x80, 0x02, 0x02, 0x04, 0x01, 0x01, 0x00};
// Version 1 of the coder; rows, effort and samples follow.
inline constexpr std::array<std::uint8_t, 1> kStripFields = {0x01};

}  // namespace detail

// Numbered from 1.
inline constexpr std::array<HeaderPreset, 5> kHeaderPresets = {{
    {1, "latent-1", {0x48, 0x50, 0x9E, 0xB7, 0xF6, 0x2B, 0xE1, 0x48}, detail::kLatentFields},
    {1, "latent-2", {0xA2, 0xDA, 0x21, 0x95, 0xC5, 0x25, 0xC6, 0xC2}, detail::kLatentFields},
    {kLosslessFamily, "lossless", {}, detail::kStripFields},
    {1, "latent-3", {0x72, 0x6D, 0x66, 0x3E, 0x4C, 0x6C, 0xBD, 0xB1}, detail::kLearningFields},
    {1, "latent-4", {0x10, 0x6A, 0xE3, 0x65, 0x15, 0x6A, 0xD2, 0x25}, detail::kLearningFields},
}};

inline bool says(const HeaderPreset& preset, const Header& header) {
    return header.family == preset.family && header.model == preset.model && header.model_hash == preset.model_hash &&
           header.fields.size() >= preset.fields.size() &&
           std::equal(preset.fields.begin(), preset.fields.end(), header.fields.begin());
}

}  // namespace recodec
