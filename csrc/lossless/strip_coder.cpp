#include "strip_coder.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../plane_coder.hpp"
#include "../plane_pipeline.hpp"
#include "../range_coder.hpp"
#include "kernels.hpp"
#include "plane_coder.hpp"

namespace recodec::lossless {

namespace {

// Where a plane lies among the channels, and those that it is predicted from.
struct PlaneRole {
    std::size_t channel;
    std::vector<std::size_t> before;
};

// Green says most of the others; alpha has little to do with them.
std::vector<PlaneRole> roles_of(std::size_t channels) {
    switch (channels) {
        case 1: return {{0, {}}};
        case 2: return {{0, {}}, {1, {}}};
        case 3: return {{1, {}}, {0, {0}}, {2, {0, 1}}};
        case 4: return {{1, {}}, {0, {0}}, {2, {0, 1}}, {3, {}}};
    }
    throw Error(Errc::format, std::to_string(channels) + " channels; a strip has 1 to 4");
}

Reach reach_of(const PlaneRole& role) { return role.before.empty() ? Reach{20, 0, 0} : Reach{12, 13, 9}; }

// A row of a plane needs those before it a little further.
constexpr std::uint32_t kLag = kRowsAhead + 1;

// The planes of a strip and their coders.
class Strip {
public:
    explicit Strip(const StripShape& shape) : shape_(shape), roles_(roles_of(shape.channels)) {
        const Kernels& kernels = chosen_kernels();
        for (const PlaneRole& role : roles_) {
            planes_.push_back(std::make_unique<PlanePair>(shape.height, shape.width));
            std::vector<PlanePair*> known;
            for (const std::size_t before : role.before) known.push_back(planes_[before].get());
            known.push_back(planes_.back().get());
            coders_.push_back(std::make_unique<PlaneCoder>(known, shape.width, reach_of(role), kernels));
        }
    }

    std::size_t planes() const { return planes_.size(); }

    template <class Bits>
    void code(std::vector<Bits>& bits, std::size_t threads) {
        run_pipeline(planes_.size(), shape_.height, kLag, threads, [&](std::size_t, std::size_t plane, std::uint32_t y) {
            coders_[plane]->code_row(bits[plane], y);
        });
    }

    void take(std::span<const std::uint8_t> samples) {
        each_sample([&](std::uint16_t& own, std::size_t i) { own = samples[i]; });
    }
    void give(std::span<std::uint8_t> samples) {
        each_sample([&](std::uint16_t& own, std::size_t i) { samples[i] = static_cast<std::uint8_t>(own); });
    }

private:
    template <class Visit>
    void each_sample(const Visit& visit) {
        for (std::size_t p = 0; p < planes_.size(); ++p) {
            for (std::uint32_t y = 0; y < shape_.height; ++y) {
                std::uint16_t* row = planes_[p]->samples.at(y, 0);
                std::size_t place = std::size_t{y} * shape_.width * shape_.channels + roles_[p].channel;
                for (std::uint32_t x = 0; x < shape_.width; ++x, place += shape_.channels) visit(row[x], place);
            }
        }
    }

    StripShape shape_;
    std::vector<PlaneRole> roles_;
    std::vector<std::unique_ptr<PlanePair>> planes_;
    std::vector<std::unique_ptr<PlaneCoder>> coders_;
};

}  // namespace

Bytes encode_strip(std::span<const std::uint8_t> samples, const StripShape& shape, std::size_t threads) {
    Strip strip(shape);
    strip.take(samples);
    std::vector<RangeEncoder> encoders(strip.planes());
    std::vector<BitWriter> bits;
    for (RangeEncoder& encoder : encoders) bits.emplace_back(encoder);
    strip.code(bits, threads);

    Bytes data, streams;
    for (std::size_t p = 0; p < encoders.size(); ++p) {
        const Bytes stream = std::move(encoders[p]).finish();
        if (p + 1 < encoders.size()) put_varint(data, static_cast<std::uint32_t>(stream.size()));
        streams.insert(streams.end(), stream.begin(), stream.end());
    }
    data.insert(data.end(), streams.begin(), streams.end());
    return data;
}

void decode_strip(ByteView data, const StripShape& shape, std::span<std::uint8_t> samples, std::size_t threads) {
    const std::size_t planes = roles_of(shape.channels).size();
    ByteReader reader(data);
    std::vector<std::size_t> sizes;
    for (std::size_t p = 0; p + 1 < planes; ++p) {
        const auto size = reader.varint();
        if (!size) throw Error(Errc::format, "a strip ends before the sizes of its planes");
        sizes.push_back(*size);
    }
    std::size_t at = reader.position();
    std::vector<BitReader> bits;
    for (std::size_t p = 0; p < planes; ++p) {
        const std::size_t left = data.size() - at, size = p + 1 < planes ? sizes[p] : left;
        if (size > left) {
            throw Error(Errc::format, "a plane of a strip claims " + std::to_string(size) + " bytes, of which " +
                                          std::to_string(left) + " are there");
        }
        bits.emplace_back(RangeDecoder(data.subspan(at, size)));
        at += size;
    }
    Strip strip(shape);
    strip.code(bits, threads);
    strip.give(samples);
}

std::uint64_t strip_memory(const StripShape& shape) {
    constexpr std::uint64_t border = 2 * SamplePlane::kBorder, per_group = 2 * kPlaces * kPlaces * sizeof(std::int32_t);
    constexpr std::uint64_t fixed = 4 << 20;
    const std::uint64_t planes = shape.channels;
    const std::uint64_t samples = (shape.height + border) * (shape.width + border) * 4;
    return planes * (samples + (shape.width / LeastSquares::kGroup + 1) * per_group + fixed);
}

}  // namespace recodec::lossless
