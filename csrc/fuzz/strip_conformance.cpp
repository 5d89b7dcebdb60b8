#include <stdexcept>
#include <string>
#include <vector>

#include "conformance.hpp"
#include "crc32c.hpp"
#include "sample_pictures.hpp"

namespace recodec {

namespace {

using lossless::Effort;
using lossless::StripShape;

constexpr std::uint32_t kRows = 12, kColumns = 31;
constexpr const char* kEffortNames[] = {"fast", "default", "best"};
constexpr const char* kLookNames[] = {"photo", "drawn", "palette"};

// The bytes of a strip; throws where threads disagree, or samples do not come back.
Bytes encode(const std::vector<std::uint16_t>& samples, const StripShape& shape, Effort effort) {
    const Bytes coded = lossless::encode_strip(samples, shape, effort, 1);
    std::vector<std::uint16_t> found(samples.size());
    for (const std::size_t threads : kThreads) {
        if (threads > 1 && lossless::encode_strip(samples, shape, effort, threads) != coded) {
            throw std::logic_error(std::to_string(threads) + " threads code other bytes");
        }
        lossless::decode_strip(coded, shape, effort, found, threads);
        if (found != samples) throw std::logic_error(std::to_string(threads) + " threads decode other samples");
    }
    return coded;
}

void check_strip(Effort effort, int depth, Look look, std::size_t least) {
    std::size_t count = 0;
    std::uint32_t digest = 0;
    for (std::uint64_t seed = 0; count < least; ++seed) {
        const StripShape shape = {kRows, kColumns, static_cast<std::size_t>(1 + (3 + seed) % 4), depth};
        const std::vector<std::uint16_t> samples = draw_picture(shape, look, seed);
        const Bytes coded = on_all_instructions([&] { return encode(samples, shape, effort); });
        count += samples.size();
        digest = crc32c(coded, digest);
    }
    std::string name = std::string("strip, ") + kEffortNames[static_cast<int>(effort)] + ", " + std::to_string(depth) + ", " +
                       kLookNames[static_cast<int>(look)];
    name.resize(27, ' ');
    print_line(name.c_str(), count, "samples", digest);
}

}  // namespace

void check_strips(std::size_t least) {
    for (std::size_t effort = 0; effort < lossless::kEfforts; ++effort) {
        for (const int depth : {8, 16}) {
            for (const Look look : kLooks) check_strip(static_cast<Effort>(effort), depth, look, least);
        }
    }
}

}  // namespace recodec
