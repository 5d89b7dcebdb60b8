// What a coder of embedded planes learns from the file itself, bit by bit: corrections to the logits of its network.
// FORMAT.md, section 12.4.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "embedded_surroundings.hpp"

namespace recodec {

// A part of a logit, Q22, that moves by what probabilities missed over what there was to learn so far.
struct Correction {
    static constexpr int kShift = 8;  // to Q14
    static constexpr std::int64_t kMissedUnit = 1 << 22;
    static constexpr std::int64_t kLimit = 1 << 25;
    static constexpr std::uint32_t kMostSeen = 1 << 30;

    std::int32_t value = 0;
    std::uint32_t seen = 0;  // Q16

    void learn(std::int64_t missed, std::uint32_t information, std::uint32_t inertia) {
        seen = std::min(seen + information, kMostSeen);
        value = static_cast<std::int32_t>(std::clamp(value + missed * kMissedUnit / (inertia + seen), -kLimit, kLimit));
    }
};

enum class Question : std::uint8_t { significance, sign, refinement };

// Those of all codes of a model.
class EmbeddedCorrections {
public:
    EmbeddedCorrections() = default;
    explicit EmbeddedCorrections(std::size_t codes) : own_(codes), expected_(codes) {}

    static std::size_t bytes(std::size_t codes) { return codes * (sizeof(Own) + sizeof(Expected)); }

    bool empty() const { return own_.empty(); }

    // Planes from which on a first bit is worth a look at what is around: below, the network knows as much.
    static constexpr std::uint8_t kLeastExpected = 5;

    static bool expects(Question question, std::uint8_t plane) {
        return question == Question::refinement || plane >= kLeastExpected;
    }

    // The corrections of one bit.
    class Chosen {
    public:
        std::int32_t sum() const {
            std::int32_t sum = own_->value >> Correction::kShift;
            if (by_mean_ != nullptr) {
                sum += (by_mean_->value >> Correction::kShift) + (by_median_->value >> Correction::kShift);
            }
            return sum;
        }

        // From a bit of which this was the probability to be 1, Q16.
        void learn(bool bit, std::int32_t probability) {
            const std::int32_t missed = (bit ? 65536 : 0) - probability;
            if (std::abs(missed) <= kLeastMissed) return;
            const auto information = static_cast<std::uint32_t>(std::int64_t{probability} * (65536 - probability) >> 16);
            own_->learn(missed, information, kOwnInertia);
            if (by_mean_ != nullptr) {
                by_mean_->learn(missed, information, kInertia);
                by_median_->learn(missed, information, kInertia);
            }
        }

    private:
        friend EmbeddedCorrections;
        Correction *own_ = nullptr, *by_mean_ = nullptr, *by_median_ = nullptr;
    };

    Chosen own(std::size_t code, Question question) {
        Chosen chosen;
        chosen.own_ = &own_[code][static_cast<std::size_t>(question)];
        return chosen;
    }

    // Those by what is around; `index` is the latent's so far.
    void add(Chosen& chosen, std::size_t code, Question question, const Expectation& expected, std::uint8_t plane,
             std::int32_t index) {
        Expected::value_type& here = expected_[code][static_cast<std::size_t>(question)];
        const auto ranges = std::min<std::size_t>(std::bit_width(static_cast<std::uint32_t>(expected.range >> plane)), kSpreads - 1);
        chosen.by_mean_ = &here.by_mean[bucket(question, expected.mean, plane, index) * kSpreads + ranges];
        chosen.by_median_ = &here.by_median[bucket(question, expected.median, plane, index)];
    }

private:
    static constexpr std::size_t kQuestions = 3, kBuckets = 16, kSpreads = 5;
    // What is missed by less is as well forgotten: most bits are foreseen.
    static constexpr std::int32_t kLeastMissed = 640;
    static constexpr std::uint32_t kOwnInertia = 655360, kInertia = 327680;

    // Of an expected index in sixteenths, in units of the plane.
    static std::size_t bucket(Question question, std::int32_t expected, int plane, std::int32_t index) {
        std::int32_t at = 0;
        switch (question) {
            case Question::significance: at = std::abs(expected) >> plane; break;
            case Question::sign: at = (expected >> (plane + 2)) + 8; break;
            case Question::refinement:
                at = (((index > 0 ? expected : -expected) - 16 * std::abs(index)) >> (plane + 3)) + 6;
                break;
        }
        return static_cast<std::size_t>(std::clamp(at, 0, static_cast<std::int32_t>(kBuckets) - 1));
    }

    struct OfExpectations {
        std::array<Correction, kBuckets * kSpreads> by_mean{};
        std::array<Correction, kBuckets> by_median{};
    };
    // Of a code.
    using Own = std::array<Correction, kQuestions>;
    using Expected = std::array<OfExpectations, kQuestions>;

    // Apart, as most bits need the former alone.
    std::vector<Own> own_;
    std::vector<Expected> expected_;
};

}  // namespace recodec
