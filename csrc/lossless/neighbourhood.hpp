// Which samples predict a sample, and how they are told to the predictors. FORMAT.md, section 14.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "kernels.hpp"
#include "samples.hpp"

namespace recodec::lossless {

struct Place {
    int down, right;
};

// Of the plane at work, all of it known, the nearest first.
inline constexpr std::array<Place, 32> kOwnPlaces = {{
    {0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-1, -2}, {-2, -1}, {-2, 1}, {-1, 2}, {-2, -2},
    {-2, 2}, {0, -3}, {-3, 0}, {-1, -3}, {-1, 3}, {-3, -1}, {-3, 1}, {-2, -3}, {-2, 3}, {-3, -2}, {-3, 2},
    {0, -4}, {-4, 0}, {-1, -4}, {-1, 4}, {-3, -3}, {-3, 3}, {-2, 4}, {-2, -4}, {0, -5}, {-5, 0},
}};
// Of a plane that is coded before, which is known on all sides.
inline constexpr std::array<Place, 13> kOtherPlaces = {{
    {0, 0}, {0, -1}, {-1, 0}, {0, 1}, {1, 0}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}, {0, -2}, {-2, 0}, {0, 2}, {2, 0},
}};
// Rows of a plane before that must be known beyond the row at work.
inline constexpr std::uint32_t kRowsAhead = 2;

// How many places of each plane.
struct Reach {
    std::size_t own, before, first;
};

class Neighbourhood {
public:
    // `planes` are those that are known, the one at work last; of those before, only the last and the first are looked at.
    Neighbourhood(std::vector<const SamplePlane*> planes, Reach reach) : planes_(std::move(planes)) {
        const auto add = [&](std::size_t plane, const auto& places, std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
                const std::ptrdiff_t offset = places[i].down * planes_[plane]->stride() + places[i].right;
                inputs_.push_back({plane, offset});
            }
        };
        const std::size_t at_work = planes_.size() - 1;
        add(at_work, kOwnPlaces, reach.own);
        whole_ = inputs_.size();
        if (at_work >= 1) add(at_work - 1, kOtherPlaces, reach.before);
        if (at_work >= 2) add(0, kOtherPlaces, reach.first);
    }

    std::size_t size() const { return inputs_.size(); }
    // The input that is the same place in the plane before; beyond the last where there is none.
    std::size_t same_place() const { return whole_; }

    // Samples less the mean around them in their own plane. Returns the mean of the plane at work.
    template <class T>
    std::int32_t take(std::uint32_t y, std::uint32_t x, std::array<T, kPlaces>& inputs) const {
        std::array<const std::uint16_t*, kMostPlanes> at{};
        std::array<std::int32_t, kMostPlanes> mean{};
        for (std::size_t p = 0; p < planes_.size(); ++p) {
            at[p] = planes_[p]->at(y, x);
            mean[p] = mean_around(at[p], planes_[p]->stride());
        }
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            const auto [plane, offset] = inputs_[i];
            inputs[i] = static_cast<T>(at[plane][offset] - mean[plane]);
        }
        return mean[planes_.size() - 1];
    }

private:
    static constexpr std::size_t kMostPlanes = 4;

    struct Input {
        std::size_t plane;
        std::ptrdiff_t offset;
    };

    static std::int32_t mean_around(const std::uint16_t* at, std::ptrdiff_t stride) {
        return (2 * (at[-1] + at[-stride]) + at[-stride - 1] + at[-stride + 1] + 3) / 6;
    }

    std::vector<const SamplePlane*> planes_;
    std::vector<Input> inputs_;
    std::size_t whole_ = 0;
};

}  // namespace recodec::lossless
