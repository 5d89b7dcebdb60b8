#include "dense.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "error.hpp"

namespace recodec {

namespace {

void add_product(const std::int16_t* x, const std::int16_t* weights, std::size_t inputs, std::size_t outputs,
                 std::int32_t* sums) {
    for (std::size_t i = 0; i < inputs; i += 2, weights += 2 * outputs) {
        const std::int32_t first = x[i], second = x[i + 1];
        for (std::size_t o = 0; o < outputs; ++o) {
            sums[o] += first * weights[2 * o] + second * weights[2 * o + 1];
        }
    }
}

void add_rows(const std::int16_t* const* rows, std::size_t height, std::size_t count, std::int16_t* sums) {
    for (std::size_t r = 0; r < height; ++r) {
        for (std::size_t i = 0; i < count; ++i) sums[i] = static_cast<std::int16_t>(sums[i] + rows[r][i]);
    }
}

void activate(const std::int32_t* sums, const std::int16_t* code_sums, std::size_t count, Activation how,
              std::int16_t* to) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t sum = sums[i] + code_sums[i] * (1 << how.code_sum_shift) + (1 << (how.shift - 1));
        to[i] = static_cast<std::int16_t>(std::clamp(sum >> how.shift, how.least, kActivationLimit));
    }
}

void add_scaled(const std::int8_t* row, std::size_t count, std::int32_t scale, std::int32_t* sums) {
    for (std::size_t i = 0; i < count; ++i) sums[i] += row[i] * scale;
}

}  // namespace

const Instructions kScalar = {"scalar", add_product, add_rows, activate, add_scaled};

const std::vector<Instructions>& available_instructions() {
    static const std::vector<Instructions> found = [] {
        std::vector<Instructions> list;
#ifdef RECODEC_X86
        // The first is used, so the order is that of times measured by `bench/entropy.py speed`: VNNI has gained none.
        if (__builtin_cpu_supports("avx2")) list.push_back(kAvx2);
        if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")) list.push_back(kVnni);
#endif
        list.push_back(kScalar);
        return list;
    }();
    return found;
}

const Instructions& chosen_instructions() {
    const auto& found = available_instructions();
    const char* wanted = std::getenv("RECODEC_INSTRUCTIONS");
    if (wanted == nullptr || *wanted == 0) return found.front();
    std::string names;
    for (const Instructions& one : found) {
        if (std::strcmp(one.name, wanted) == 0) return one;
        names += names.empty() ? one.name : std::string(", ") + one.name;
    }
    throw Error(Errc::setting, "the environment variable RECODEC_INSTRUCTIONS is \"" + std::string(wanted) +
                                   "\"; this machine has " + names + ": name one or unset it");
}

}  // namespace recodec
