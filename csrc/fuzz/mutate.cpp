#include "mutate.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "chunk_coder.hpp"
#include "crc32c.hpp"
#include "decode_file.hpp"
#include "error.hpp"
#include "plane_header.hpp"
#include "stand_in.hpp"

namespace recodec {

namespace {

constexpr std::size_t kBodySizeAt = 5;
constexpr std::array<std::uint8_t, 8> kExtremes = {0x00, 0x01, 0x02, 0x03, 0x7F, 0x80, 0xFE, 0xFF};

struct Range {
    std::size_t begin, end;
};

std::ptrdiff_t offset(std::size_t at) { return static_cast<std::ptrdiff_t>(at); }

ByteView view(const Bytes& data, std::size_t begin, std::size_t end) {
    return ByteView(data).subspan(begin, end - begin);
}

void put_u32(std::uint32_t value, Bytes& data, std::size_t at) {
    for (std::size_t i = 0; i < kChecksumBytes; ++i) data[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// First byte after the header as its size field has it, checksum right or wrong; 0 if it is cut.
std::size_t header_end(ByteView data) {
    std::size_t size = 0, at = kBodySizeAt;
    for (int shift = 0; shift < 35; shift += 7) {
        if (at >= data.size()) return 0;
        size |= std::size_t{data[at] & 0x7Fu} << shift;
        if (data[at++] < 0x80) break;
    }
    const std::size_t end = at + size + kChecksumBytes;
    return end <= data.size() ? end : 0;
}

// Whole chunks, head and payload.
std::vector<Range> chunk_ranges(ByteView data) {
    std::vector<Range> found;
    std::size_t at = header_end(data);
    if (at == 0) return found;
    try {
        while (const std::optional<Chunk> chunk = read_chunk(data, at)) {
            found.push_back({at, chunk->next});
            at = chunk->next;
        }
    } catch (const Error&) {
        // What follows a malformed size cannot be told apart.
    }
    return found;
}

void insert(Bytes& data, std::size_t at, ByteView piece) {
    // A copy, since the piece may be one of `data`.
    const Bytes copy(piece.begin(), piece.end());
    data.insert(data.begin() + offset(at), copy.begin(), copy.end());
}

void erase(Bytes& data, Range range) {
    data.erase(data.begin() + offset(range.begin), data.begin() + offset(range.end));
}

Range some_bytes(const Bytes& data, Random& random) {
    const std::size_t begin = random.below(data.size());
    return {begin, begin + 1 + random.below(std::min<std::size_t>(16, data.size() - begin))};
}

std::uint8_t extreme(Random& random) {
    const std::size_t choice = random.below(kExtremes.size() + 1);
    return choice < kExtremes.size() ? kExtremes[choice] : random.byte();
}

void flip_bits(Bytes& data, Random& random) {
    for (std::size_t count = 1 + random.below(8); count > 0; --count) {
        data[random.below(data.size())] ^= static_cast<std::uint8_t>(1u << random.below(8));
    }
}

void set_bytes(Bytes& data, Random& random) {
    const auto [begin, end] = some_bytes(data, random);
    std::fill(data.begin() + offset(begin), data.begin() + offset(end), extreme(random));
}

void truncate(Bytes& data, Random& random) { data.resize(random.below(data.size())); }

void insert_bytes(Bytes& data, Random& random) {
    Bytes piece(1 + random.below(16));
    for (auto& byte : piece) byte = random.byte();
    insert(data, random.below(data.size() + 1), piece);
}

void delete_bytes(Bytes& data, Random& random) { erase(data, some_bytes(data, random)); }

void edit_header(Bytes& data, Random& random) {
    const std::size_t end = header_end(data) ? header_end(data) : data.size();
    for (std::size_t count = 1 + random.below(3); count > 0; --count) {
        const std::size_t begin = std::min(kBodySizeAt, end - 1);
        data[begin + random.below(end - begin)] = extreme(random);
    }
}

// Fields of a sound header get values at which limits lie, and it is sound again.
void edit_fields(Bytes& data, Random& random) try {
    constexpr std::array<std::uint32_t, 8> kSides = {1, 2, 5, 16, 64, 255, 1u << 12, 1u << 30};
    constexpr std::array<std::uint32_t, 7> kDepths = {1, 2, 8, 20, 96, 97, 256};
    constexpr std::array<std::uint8_t, 5> kStrides = {1, 2, 4, 16, 255};
    constexpr std::array<std::uint32_t, 6> kTiles = {1, 2, 8, 9, 64, 1u << 26};
    constexpr std::array<std::uint32_t, 5> kHalos = {0, 1, 8, 22, 255};
    const auto one_of = [&](const auto& values) { return values[random.below(values.size())]; };
    std::size_t end = 0;
    Header header = read_header(data, end);
    PlaneHeader fields = read_plane_header(header);
    for (std::size_t count = 1 + random.below(3); count > 0; --count) {
        switch (random.below(8)) {
            case 0: header.width = one_of(kSides); break;
            case 1: header.height = one_of(kSides); break;
            case 2: fields.stride = one_of(kStrides); break;
            case 3: fields.depth = one_of(kDepths); break;
            case 4: fields.entropy.version = static_cast<std::uint8_t>(1 + random.below(4)); break;
            case 5: fields.tile_columns = one_of(kTiles); break;
            case 6: fields.tile_rows = one_of(kTiles); break;
            case 7: fields.tile_halo = one_of(kHalos); break;
        }
    }
    header.fields = write_plane_header(fields, header);
    const Bytes written = write_header(header);
    erase(data, {0, end});
    insert(data, 0, written);
} catch (const Error&) {
    // No sound header, or none that could be one.
}

// Type or size field of a chunk.
void edit_head(Bytes& data, Random& random) {
    const auto chunks = chunk_ranges(data);
    if (chunks.empty()) return;
    const std::size_t at = chunks[random.below(chunks.size())].begin;
    if (random.below(2)) {
        data[at] = static_cast<std::uint8_t>(random.below(std::size_t{static_cast<std::uint8_t>(ChunkType::strip)} + 2));
    } else if (random.below(2)) {
        data[at + 1] = extreme(random);
    } else {
        data[at + 1] = static_cast<std::uint8_t>(data[at + 1] + (random.below(2) ? -1 : 1));
    }
}

void drop_chunk(Bytes& data, Random& random) {
    const auto chunks = chunk_ranges(data);
    if (!chunks.empty()) erase(data, chunks[random.below(chunks.size())]);
}

void repeat_chunk(Bytes& data, Random& random) {
    const Bytes copy = data;
    splice(data, copy, random);
}

constexpr std::array kMutations = {flip_bits,   set_bytes, truncate,   insert_bytes, delete_bytes,
                                   edit_header, edit_fields, edit_head, drop_chunk, repeat_chunk};

}  // namespace

void mutate(Bytes& data, Random& random) {
    for (std::size_t count = 1 + random.below(4); count > 0 && !data.empty(); --count) {
        kMutations[random.below(kMutations.size())](data, random);
    }
}

void splice(Bytes& data, ByteView other, Random& random) {
    const auto from = chunk_ranges(other), to = chunk_ranges(data);
    const std::size_t at = to.empty() ? data.size() : to[random.below(to.size())].begin;
    if (!from.empty()) {
        const auto [begin, end] = from[random.below(from.size())];
        insert(data, at, other.subspan(begin, end - begin));
    } else if (!other.empty()) {
        insert(data, at, other.first(1 + random.below(other.size())));
    }
}

void repair(Bytes& data, const Limits& limits) try {
    const std::size_t header_bytes = header_end(data);
    if (header_bytes == 0) return;
    put_u32(crc32c(view(data, 0, header_bytes - kChecksumBytes)), data, header_bytes - kChecksumBytes);
    std::size_t at = 0;
    const Header header = read_header(data, at);
    const PlaneHeader fields = read_plane_header(header);
    Budget budget(header, fields, limits);
    const auto coder = stand_in_coder(header, fields);
    std::vector<std::int8_t> codes;
    std::uint8_t iterations = 0;
    while (const std::optional<Chunk> chunk = read_chunk(data, at)) {
        at = chunk->next;
        if (chunk->type == static_cast<std::uint8_t>(ChunkType::end)) {
            if (chunk->size == 1) data[chunk->payload] = iterations & 0x7F;
            return;
        }
        if (chunk->type > static_cast<std::uint8_t>(ChunkType::xmp) || chunk->size < kChecksumBytes) continue;
        const ByteView content = view(data, chunk->payload + kChecksumBytes, chunk->next);
        std::uint32_t crc = crc32c(content, crc32c(ByteView(&chunk->type, 1)));
        if (chunk->type == static_cast<std::uint8_t>(ChunkType::codes)) {
            ++iterations;
            budget.spend();
            codes.resize(coder->plane_size());
            CodedPlane plane = {content, codes, crc};
            coder->decode(plane);
            crc = plane.checksum;
        }
        put_u32(crc, data, chunk->payload);
    }
} catch (const Error&) {
    // Some damage is beyond repair, and that is as well.
}

}  // namespace recodec
