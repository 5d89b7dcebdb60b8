// Holds every set of instructions and number of threads to each other, and prints what any other machine must print.
//
//     conformance [--codes N]     at least N codes by each entropy coder (100,000), and N / 20 samples by each of strips
//
// Random bytes stand for some codes, whatever they are: these are coded, and decoded again on 1, 2 and 7 threads. A line
// per coder gives the number of codes and a checksum of them and of their bytes. Of strips, pictures are drawn, coded and
// decoded, and the checksum is that of their bytes.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance.hpp"
#include "crc32c.hpp"
#include "mutate.hpp"
#include "stand_in.hpp"

namespace {

using namespace recodec;

constexpr std::uint32_t kRows = 24, kColumns = 31;
constexpr std::size_t kPlanes = 6;

struct Case {
    const char* name;
    EntropyCoder coder;
    std::uint32_t depth;
};

constexpr Case kCases[] = {
    {"binary, adaptive", {1, 1}, 32},   {"ternary, adaptive", {1, 3}, 28}, {"binary, network", {2, 1}, 32},
    {"ternary, network", {2, 1}, 28},   {"embedded, adaptive", {1, 4}, 36}, {"embedded, network", {2, 2}, 36},
};

// Codes of all planes of one picture, and their coded bytes.
struct Picture {
    std::vector<std::vector<std::int8_t>> codes;
    std::vector<Bytes> coded;
    std::vector<std::uint32_t> checksums;

    bool operator==(const Picture&) const = default;
};

Picture decode(const Case& what, const std::vector<Bytes>& coded, std::size_t threads) {
    const auto coder = stand_in_coder(what.coder, what.depth, kRows, kColumns);
    Picture picture{.codes = {}, .coded = coded, .checksums = {}};
    std::vector<CodedPlane> planes;
    for (std::size_t i = 0; i < coded.size(); ++i) picture.codes.emplace_back(coder->plane_size(i));
    for (std::size_t i = 0; i < coded.size(); ++i) planes.push_back({coded[i], picture.codes[i], 0});
    coder->decode_all(planes, threads);
    for (const CodedPlane& plane : planes) picture.checksums.push_back(plane.checksum);
    return picture;
}

std::vector<Bytes> encode(const Case& what, const Picture& picture) {
    const auto coder = stand_in_coder(what.coder, what.depth, kRows, kColumns);
    std::vector<Bytes> coded;
    for (const auto& plane : picture.codes) coded.push_back(coder->encode(plane));
    return coded;
}

// Few bytes, behind which a decoder reads zeros, and many.
std::vector<Bytes> random_bytes(std::uint64_t seed) {
    Random random(seed);
    std::vector<Bytes> all(kPlanes);
    for (Bytes& bytes : all) {
        bytes.resize(random.below(4096));
        for (std::uint8_t& byte : bytes) byte = random.byte();
    }
    return all;
}

// What a set of instructions makes of a seed; throws where threads disagree.
Picture run(const Case& what, std::uint64_t seed) {
    const Picture any = decode(what, random_bytes(seed), 1);
    const std::vector<Bytes> coded = encode(what, any);
    std::optional<Picture> first;
    for (const std::size_t threads : kThreads) {
        Picture again = decode(what, coded, threads);
        if (again.codes != any.codes) throw std::logic_error(std::to_string(threads) + " threads decode other codes");
        if (first && again != *first) throw std::logic_error(std::to_string(threads) + " threads give another checksum");
        first = std::move(again);
    }
    return *first;
}

void check(const Case& what, std::size_t least) {
    std::size_t codes = 0;
    std::uint32_t digest = 0;
    for (std::uint64_t seed = 0; codes < least; ++seed) {
        const Picture expected = on_all_instructions([&] { return run(what, seed); });
        for (std::size_t i = 0; i < kPlanes; ++i) {
            codes += expected.codes[i].size();
            digest = crc32c(expected.coded[i], digest);
            Bytes checksum;
            put_u32(checksum, expected.checksums[i]);
            digest = crc32c(checksum, digest);
        }
    }
    print_line(what.name, codes, "codes", digest);
}

}  // namespace

int main(int count, char** words) {
    std::size_t least = 100000;
    if (count == 3 && std::strcmp(words[1], "--codes") == 0) least = std::strtoul(words[2], nullptr, 10);
    if ((count != 1 && count != 3) || least == 0) {
        std::fputs("usage: conformance [--codes N]\n", stderr);
        return 2;
    }
    std::fputs("instructions:", stderr);
    for (const Instructions& one : available_instructions()) std::fprintf(stderr, " %s", one.name);
    std::fputs("; threads: 1 2 7\n", stderr);
    for (const Case& what : kCases) {
        try {
            check(what, least);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "conformance: %s: %s\n", what.name, error.what());
            return 1;
        }
    }
    try {
        check_strips(least / 20);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "conformance: strips: %s\n", error.what());
        return 1;
    }
    return 0;
}
