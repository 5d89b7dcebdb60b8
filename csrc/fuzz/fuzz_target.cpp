// What must hold for any bytes whatsoever, as a libFuzzer target with a mutator that knows the format.
//
// Files decode or are rejected; what decodes survives another round trip; the coders give back what they
// were given for any bits, probabilities and codes. A property that fails is an exception nobody catches.
#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "decode_file.hpp"
#include "fuzz_target.hpp"
#include "mutate.hpp"
#include "plane_coder.hpp"
#include "plane_header.hpp"
#include "range_coder.hpp"
#include "stand_in.hpp"

namespace {

using namespace recodec;

// Low, so that executions are many: what can go wrong does not depend on it. A plane of any depth fits.
constexpr Limits kLimits = {.pixels = 1u << 12, .cost = 1u << 16};

void require(bool holds, const char* property) {
    if (!holds) throw std::logic_error(property);
}

// Codes to bytes and back, with coders of their own.
class RoundTrip {
public:
    RoundTrip(std::uint32_t depth, std::uint32_t rows, std::uint32_t columns, EntropyCoder coder)
        : encoder_(stand_in_coder(coder, depth, rows, columns)),
          decoder_(stand_in_coder(coder, depth, rows, columns)) {}

    void take(std::span<const std::int8_t> plane) {
        const Bytes data = encoder_->encode(plane);
        again_.resize(plane.size());
        CodedPlane again = {data, again_, 0};
        decoder_->decode(again);
        require(std::ranges::equal(plane, again_), "decoded codes are those that were encoded");
        require(encoder_->checksum(0) == again.checksum, "equal codes have equal checksums");
    }

private:
    std::unique_ptr<PlaneCoder> encoder_, decoder_;
    std::vector<std::int8_t> again_;
};

// Whether the file decodes; if so, its header and codes must survive being written again.
bool check_round_trip(ByteView data) {
    std::unique_ptr<RoundTrip> round_trip;
    return decodes(data, kLimits, [&](const Header& header, const PlaneHeader& fields, std::span<const std::int8_t> plane) {
        if (!round_trip) {
            round_trip = std::make_unique<RoundTrip>(fields.depth, fields.positions(header.height),
                                                     fields.positions(header.width), fields.entropy);
            require(write_plane_header(fields, header).size() <= header.fields.size(), "fields are as they were written");
            const Bytes written = write_header(header);
            std::size_t end = 0;
            require(write_header(read_header(written, end)) == written, "a header is read as it was written");
            require(end == written.size(), "a header ends where it was written to end");
        }
        round_trip->take(plane);
    });
}

void check_range_coder(ByteView data) {
    const std::size_t bits = std::min<std::size_t>(4 * data.size(), 512);
    std::vector<Probability> probabilities(bits);
    for (std::size_t i = 0; i < bits; ++i) {
        const unsigned value = data[i % data.size()] * 256u + data[(i * 7 + 1) % data.size()];
        probabilities[i] = static_cast<Probability>(std::max(1u, value));
    }
    std::vector<bool> decoded(bits);
    RangeDecoder any(data);
    for (std::size_t i = 0; i < bits; ++i) decoded[i] = any.decode(probabilities[i]);

    RangeEncoder encoder;
    for (std::size_t i = 0; i < bits; ++i) encoder.encode(decoded[i], probabilities[i]);
    const Bytes coded = std::move(encoder).finish();
    RangeDecoder decoder(coded);
    for (std::size_t i = 0; i < bits; ++i) {
        require(decoder.decode(probabilities[i]) == decoded[i], "decoded bits are those that were encoded");
    }
}

// Whatever codes any bytes stand for are coded and decoded again.
void check_plane_coder(ByteView data, EntropyCoder coder) {
    // The network takes multiples of 4.
    const std::uint32_t depth = (1 + data[0] % 5u) * (coder.kind == 2 ? 4 : 1);
    const std::uint32_t rows = 1 + data.back() % 3u, columns = 1 + data[data.size() / 2] % 4u;
    const auto any = stand_in_coder(coder, depth, rows, columns);
    RoundTrip round_trip(depth, rows, columns, coder);
    std::vector<std::int8_t> codes;
    for (std::size_t plane = 0; plane < 4; ++plane) {
        codes.resize(any->plane_size());
        CodedPlane coded = {data.subspan(plane * data.size() / 4), codes, 0};
        any->decode(coded);
        round_trip.take(codes);
    }
}

// The checksums of three in four are made right, since chance would not.
std::size_t finish(Bytes data, std::uint8_t* out, std::size_t max_size, Random& random) {
    if (data.size() > max_size) data.resize(max_size);
    if (random.below(4)) repair(data, kLimits);
    std::ranges::copy(data, out);
    return data.size();
}

}  // namespace

const char* const corpus_extension = ".rcd";

bool check_all(const std::uint8_t* bytes, std::size_t size) {
    // A copy as long as the input, so that a read past the end is one past the allocation.
    const Bytes data(bytes, bytes + size);
    // Mistakes of the reader are the likely ones, so it gets all inputs; the slower checks share them.
    switch (size > 0 ? size % 4 : 3) {
        case 0:
            check_range_coder(data);
            check_plane_coder(data, {1, 1});
            check_plane_coder(data, {1, 3});
            check_plane_coder(data, {1, 4});
            check_plane_coder(data, {2, 1});
            check_plane_coder(data, {2, 2});
            break;
        case 1:
            return check_round_trip(data);
    }
    return decodes(data, kLimits);
}

extern "C" {

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
    Random random(seed);
    Bytes mutated(data, data + size);
    mutate(mutated, random);
    return finish(std::move(mutated), data, max_size, random);
}

std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size, const std::uint8_t* other,
                                      std::size_t other_size, std::uint8_t* out, std::size_t max_size,
                                      unsigned seed) {
    Random random(seed);
    Bytes crossed(data, data + size);
    splice(crossed, {other, other_size}, random);
    return finish(std::move(crossed), out, max_size, random);
}

}  // extern "C"
