#include "plane_coder.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "../plane_coder.hpp"

namespace recodec::lossless {

namespace {

constexpr std::int32_t kUnit = 64;  // of predictions, Q6
constexpr std::size_t kBuckets = 15, kUp = 1, kDown = kUp + kBuckets, kInside = kDown + kBuckets, kNodes = kInside + kBuckets;

// Where buckets begin: one value, one, two, two, four and so on.
constexpr auto kBounds = [] {
    std::array<std::int32_t, kBuckets + 1> bounds{};
    for (std::size_t i = 0; i < kBuckets; ++i) bounds[i + 1] = bounds[i] + (1 << i / 2);
    return bounds;
}();

// 8 · log2 of a number from 1 on, between powers of two in straight lines.
std::uint32_t eighths(std::uint32_t value) {
    const auto exponent = static_cast<std::uint32_t>(std::bit_width(value) - 1);
    const std::uint32_t mantissa = exponent >= 3 ? value >> (exponent - 3) : value << (3 - exponent);
    return 8 * exponent + (mantissa & 7);
}

// Steps of a magnitude in Q6, so many to an octave above 1, below `count`.
std::uint32_t steps(std::int32_t magnitude, std::uint32_t per_octave, std::uint32_t count) {
    const std::uint32_t place = (eighths(static_cast<std::uint32_t>(std::max(magnitude, 0) + kUnit)) - 48) * per_octave >> 3;
    return std::min(place, count - 1);
}

// 0..8, of a difference in whole samples; 4 is none.
std::uint32_t size_of(std::int32_t difference) {
    const std::int32_t magnitude = std::abs(difference);
    const std::uint32_t size = magnitude == 0 ? 0 : magnitude < 2 ? 1 : magnitude < 5 ? 2 : magnitude < 12 ? 3 : 4;
    return difference < 0 ? 4 - size : 4 + size;
}

std::int32_t median_of(std::int32_t left, std::int32_t above, std::int32_t corner) {
    if (corner >= std::max(left, above)) return std::min(left, above);
    if (corner <= std::min(left, above)) return std::max(left, above);
    return left + above - corner;
}

// (least / error)^4 in Q20, where no error is smaller than `least`.
std::int64_t weight_of(std::int64_t least, std::int64_t error) {
    const std::int64_t ratio = (least << 16) / error, squared = ratio * ratio >> 16;
    return squared * squared >> 12;
}

void follow(std::int32_t& value, std::int32_t& count, std::int32_t told, std::int32_t most) {
    count = std::min(count + 1, most);
    value += static_cast<std::int32_t>(std::int64_t{told - value} * (655360 / (10 * count + 16)) >> 16);
}

}  // namespace

struct PlaneCoder::Scene {
    std::array<Logistic, kDistributions> distributions;
    std::array<Mean*, kDistributions> scales;
    Mean* bias;
    Contexts contexts;
    std::int32_t activity;  // twice that of errors around
};

PlaneCoder::PlaneCoder(const std::vector<PlanePair*>& planes, std::uint32_t width, Reach reach, const Kernels& kernels)
    : planes_(planes),
      plane_(planes.back()),
      width_(width),
      neighbourhood_(
          [&] {
              std::vector<const SamplePlane*> samples;
              for (const PlanePair* plane : planes) samples.push_back(&plane->samples);
              return samples;
          }(),
          reach),
      squares_(neighbourhood_.size(), width, Fading{{3, 5}, {2, 5}}, kernels),
      gradients_{GradientPredictor(neighbourhood_.size(), 480, neighbourhood_.same_place()),
                 GradientPredictor(neighbourhood_.size(), 48, neighbourhood_.same_place())},
      biases_(9 * 9 * 9 * 9),
      decisions_(kNodes, {16 * 13, 9 * 9 * 9, 256 * 4, 256, 9 * 9 * 9}) {
    for (auto* rows : {&above_, &here_}) {
        for (auto& row : *rows) row.assign(std::size_t{width} + 2, 4 * kUnit);
    }
    const std::array<std::size_t, kDistributions> sizes = {24 * 24, 40, 40};
    for (std::size_t i = 0; i < kDistributions; ++i) scales_[i].assign(sizes[i], Mean{4 * kUnit * 16, 0});
}

std::int32_t PlaneCoder::median(std::uint32_t y, std::uint32_t x) const {
    const std::uint16_t* at = plane_->samples.at(y, x);
    const std::ptrdiff_t up = -plane_->samples.stride();
    if (planes_.size() == 1) return median_of(at[-1], at[up], at[up - 1]);
    const std::uint16_t* other = planes_[planes_.size() - 2]->samples.at(y, x);
    return other[0] + median_of(at[-1] - other[-1], at[up] - other[up], at[up - 1] - other[up - 1]);
}

std::int32_t PlaneCoder::blend(std::uint32_t x, const std::array<std::int32_t, kPredictors>& each) const {
    std::array<std::int32_t, kPredictors> errors;
    for (std::size_t i = 0; i < kPredictors; ++i) {
        const std::int32_t* above = &above_[i][x + 1];
        errors[i] = 2 * left_[i] + 2 * above[0] + above[1] + above[-1] + 20;
    }
    const std::int32_t least = std::ranges::min(errors);
    std::int64_t total = 0, sum = 0;
    for (std::size_t i = 0; i < kPredictors; ++i) {
        const std::int64_t weight = weight_of(least, errors[i]);
        total += weight;
        sum += weight * each[i];
    }
    return static_cast<std::int32_t>(sum / total);
}

PlaneCoder::Scene PlaneCoder::look(std::uint32_t y, std::uint32_t x, Prediction& prediction) {
    Scene scene;
    const std::uint16_t* at = plane_->samples.at(y, x);
    const std::ptrdiff_t up = -plane_->samples.stride();
    const std::int32_t left = at[-1], above = at[up], corner = at[up - 1], right = at[up + 1], second_left = at[-2],
                       second_above = at[2 * up];
    const std::int16_t* errors = plane_->errors.at(y, x);
    const std::ptrdiff_t errors_up = -plane_->errors.stride();
    const auto missed = [&](std::ptrdiff_t offset) { return std::abs(std::int32_t{errors[offset]}); };
    scene.activity = 4 * missed(-1) + 4 * missed(errors_up) + 2 * missed(errors_up - 1) + 2 * missed(errors_up + 1) +
                     missed(-2) + missed(2 * errors_up);
    const std::int32_t activity = scene.activity * (kUnit / 2);
    const auto& each = prediction.each;
    const std::int32_t spread = std::abs(each[0] - prediction.blend) + std::abs(each[1] - prediction.blend) / 2;
    std::int32_t other_error = 0, other_activity = 0;
    if (planes_.size() > 1) {
        const ErrorPlane& before = planes_[planes_.size() - 2]->errors;
        const std::int16_t* there = before.at(y, x);
        other_error = there[0];
        other_activity = 2 * std::abs(there[0]) + std::abs(there[1]) + std::abs(there[before.stride()]);
        if (planes_.size() > 2) other_activity += std::abs(planes_[0]->errors.at(y, x)[0]);
        other_activity *= kUnit;
    }
    const bool alone = planes_.size() == 1;

    const std::uint32_t left_size = size_of(errors[-1]), above_size = size_of(errors[errors_up]),
                        other_size = size_of(other_error);
    scene.bias = &biases_[((left_size * 9 + above_size) * 9 + other_size) * 9 + size_of((each[1] - each[0]) / kUnit)];
    const std::int32_t correction = scene.bias->value / (scene.bias->count + 4) * 45 / 64;
    prediction.centre = std::clamp(prediction.blend + correction, 0, kMost * kUnit);

    const std::uint32_t first = steps(activity + spread, 3, 24);
    const std::uint32_t second = alone ? steps(activity * 45 / 64 + 2 * spread, 2, 16)
                                       : steps(other_activity + activity / 2, 2, 16);
    scene.scales[0] = &scales_[0][steps(activity, 3, 24) * 24 + steps(alone ? spread : other_activity, 2, 16)];
    scene.scales[1] = &scales_[1][steps(activity / 2 + 2 * spread, 4, 40)];
    scene.scales[2] = &scales_[2][steps((missed(-1) + missed(errors_up) + missed(errors_up + 1)) * kUnit +
                                            other_activity * 45 / 64, 4, 40)];
    const std::array<std::int32_t, kDistributions> centres = {prediction.centre, prediction.centre, each[0]};
    for (std::size_t i = 0; i < kDistributions; ++i) {
        const std::int32_t scale = std::max(scene.scales[i]->value * 45 >> 6, 128);
        scene.distributions[i] = {centres[i], (1 << 26) / scale};
    }

    const std::int32_t blend = prediction.blend, whole = blend / kUnit;
    std::uint32_t pattern = 0;
    for (const std::int32_t value : {2 * above - second_above, 2 * left - second_left, second_above, second_left, right,
                                     corner, above, left}) {
        pattern = 2 * pattern + (value * kUnit > blend);
    }
    const std::uint32_t quick = static_cast<std::uint32_t>(
        std::clamp(((each[1] - blend) * 3 + kUnit) / (2 * kUnit) + 6, 0, 12));
    scene.contexts.counters = {
        second * 13 + quick,
        (left_size * 9 + above_size) * 9 + other_size,
        pattern * 4 + std::min(3u, first / 6),
        static_cast<std::uint32_t>(prediction.centre / kUnit),
        (size_of(left - whole) * 9 + size_of(above - whole)) * 9 + size_of(right - whole),
    };
    scene.contexts.mixers = {first, second + (prediction.centre % kUnit < kUnit / 2 ? 8 : 0)};
    return scene;
}

template <class Bits>
std::int32_t PlaneCoder::code_sample(Bits& bits, std::int32_t sample, const Prediction& prediction, const Scene& scene) {
    const auto& distributions = scene.distributions;
    std::array<std::int32_t, kDistributions> logits, near, far{};
    const std::int32_t floor = prediction.centre / kUnit;
    bool up = sample > floor;
    for (std::size_t i = 0; i < kDistributions; ++i) {
        near[i] = distributions[i].distance(floor * kUnit + kUnit / 2);
        logits[i] = std::clamp(-near[i], -kMostLogit, kMostLogit);
    }
    up = floor < kMost && decisions_.code(bits, up, 0, logits, scene.contexts);
    // From here on outwards, so that all distances grow.
    const std::int32_t nearest = up ? floor + 1 : floor, most = up ? kMost - nearest : nearest;
    const std::int32_t outward = up ? 1 : -1;
    const auto beyond = [&](std::int32_t magnitude, std::array<std::int32_t, kDistributions>& shares) {
        const std::int32_t edge = (nearest + outward * magnitude) * kUnit - outward * kUnit / 2;
        for (std::size_t i = 0; i < kDistributions; ++i) shares[i] = softplus(outward * distributions[i].distance(edge));
    };
    std::int32_t magnitude = outward * (sample - nearest);
    for (std::size_t i = 0; i < kDistributions; ++i) near[i] = softplus(outward * near[i]);

    std::size_t bucket = 0;
    for (; kBounds[bucket + 1] <= most; ++bucket) {
        beyond(kBounds[bucket + 1], far);
        for (std::size_t i = 0; i < kDistributions; ++i) logits[i] = logit_of_share(far[i] - near[i]);
        const std::size_t node = (up ? kUp : kDown) + bucket;
        if (decisions_.code(bits, magnitude < kBounds[bucket + 1], node, logits, scene.contexts)) break;
        near = far;
    }
    std::int32_t low = kBounds[bucket], high = std::min(kBounds[bucket + 1], most + 1);
    if (high < kBounds[bucket + 1]) beyond(high, far);
    while (high - low > 1) {
        const std::int32_t middle = (low + high) / 2;
        std::array<std::int32_t, kDistributions> between;
        beyond(middle, between);
        for (std::size_t i = 0; i < kDistributions; ++i) {
            const std::int32_t rest = far[i] - between[i];
            const std::int32_t logit = logit_of_share(between[i] - near[i]) - logit_of_share(rest) + (rest >> 4);
            logits[i] = std::clamp(logit, -kMostLogit, kMostLogit);
        }
        if (decisions_.code(bits, magnitude < middle, kInside + bucket, logits, scene.contexts)) {
            high = middle;
            far = between;
        } else {
            low = middle;
            near = between;
        }
    }
    return nearest + outward * low;
}

void PlaneCoder::learn(std::uint32_t y, std::uint32_t x, std::int32_t sample, const Prediction& prediction, Scene& scene) {
    const std::int32_t value = sample * kUnit;
    *plane_->errors.at(y, x) = static_cast<std::int16_t>((value - prediction.centre + kUnit / 2) >> 6);
    scene.bias->value += value - prediction.blend;
    if (++scene.bias->count >= 64) {
        scene.bias->value /= 2;
        scene.bias->count /= 2;
    }
    for (std::size_t i = 0; i < kDistributions; ++i) {
        follow(scene.scales[i]->value, scene.scales[i]->count, std::abs(value - scene.distributions[i].centre) * 16, 400);
    }
    for (std::size_t i = 0; i < kPredictors; ++i) {
        left_[i] = here_[i][x + 1] = std::abs(value - prediction.each[i]);
    }
    const auto target = static_cast<std::int16_t>(sample - mean_);
    const auto trust = static_cast<std::int16_t>(std::max(1024 / (16 + scene.activity), 1));
    squares_.learn(x, inputs_, target, trust);
    for (std::size_t i = 0; i < 2; ++i) {
        gradients_[i].learn(inputs_, value - mean_ * kUnit - by_gradient_[i], energy_ / 4);
    }
}

template <class Bits>
void PlaneCoder::code_row(Bits& bits, std::uint32_t y) {
    plane_->samples.begin_row(y);
    squares_.begin_row();
    left_.fill(4 * kUnit);
    std::uint16_t* row = plane_->samples.at(y, 0);
    for (std::uint32_t x = 0; x < width_; ++x) {
        mean_ = neighbourhood_.take(y, x, inputs_);
        energy_ = 0;
        for (std::size_t i = 0; i < neighbourhood_.size(); ++i) energy_ += inputs_[i] * inputs_[i];
        if (x % LeastSquares::kGroup == 0) squares_.solve(x);
        Prediction prediction;
        std::int32_t linear = 0;
        for (std::size_t i = 0; i < neighbourhood_.size(); ++i) linear += squares_.weights()[i] * inputs_[i];
        for (std::size_t i = 0; i < 2; ++i) by_gradient_[i] = gradients_[i].predict(inputs_);
        prediction.each = {mean_ * kUnit + ((linear + 32) >> 6), mean_ * kUnit + by_gradient_[0],
                           mean_ * kUnit + by_gradient_[1], median(y, x) * kUnit};
        for (std::int32_t& value : prediction.each) value = std::clamp(value, 0, kMost * kUnit);
        prediction.blend = blend(x, prediction.each);
        Scene scene = look(y, x, prediction);
        const std::int32_t sample = code_sample(bits, row[x], prediction, scene);
        row[x] = static_cast<std::uint16_t>(sample);
        learn(y, x, sample, prediction, scene);
    }
    plane_->samples.end_row(y);
    plane_->errors.end_row(y);
    squares_.end_row();
    for (std::size_t i = 0; i < kPredictors; ++i) {
        here_[i].front() = here_[i][1];
        here_[i].back() = here_[i][width_];
        std::swap(here_[i], above_[i]);
    }
}

template void PlaneCoder::code_row(BitWriter&, std::uint32_t);
template void PlaneCoder::code_row(BitReader&, std::uint32_t);

}  // namespace recodec::lossless
