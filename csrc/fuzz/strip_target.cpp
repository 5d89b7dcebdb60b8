// What must hold for strips, whatever their bytes: they decode or are rejected, samples come back from what was coded of
// them, and neither depends on the number of threads.
//
// An input begins with four bytes: what follows, and the shape of a strip; behind them stand coded bytes, or samples.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include "error.hpp"
#include "fuzz_target.hpp"
#include "lossless/strip_coder.hpp"
#include "mutate.hpp"
#include "sample_pictures.hpp"

namespace {

using namespace recodec;
using lossless::Effort;
using lossless::StripShape;

constexpr std::size_t kHead = 4;
// What takes most time is drawn least.
constexpr std::array kEfforts = {Effort::fast, Effort::fast, Effort::fast, Effort::fast,     Effort::fast,     Effort::fast,
                                 Effort::fast, Effort::fast, Effort::fast, Effort::standard, Effort::standard, Effort::best};
constexpr std::array<std::size_t, 8> kThreads = {1, 1, 1, 1, 1, 1, 2, 3};
constexpr std::array<std::size_t, 8> kChannels = {1, 2, 1, 2, 3, 1, 2, 4};
constexpr std::array kDepths = {8, 8, 8, 8, 8, 8, 8, 16};

void require(bool holds, const char* property) {
    if (!holds) throw std::logic_error(property);
}

struct Input {
    bool coded, again;  // with samples of coded bytes coded again
    std::size_t threads;
    Effort effort;
    StripShape shape;
    ByteView content;
};

// Of any bytes, of four at least. Few pixels, so that executions are many.
Input read(ByteView data) {
    const std::size_t how = data[1];
    const std::uint32_t width = 1u + data[3] % 40, height = 1u + data[2] % std::clamp(96 / width, 1u, 20u);
    return {data[0] % 2 == 0,
            data[0] / 16 % 4 == 0,
            kThreads[data[0] / 2 % kThreads.size()],
            kEfforts[how % kEfforts.size()],
            {height, width, kChannels[how / 12 % kChannels.size()], kDepths[data[0] / 64 * 2 + how % 2]},
            data.subspan(kHead)};
}

// As many samples as the shape has, least significant byte first; all over again where bytes end.
std::vector<std::uint16_t> samples_of(const Input& input) {
    std::vector<std::uint16_t> samples(input.shape.samples());
    std::size_t at = 0;
    const auto next = [&] { return input.content.empty() ? 0u : unsigned{input.content[at++ % input.content.size()]}; };
    for (auto& sample : samples) {
        const unsigned low = next();
        sample = static_cast<std::uint16_t>(input.shape.depth == 16 ? low | next() << 8 : low);
    }
    return samples;
}

Bytes content_of(const std::vector<std::uint16_t>& samples, int depth) {
    Bytes content;
    for (const std::uint16_t sample : samples) {
        content.push_back(static_cast<std::uint8_t>(sample));
        if (depth == 16) content.push_back(static_cast<std::uint8_t>(sample >> 8));
    }
    return content;
}

std::vector<std::uint16_t> decode(ByteView coded, const Input& input, std::size_t threads) {
    // A copy as long as they are, so that a read past the end is one past the allocation.
    const Bytes copy(coded.begin(), coded.end());
    std::vector<std::uint16_t> samples(input.shape.samples());
    lossless::decode_strip(copy, input.shape, input.effort, samples, threads);
    return samples;
}

void check_round_trip(const std::vector<std::uint16_t>& samples, const Input& input) {
    const Bytes coded = lossless::encode_strip(samples, input.shape, input.effort, input.threads);
    require(decode(coded, input, 1) == samples, "decoded samples are those that were encoded");
}

// Coded bytes of a picture of any look, or its samples, with the shape that they stand behind.
Bytes fresh(Bytes head, Random& random) {
    head.resize(kHead);
    Input input = read(head);
    const auto samples = draw_picture(input.shape, kLooks[random.below(std::size(kLooks))], random.next());
    const Bytes content = input.coded ? lossless::encode_strip(samples, input.shape, input.effort, 1)
                                      : content_of(samples, input.shape.depth);
    head.insert(head.end(), content.begin(), content.end());
    return head;
}

void damage(Bytes& data, std::size_t from, Random& random) {
    for (std::size_t count = 1 + random.below(4); count > 0 && data.size() > from; --count) {
        const std::size_t at = from + random.below(data.size() - from);
        switch (random.below(4)) {
            case 0: data[at] = random.byte(); break;
            case 1: data[at] ^= static_cast<std::uint8_t>(1u << random.below(8)); break;
            case 2: data.insert(data.begin() + static_cast<std::ptrdiff_t>(at), random.byte()); break;
            case 3: data.resize(at); break;
        }
    }
}

std::size_t give(const Bytes& data, std::uint8_t* out, std::size_t max_size) {
    const std::size_t size = std::min(data.size(), max_size);
    std::copy_n(data.begin(), size, out);
    return size;
}

}  // namespace

const char* const corpus_extension = ".strip";

bool check_all(const std::uint8_t* bytes, std::size_t size) {
    if (size < kHead) return false;
    const Bytes data(bytes, bytes + size);
    const Input input = read(data);
    if (!input.coded) {
        check_round_trip(samples_of(input), input);
        return true;
    }
    try {
        const auto samples = decode(input.content, input, 1);
        require(input.threads == 1 || samples == decode(input.content, input, input.threads), "samples do not depend on threads");
        require(std::ranges::all_of(samples, [&](int sample) { return sample <= input.shape.most(); }),
                "samples are what their depth allows");
        if (input.again) check_round_trip(samples, input);
        return true;
    } catch (const Error&) {
        return false;
    }
}

extern "C" {

// Chance makes no sound strip: half of the inputs are drawn anew, and coded, before they are damaged.
std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
    Random random(seed);
    Bytes mutated(data, data + size);
    if (random.below(3) == 0 || size < kHead) {
        mutated.resize(std::max(size, kHead));
        std::generate_n(mutated.begin(), kHead, [&] { return random.byte(); });
    }
    if (random.below(2)) mutated = fresh(std::move(mutated), random);
    if (random.below(8)) damage(mutated, kHead, random);
    return give(mutated, data, max_size);
}

// The shape of one with the content of another.
std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size, const std::uint8_t* other,
                                      std::size_t other_size, std::uint8_t* out, std::size_t max_size,
                                      unsigned seed) {
    Random random(seed);
    Bytes crossed(data, data + std::min(size, kHead));
    if (other_size > kHead) crossed.insert(crossed.end(), other + kHead, other + other_size);
    damage(crossed, std::min(crossed.size(), kHead), random);
    return give(crossed, out, max_size);
}

}  // extern "C"
