#include "plane_coder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <optional>
#include <vector>

#include "../plane_coder.hpp"
#include "contexts.hpp"
#include "decisions.hpp"
#include "distribution.hpp"
#include "error_coder.hpp"
#include "exact_contexts.hpp"
#include "measures.hpp"
#include "predictors.hpp"

namespace recodec::lossless {

namespace {

template <class Setting, bool Deep, bool Drawn>
class Coder final : public PlaneCoder {
public:
    Coder(const PlanesSoFar& planes, std::uint32_t height, std::uint32_t width, const SampleRange& range,
          const Kernels& kernels)
        : planes_(planes),
          width_(width),
          range_(range),
          predictors_(planes, width, range, kernels),
          biases_(9 * 9 * 9 * 9),
          decisions_(Errors::kNodes, kernels) {
        for (std::size_t i = 0; i < kDistributions; ++i) {
            scales_[i].assign(kScaleRows[Setting::kDistributions[i]], Mean{4 * kUnit * 16 << range.noise, 0});
        }
        if constexpr (Drawn) {
            exact_.emplace(planes, width, std::size_t{height} * width);
        } else {
            for (std::size_t i = 0; i < kCounters; ++i) {
                counters_[i].resize(kCounterRows[Setting::kCounters[i]] * Errors::kNodes);
            }
        }
    }

    void code_row(BitWriter& bits, std::uint32_t y) override { code(bits, y); }
    void code_row(BitReader& bits, std::uint32_t y) override { code(bits, y); }

private:
    static constexpr std::size_t kDistributions = Setting::kDistributions.size(),
                                 kCounters = Drawn ? ExactContexts::kCounters : Setting::kCounters.size();

    using SamplePredictors = Predictors<Setting, Deep>;
    using Prediction = typename SamplePredictors::Prediction;
    using Errors = ErrorCoder<Deep, kDistributions>;

    static constexpr std::size_t kQuick = SamplePredictors::kQuick;

    // What a sample's statistics are chosen by.
    struct View {
        const Prediction& prediction;
        Surroundings around;
        std::uint32_t errors = 0;             // sizes of those around, as a row of counters
        std::uint32_t first = 0, second = 0;  // steps of activity
    };

    // A sample's statistics.
    struct Scene {
        std::array<Logistic, kDistributions> distributions;
        std::array<Mean*, kDistributions> scales;
        Mean* bias;
        std::int32_t centre;  // the blend less its bias, Q6
        std::int32_t near;
        std::array<std::uint32_t, Setting::kCounters.size()> rows;
        std::array<std::uint32_t, 2> selectors;
    };

    template <class Bits>
    void code(Bits& bits, std::uint32_t y) {
        SamplePlane& samples = planes_.at_work().samples;
        samples.begin_row(y);
        predictors_.begin_row();
        decisions_.begin_row(y);
        std::uint16_t* row = samples.at(y, 0);
        for (std::uint32_t x = 0; x < width_; ++x) {
            const Prediction prediction = predictors_.predict(y, x);
            Scene scene = look(y, x, prediction);
            const std::int32_t sample = code_sample(bits, row[x], y, x, scene);
            row[x] = static_cast<std::uint16_t>(sample);
            learn(y, x, sample, prediction, scene);
        }
        samples.end_row(y);
        planes_.at_work().errors.end_row(y);
        predictors_.end_row();
    }

    template <class Bits>
    std::int32_t code_sample(Bits& bits, std::int32_t sample, std::uint32_t y, std::uint32_t x, const Scene& scene) {
        if constexpr (Drawn) {
            exact_->look(y, x);
            const std::int32_t expected = exact_->expected();
            const std::array<std::uint32_t, 2> selectors = {exact_->selector(), scene.selectors[1]};
            return Errors::code(sample, exact_->centre() * kUnit, range_.most, scene.distributions, expected,
                                [&](bool bit, std::size_t node, std::uint32_t said, const auto& logits) {
                                    return decisions_.code(bits, bit, node, logits, exact_->counters(node, said), selectors);
                                });
        } else {
            return Errors::code(sample, scene.centre, range_.most, scene.distributions, -1,
                                [&](bool bit, std::size_t node, std::uint32_t, const auto& logits) {
                                    std::array<RowCounter*, kCounters> counters;
                                    for (std::size_t i = 0; i < kCounters; ++i) {
                                        counters[i] = &counters_[i][scene.rows[i] * Errors::kNodes + node];
                                    }
                                    return decisions_.code(bits, bit, node, logits, counters, scene.selectors);
                                });
        }
    }

    Scene look(std::uint32_t y, std::uint32_t x, const Prediction& prediction) {
        const View view = view_of(y, x, prediction);
        Scene scene;
        scene.near = view.around.near;
        const std::int32_t ahead = (prediction.each[kQuick] - prediction.each[0]) >> range_.noise;
        scene.bias = &biases_[view.errors * 9 + size_of(ahead / kUnit)];
        const std::int32_t correction = scene.bias->value / (scene.bias->count + 4) * 45 / 64;
        scene.centre = std::clamp(prediction.blend + correction, 0, range_.most * kUnit);
        expect(scene, view, x);
        const std::int32_t fraction = scene.centre % kUnit;
        if constexpr (!Drawn) {
            const Neighbours neighbours(planes_.at_work().samples, y, x);
            for (std::size_t i = 0; i < scene.rows.size(); ++i) {
                scene.rows[i] = counter_row(Setting::kCounters[i], view, neighbours, scene.centre);
            }
        }
        scene.selectors = {view.first, view.second + (fraction < kUnit / 2 ? 8 : 0)};
        return scene;
    }

    View view_of(std::uint32_t y, std::uint32_t x, const Prediction& prediction) const {
        View view{prediction, Surroundings(planes_, y, x)};
        Surroundings& around = view.around;
        const std::int32_t blend = prediction.blend, activity = around.activity;
        for (std::size_t w = 0; w < SamplePredictors::kWindows; ++w) around.spread += std::abs(prediction.each[w] - blend);
        around.spread = (around.spread + std::abs(prediction.each[kQuick] - blend) / 2) >> range_.noise;
        view.errors = (around.left_size * 9 + around.above_size) * 9 + around.other_size;
        view.first = steps(activity + around.spread, 3, 24);
        view.second = alone() ? steps(activity * 45 / 64 + 2 * around.spread, 2, 16)
                              : steps(around.other_activity + activity / 2, 2, 16);
        return view;
    }

    // The distributions of a sample whose centre is known.
    void expect(Scene& scene, const View& view, std::uint32_t x) {
        const auto& each = view.prediction.each;
        const std::array<std::int32_t, 8> centres = {scene.centre, scene.centre, each[0],
                                                     each[std::min<std::size_t>(1, SamplePredictors::kWindows - 1)],
                                                     each[SamplePredictors::kWindows - 1], each[kQuick],
                                                     each[SamplePredictors::kMedian], view.prediction.blend};
        for (std::size_t i = 0; i < kDistributions; ++i) {
            const std::size_t number = Setting::kDistributions[i];
            scene.scales[i] = &scales_[i][scale_row(number, view, x)];
            const std::int32_t scale = std::max(static_cast<std::int32_t>(std::int64_t{scene.scales[i]->value} * 45 >> 6), 128);
            scene.distributions[i] = {centres[number], (1 << 26) / scale};
        }
    }

    std::size_t scale_row(std::size_t number, const View& view, std::uint32_t x) const {
        const std::int32_t activity = view.around.activity, spread = view.around.spread;
        const std::int32_t beside = view.around.beside, other_activity = view.around.other_activity;
        switch (number) {
            case 0: return steps(activity, 3, 24) * 24 + steps(alone() ? spread : other_activity, 2, 16);
            case 1: return steps(activity / 2 + 2 * spread, 4, 40);
            case 2: return steps(beside + other_activity * 45 / 64, 4, 40);
            case 3: return steps(4 * spread, 3, 30) * 20 + steps(other_activity + beside, 2, 20);
            default: {
                const std::size_t i = std::min(number - 2, SamplePredictors::kCount - 1);
                return steps(predictors_.missed_near(i, x) >> range_.noise, 3, 30) * 24 + view.first;
            }
        }
    }

    std::uint32_t counter_row(std::size_t number, const View& view, const Neighbours& neighbours,
                              std::int32_t centre) const {
        const std::int32_t blend = view.prediction.blend;
        switch (number) {
            case 0: {
                const std::int32_t quick = (view.prediction.each[kQuick] - blend) >> range_.noise;
                const std::int32_t ahead = (quick * 3 + kUnit) / (2 * kUnit) + 6;
                return view.second * 13 + static_cast<std::uint32_t>(std::clamp(ahead, 0, 12));
            }
            case 1: return view.errors;
            case 2: return neighbours.pattern(blend) * 4 + std::min(3u, view.first / 6);
            case 3: return static_cast<std::uint32_t>(high_bits(centre));
            case 4: {
                const auto size = [&](std::int32_t neighbour) { return size_of((neighbour - blend / kUnit) >> range_.noise); };
                return (size(neighbours.left) * 9 + size(neighbours.above)) * 9 + size(neighbours.right);
            }
            case 5: return (view.second * 16 + steps(view.around.activity, 2, 16)) * 9 + view.around.other_size;
            case 6: return static_cast<std::uint32_t>(high_bits(centre) / 8) * 24 + view.first;
            default: return view.first * 4 + static_cast<std::uint32_t>(centre % kUnit / (kUnit / 4));
        }
    }

    // No plane comes before this one.
    bool alone() const { return planes_.size() == 1; }

    // The eight highest bits of a centre.
    std::int32_t high_bits(std::int32_t centre) const {
        const auto depth = static_cast<int>(std::bit_width(static_cast<std::uint32_t>(range_.most)));
        return (centre / kUnit) >> std::max(depth - 8, 0);
    }

    void learn(std::uint32_t y, std::uint32_t x, std::int32_t sample, const Prediction& prediction, Scene& scene) {
        const std::int32_t value = sample * kUnit, half = kUnit / 2 << range_.noise;
        const std::int32_t missed = (value - scene.centre + half) >> (6 + range_.noise);
        *planes_.at_work().errors.at(y, x) = static_cast<std::int16_t>(std::clamp(missed, -32767, 32767));
        scene.bias->value += value - prediction.blend;
        if (++scene.bias->count >= 64) {
            scene.bias->value /= 2;
            scene.bias->count /= 2;
        }
        for (std::size_t i = 0; i < kDistributions; ++i) {
            scene.scales[i]->follow(std::abs(value - scene.distributions[i].centre) * 16);
        }
        predictors_.learn(x, sample, prediction, scene.near);
        if constexpr (Drawn) exact_->learn(y, x, sample);
    }

    PlanesSoFar planes_;
    std::uint32_t width_;
    SampleRange range_;
    SamplePredictors predictors_;
    std::vector<Mean> biases_;
    std::array<std::vector<Mean>, kDistributions> scales_;
    std::array<std::vector<RowCounter>, Drawn ? 0 : kCounters> counters_;
    std::optional<ExactContexts> exact_;
    Decisions<kDistributions, kCounters> decisions_;
};

}  // namespace

std::unique_ptr<PlaneCoder> make_plane_coder(const PlanesSoFar& planes, std::uint32_t height, std::uint32_t width,
                                             Effort effort, const SampleRange& range, bool drawn,
                                             const Kernels& kernels) {
    const auto of = [&]<class Setting, bool Deep>() -> std::unique_ptr<PlaneCoder> {
        if (drawn) return std::make_unique<Coder<Setting, Deep, true>>(planes, height, width, range, kernels);
        return std::make_unique<Coder<Setting, Deep, false>>(planes, height, width, range, kernels);
    };
    const auto with = [&]<class Setting>() {
        return planes.deep() ? of.template operator()<Setting, true>() : of.template operator()<Setting, false>();
    };
    switch (effort) {
        case Effort::fast: return with.template operator()<FastSetting>();
        case Effort::standard: return with.template operator()<StandardSetting>();
        case Effort::best: break;
    }
    return with.template operator()<BestSetting>();
}

}  // namespace recodec::lossless
