#include "container.hpp"

#include <algorithm>

#include "crc32c.hpp"
#include "error.hpp"
#include "header_fields.hpp"
#include "header_presets.hpp"

namespace recodec {

namespace {

constexpr std::uint8_t kShortHeader = 2;  // of the flags

bool valid_model_name(const std::string& name) {
    return !name.empty() && name.size() <= kMaxModelName && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

void check(const Header& h) {
    const auto& require = require_field;
    require(h.width >= 1 && h.width <= kMaxSide, Errc::format, "width", h.width, "it must lie in 1..2^30");
    require(h.height >= 1 && h.height <= kMaxSide, Errc::format, "height", h.height, "it must lie in 1..2^30");
    require(h.channels == 1 || h.channels == 3, Errc::unsupported, "channels", h.channels,
            "this version knows 1 and 3");
    const bool deep = h.family == kLosslessFamily && h.bit_depth == 16;
    require(h.bit_depth == 8 || deep, Errc::unsupported, "bit depth", h.bit_depth,
            "this version knows 8, and 16 without loss");
    require(h.colour <= 1, Errc::unsupported, "colour", h.colour, "this version knows 0 (sRGB) and 1 (ICC)");
    const std::uint8_t with_alpha = h.family == kLosslessFamily ? kAlphaInStrips : kAlphaAsPng;
    require(h.alpha == 0 || h.alpha == with_alpha, Errc::unsupported, "alpha method", h.alpha,
            "this version knows 0 (none) and 1 (PNG), but without loss 2 (a channel of strips) instead of 1");
    if (!valid_model_name(h.model)) {
        throw Error(Errc::format, "the model id must be 1 to 32 characters out of a-z, 0-9 and '-'");
    }
}

}  // namespace

Bytes write_header(const Header& h) {
    check(h);
    const auto preset = std::find_if(kHeaderPresets.begin(), kHeaderPresets.end(),
                                     [&](const HeaderPreset& one) { return says(one, h); });
    const bool is_short = preset != kHeaderPresets.end();
    Bytes body;
    body.push_back(is_short ? kShortHeader : 0);
    put_varint(body, h.width);
    put_varint(body, h.height);
    body.push_back(static_cast<std::uint8_t>((h.bit_depth - 1) << 4 | h.channels));
    body.push_back(static_cast<std::uint8_t>(h.alpha << 4 | h.colour));
    if (is_short) {
        put_varint(body, static_cast<std::uint32_t>(preset - kHeaderPresets.begin() + 1));
        body.insert(body.end(), h.fields.begin() + static_cast<std::ptrdiff_t>(preset->fields.size()), h.fields.end());
    } else {
        body.push_back(h.family);
        body.push_back(static_cast<std::uint8_t>(h.model.size()));
        body.insert(body.end(), h.model.begin(), h.model.end());
        body.insert(body.end(), h.model_hash.begin(), h.model_hash.end());
        body.insert(body.end(), h.fields.begin(), h.fields.end());
    }
    require_field(body.size() <= kMaxHeaderBody, Errc::format, "body size", body.size(),
                  "at most 512 bytes are allowed");

    Bytes out(kMagic.begin(), kMagic.end());
    out.push_back(kFormatVersion);
    put_varint(out, static_cast<std::uint32_t>(body.size()));
    out.insert(out.end(), body.begin(), body.end());
    put_u32(out, crc32c(out));
    return out;
}

Header read_header(ByteView data, std::size_t& end) {
    const std::size_t magic = std::min(data.size(), kMagic.size());
    if (data.empty()) throw Error(Errc::truncated, "the data is empty; a file has at least a header");
    if (!std::equal(kMagic.begin(), kMagic.begin() + magic, data.begin())) {
        throw Error(Errc::format, "this is not a recodec file: the first four bytes are not 8E 52 43 44");
    }
    ByteReader prefix(data, magic);
    const auto cut = [&] {
        return Error(Errc::truncated,
                     "the file ends inside its header, after " + std::to_string(data.size()) + " bytes");
    };
    const auto version = prefix.byte();
    if (!version) throw cut();
    if (*version != kFormatVersion) {
        throw Error(Errc::unsupported, "format version " + std::to_string(*version) +
                                           "; this release reads version 1, a newer one may read it");
    }
    const auto size = prefix.varint();
    if (!size) throw cut();
    if (*size > kMaxHeaderBody) {
        throw Error(Errc::format,
                    "the header body claims " + std::to_string(*size) + " bytes; at most 512 are allowed");
    }
    if (prefix.left() < *size + kChecksumBytes) throw cut();
    const ByteView body = data.subspan(prefix.position(), *size);
    const std::size_t crc_at = prefix.position() + *size;
    if (get_u32(data.subspan(crc_at)) != crc32c(data.first(crc_at))) {
        throw Error(Errc::checksum, "the header checksum does not match: the file is damaged");
    }

    FieldReader in(body);
    Header h;
    const std::uint8_t flags = in.byte();
    require_field((flags & 0x0F & ~kShortHeader) == 0, Errc::unsupported, "flags", flags,
                  "reserved bits 0, 2 and 3 must be zero");
    h.width = in.varint();
    h.height = in.varint();
    const std::uint8_t samples = in.byte();
    h.channels = samples & 0x0F;
    h.bit_depth = static_cast<std::uint8_t>((samples >> 4) + 1);
    const std::uint8_t colour = in.byte();
    h.colour = colour & 0x0F;
    h.alpha = colour >> 4;
    if (flags & kShortHeader) {
        const std::uint32_t number = in.varint();
        require_field(number >= 1 && number <= kHeaderPresets.size(), Errc::unsupported, "preset", number,
                      "this release knows others, a newer one may know it");
        const HeaderPreset& preset = kHeaderPresets[number - 1];
        h.family = preset.family;
        h.model = preset.model;
        h.model_hash = preset.model_hash;
        h.fields.assign(preset.fields.begin(), preset.fields.end());
    } else {
        h.family = in.byte();
        const std::uint8_t name = in.byte();
        require_field(name <= kMaxModelName, Errc::format, "model id length", name, "at most 32 characters are allowed");
        for (int i = 0; i < name; ++i) h.model.push_back(static_cast<char>(in.byte()));
        for (auto& byte : h.model_hash) byte = in.byte();
    }
    const ByteView own = body.subspan(in.position());
    h.fields.insert(h.fields.end(), own.begin(), own.end());
    check(h);
    end = crc_at + kChecksumBytes;
    return h;
}

Bytes write_chunk(std::uint8_t type, ByteView payload) {
    if (payload.size() > 0xFFFFFFFFu) throw Error(Errc::limit, "a chunk holds at most 2^32 - 1 bytes");
    Bytes out{type};
    put_varint(out, static_cast<std::uint32_t>(payload.size()));
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
}

std::optional<Chunk> read_chunk_head(ByteView data, std::size_t offset) {
    if (offset >= data.size()) return std::nullopt;
    ByteReader in(data, offset);
    const auto type = in.byte();
    const auto size = in.varint();
    if (!size) return std::nullopt;
    return Chunk{*type, in.position(), *size, in.position() + *size};
}

std::optional<Chunk> read_chunk(ByteView data, std::size_t offset) {
    const auto chunk = read_chunk_head(data, offset);
    return chunk && chunk->next <= data.size() ? chunk : std::nullopt;
}

}  // namespace recodec
