#include "plane_group.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../plane_coder.hpp"
#include "../plane_pipeline.hpp"
#include "../range_coder.hpp"
#include "kernels.hpp"
#include "plane_coder.hpp"
#include "plane_mode.hpp"

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

// A row of a plane needs those before it a little further.
constexpr std::uint32_t kLag = kRowsAhead + 1;

class PlaneGroup {
public:
    PlaneGroup(const StripShape& shape, Effort effort) : shape_(shape), effort_(effort), roles_(roles_of(shape.channels)) {}

    std::size_t size() const { return roles_.size(); }

    std::vector<std::uint16_t> plane_of(std::span<const std::uint16_t> samples, std::size_t plane) const {
        std::vector<std::uint16_t> found;
        found.reserve(shape_.pixels());
        for (std::size_t i = roles_[plane].channel; i < samples.size(); i += shape_.channels) found.push_back(samples[i]);
        return found;
    }

    // The next plane, whose samples are to be coded, or come of it if there are none.
    void add(PlaneMode mode, std::span<const std::uint16_t> samples) {
        const SampleRange range = mode.range();
        planes_.push_back(std::make_unique<PlanePair>(shape_.height, shape_.width, range.most));
        std::size_t i = 0;
        for (std::uint32_t y = 0; y < shape_.height && !samples.empty(); ++y) {
            std::uint16_t* row = planes_.back()->samples.at(y, 0);
            for (std::uint32_t x = 0; x < shape_.width; ++x) row[x] = mode.levels.rank(samples[i++]);
        }
        std::vector<PlanePair*> known;
        for (const std::size_t before : roles_[coders_.size()].before) known.push_back(planes_[before].get());
        known.push_back(planes_.back().get());
        coders_.push_back(make_plane_coder(PlanesSoFar(known), shape_.height, shape_.width, effort_, range, mode.drawn,
                                           chosen_kernels()));
        modes_.push_back(std::move(mode));
    }

    template <class Bits>
    void code(std::vector<Bits>& bits, std::size_t threads) {
        run_pipeline(planes_.size(), shape_.height, kLag, threads, [&](std::size_t, std::size_t plane, std::uint32_t y) {
            coders_[plane]->code_row(bits[plane], y);
        });
    }

    void give(std::span<std::uint16_t> samples) const {
        for (std::size_t p = 0; p < planes_.size(); ++p) {
            std::size_t place = roles_[p].channel;
            for (std::uint32_t y = 0; y < shape_.height; ++y) {
                const std::uint16_t* row = planes_[p]->samples.at(y, 0);
                for (std::uint32_t x = 0; x < shape_.width; ++x, place += shape_.channels) {
                    samples[place] = modes_[p].levels.value(row[x]);
                }
            }
        }
    }

private:
    StripShape shape_;
    Effort effort_;
    std::vector<PlaneRole> roles_;
    std::vector<PlaneMode> modes_;
    std::vector<std::unique_ptr<PlanePair>> planes_;
    std::vector<std::unique_ptr<PlaneCoder>> coders_;
};

}  // namespace

Bytes encode_planes(std::span<const std::uint16_t> samples, const StripShape& shape, std::int32_t most, Effort effort,
                    bool drawn, std::size_t threads) {
    PlaneGroup group(shape, effort);
    std::vector<RangeEncoder> encoders(group.size());
    std::vector<BitWriter> bits;
    for (std::size_t p = 0; p < group.size(); ++p) {
        const std::vector<std::uint16_t> plane = group.plane_of(samples, p);
        PlaneMode mode = choose_mode(plane, shape.width, most, drawn);
        bits.emplace_back(encoders[p]);
        code_mode(bits.back(), mode);
        group.add(std::move(mode), plane);
    }
    group.code(bits, threads);

    Bytes data, streams;
    for (std::size_t p = 0; p < encoders.size(); ++p) {
        const Bytes stream = std::move(encoders[p]).finish();
        if (p + 1 < encoders.size()) put_varint(data, static_cast<std::uint32_t>(stream.size()));
        streams.insert(streams.end(), stream.begin(), stream.end());
    }
    data.insert(data.end(), streams.begin(), streams.end());
    return data;
}

void decode_planes(ByteView data, const StripShape& shape, std::int32_t most, Effort effort,
                   std::span<std::uint16_t> samples, std::size_t threads) {
    PlaneGroup group(shape, effort);
    const std::size_t planes = group.size();
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
        PlaneMode mode;
        mode.levels = Levels(most);
        code_mode(bits.back(), mode);
        group.add(std::move(mode), {});
    }
    group.code(bits, threads);
    group.give(samples);
}

}  // namespace recodec::lossless
