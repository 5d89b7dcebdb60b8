#include "container.hpp"

#include <algorithm>
#include <cstdlib>

#include "crc32c.hpp"
#include "error.hpp"

namespace recodec {

namespace {

// Enough for 32 bits; a longer one is malformed.
constexpr int kMaxVarintBytes = 5;

void put_varint(Bytes& out, std::uint32_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<std::uint8_t>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<std::uint8_t>(value));
}

void put_u32(Bytes& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Bounds-checked forward reader. `ended` tells a short read apart from a malformed one.
class Reader {
public:
    explicit Reader(ByteView data, std::size_t position = 0) : data_(data), position_(position) {}

    std::size_t position() const { return position_; }
    std::size_t left() const { return data_.size() - position_; }

    std::optional<std::uint8_t> byte() {
        if (left() == 0) return std::nullopt;
        return data_[position_++];
    }

    std::optional<std::uint32_t> varint() {
        std::uint64_t value = 0;
        for (int i = 0; i < kMaxVarintBytes; ++i) {
            const auto next = byte();
            if (!next) return std::nullopt;
            value |= std::uint64_t{*next & 0x7Fu} << (7 * i);
            if (*next < 0x80) {
                if (value > 0xFFFFFFFFu) break;
                if (i > 0 && *next == 0) throw Error(Errc::format, "a variable-length integer has a needless last byte");
                return static_cast<std::uint32_t>(value);
            }
        }
        throw Error(Errc::format, "a variable-length integer exceeds 32 bits");
    }

private:
    ByteView data_;
    std::size_t position_;
};

// Fields inside the header body: running out of bytes there is an error of format, not a cut file.
class BodyReader {
public:
    explicit BodyReader(ByteView body) : reader_(body) {}

    std::uint8_t byte() { return take(reader_.byte()); }
    std::uint32_t varint() { return take(reader_.varint()); }
    bool at_end() const { return reader_.left() == 0; }

private:
    template <typename T>
    static T take(std::optional<T> value) {
        if (!value) throw Error(Errc::format, "the header body is shorter than its fields");
        return *value;
    }

    Reader reader_;
};

bool valid_model_name(const std::string& name) {
    return !name.empty() && name.size() <= kMaxModelName && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

void require(bool condition, Errc code, const char* field, std::uint64_t value, const char* limit) {
    if (!condition) {
        throw Error(code, std::string("header field ") + field + " is " + std::to_string(value) + "; " + limit);
    }
}

void check(const Header& h) {
    require(h.width >= 1 && h.width <= kMaxSide, Errc::format, "width", h.width, "it must lie in 1..2^30");
    require(h.height >= 1 && h.height <= kMaxSide, Errc::format, "height", h.height, "it must lie in 1..2^30");
    require(h.channels == 1 || h.channels == 3, Errc::unsupported, "channels", h.channels, "this version knows 1 and 3");
    require(h.bit_depth == 8, Errc::unsupported, "bit depth", h.bit_depth, "this version knows 8");
    require(h.colour <= 1, Errc::unsupported, "colour", h.colour, "this version knows 0 (sRGB) and 1 (ICC)");
    require(h.alpha <= 1, Errc::unsupported, "alpha method", h.alpha, "this version knows 0 (none) and 1 (PNG)");
    require(h.family == 1, Errc::unsupported, "family", h.family, "this version knows 1 (recurrent)");
    require(h.stride >= 1, Errc::format, "stride", h.stride, "it must lie in 1..255");
    require(h.depth >= 1 && h.depth <= kMaxDepth, Errc::format, "depth", h.depth, "it must lie in 1..256");
    require(h.entropy.kind == 1 || h.entropy.kind == 2, Errc::unsupported, "entropy coder", h.entropy.kind,
            "this version knows 1 (adaptive contexts) and 2 (network)");
    require(h.entropy.is_known(), Errc::unsupported, "entropy coder version", h.entropy.version,
            "this version knows 1 and 3 of adaptive contexts, 1 of the network");
    require(h.tile_columns >= 1 && h.tile_columns <= h.columns(), Errc::format, "tile columns", h.tile_columns,
            "a tile is one position wide or more");
    require(h.tile_rows >= 1 && h.tile_rows <= h.rows(), Errc::format, "tile rows", h.tile_rows,
            "a tile is one position high or more");
    require(h.tile_halo <= kMaxTileHalo, Errc::format, "tile halo", h.tile_halo, "it must lie in 0..255");
    if (!valid_model_name(h.model)) {
        throw Error(Errc::format, "the model id must be 1 to 32 characters out of a-z, 0-9 and '-'");
    }
}

}  // namespace

Bytes write_header(const Header& h) {
    check(h);
    Bytes body;
    body.push_back(0);
    put_varint(body, h.width);
    put_varint(body, h.height);
    body.push_back(static_cast<std::uint8_t>((h.bit_depth - 1) << 4 | h.channels));
    body.push_back(static_cast<std::uint8_t>(h.alpha << 4 | h.colour));
    body.push_back(h.family);
    body.push_back(static_cast<std::uint8_t>(h.model.size()));
    body.insert(body.end(), h.model.begin(), h.model.end());
    body.insert(body.end(), h.model_hash.begin(), h.model_hash.end());
    body.push_back(h.stride);
    put_varint(body, h.depth);
    body.push_back(h.entropy.kind);
    body.push_back(h.entropy.version);
    put_varint(body, h.tile_columns);
    put_varint(body, h.tile_rows);
    put_varint(body, h.tile_halo);
    if (h.arithmetic != 0) body.push_back(h.arithmetic);

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
    if (!std::ranges::equal(data.first(magic), std::span(kMagic).first(magic))) {
        throw Error(Errc::format, "this is not a recodec file: the first four bytes are not 8E 52 43 44");
    }
    Reader prefix(data, magic);
    const auto cut = [&] {
        return Error(Errc::truncated, "the file ends inside its header, after " + std::to_string(data.size()) + " bytes");
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
        throw Error(Errc::format, "the header body claims " + std::to_string(*size) + " bytes; at most 512 are allowed");
    }
    if (prefix.left() < *size + 4u) throw cut();
    const ByteView body = data.subspan(prefix.position(), *size);
    const std::size_t crc_at = prefix.position() + *size;
    std::uint32_t stored = 0;
    for (int i = 3; i >= 0; --i) stored = stored << 8 | data[crc_at + static_cast<std::size_t>(i)];
    if (stored != crc32c(data.first(crc_at))) {
        throw Error(Errc::checksum, "the header checksum does not match: the file is damaged");
    }

    BodyReader in(body);
    Header h;
    const std::uint8_t flags = in.byte();
    require((flags & 0x0F) == 0, Errc::unsupported, "flags", flags, "reserved bits 0 to 3 must be zero");
    h.width = in.varint();
    h.height = in.varint();
    const std::uint8_t samples = in.byte();
    h.channels = samples & 0x0F;
    h.bit_depth = static_cast<std::uint8_t>((samples >> 4) + 1);
    const std::uint8_t colour = in.byte();
    h.colour = colour & 0x0F;
    h.alpha = colour >> 4;
    h.family = in.byte();
    const std::uint8_t name = in.byte();
    require(name <= kMaxModelName, Errc::format, "model id length", name, "at most 32 characters are allowed");
    for (int i = 0; i < name; ++i) h.model.push_back(static_cast<char>(in.byte()));
    for (auto& byte : h.model_hash) byte = in.byte();
    h.stride = in.byte();
    h.depth = in.varint();
    h.entropy.kind = in.byte();
    h.entropy.version = in.byte();
    h.tile_columns = in.varint();
    h.tile_rows = in.varint();
    h.tile_halo = in.varint();
    if (!in.at_end()) h.arithmetic = in.byte();
    check(h);
    end = crc_at + 4;
    return h;
}

Bytes write_chunk(std::uint8_t type, ByteView payload) {
    if (payload.size() > 0xFFFFFFFFu) throw Error(Errc::limit, "a chunk holds at most 2^32 - 1 bytes");
    Bytes out{type};
    put_varint(out, static_cast<std::uint32_t>(payload.size()));
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
}

std::optional<Chunk> read_chunk(ByteView data, std::size_t offset) {
    if (offset >= data.size()) return std::nullopt;
    Reader in(data, offset);
    const auto type = in.byte();
    const auto size = in.varint();
    if (!size || in.left() < *size) return std::nullopt;
    return Chunk{*type, in.position(), *size, in.position() + *size};
}

Bytes alpha_data(ByteView png, const Header& header) {
    constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    constexpr std::size_t kFrame = 12;  // length, type and CRC of a PNG chunk
    const auto fail = [](const char* what) { throw Error(Errc::format, std::string("the alpha channel is ") + what); };
    const auto u32 = [&](std::size_t at) {
        return std::uint32_t{png[at]} << 24 | std::uint32_t{png[at + 1]} << 16 | std::uint32_t{png[at + 2]} << 8 |
               png[at + 3];
    };
    if (png.size() < kSignature.size() || !std::ranges::equal(png.first(kSignature.size()), kSignature)) {
        fail("not a PNG datastream");
    }
    std::size_t at = kSignature.size();
    Bytes data;
    bool has_data = false;
    for (bool first = true;; first = false) {
        if (png.size() - at < kFrame || png.size() - at - kFrame < u32(at)) fail("a PNG datastream that is cut");
        const std::size_t size = u32(at);
        const std::string type(png.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                               png.begin() + static_cast<std::ptrdiff_t>(at) + 8);
        const std::size_t content = at + 8;
        at += kFrame + size;
        if (first) {
            // Width, height, then bit depth, colour type, compression, filter and interlace methods.
            constexpr std::array<std::uint8_t, 5> kGrey = {8, 0, 0, 0, 0};
            if (type != "IHDR" || size != 13) fail("a PNG datastream without its header");
            if (u32(content) != header.width || u32(content + 4) != header.height) {
                fail("not of the size of the picture");
            }
            if (!std::ranges::equal(png.subspan(content + 8, kGrey.size()), kGrey)) {
                fail("not an 8-bit grey PNG without interlace");
            }
        } else if (type == "IDAT") {
            has_data = true;
            const ByteView part = png.subspan(content, size);
            data.insert(data.end(), part.begin(), part.end());
        } else if (type == "IEND") {
            if (size != 0 || at != png.size()) fail("followed by bytes that do not belong to it");
            break;
        } else {
            fail("a PNG datastream with other chunks than IHDR, IDAT and IEND");
        }
    }
    if (!has_data) fail("a PNG datastream without image data");
    return data;
}

void unfilter(ByteView scanlines, std::size_t width, std::span<std::uint8_t> out) {
    const std::size_t rows = out.size() / width;
    if (scanlines.size() != rows * (width + 1)) {
        throw Error(Errc::format, "the alpha channel has " + std::to_string(scanlines.size()) + " bytes of rows; " +
                                      std::to_string(rows * (width + 1)) + " are needed");
    }
    for (std::size_t y = 0; y < rows; ++y) {
        const std::uint8_t* in = scanlines.data() + y * (width + 1);
        const std::uint8_t type = *in++;
        if (type > 4) throw Error(Errc::format, "the alpha channel has a row with an unknown PNG filter");
        std::uint8_t* row = out.data() + y * width;
        const std::uint8_t* above = y > 0 ? row - width : nullptr;
        for (std::size_t x = 0; x < width; ++x) {
            const int a = x > 0 ? row[x - 1] : 0;
            const int b = above ? above[x] : 0;
            const int c = above && x > 0 ? above[x - 1] : 0;
            int predicted = 0;
            if (type == 1) predicted = a;
            if (type == 2) predicted = b;
            if (type == 3) predicted = (a + b) / 2;
            if (type == 4) {
                const int to_a = std::abs(b - c), to_b = std::abs(a - c), to_c = std::abs(a + b - 2 * c);
                predicted = to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
            }
            row[x] = static_cast<std::uint8_t>(in[x] + predicted);
        }
    }
}

}  // namespace recodec
