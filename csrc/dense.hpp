// The arithmetic of the entropy model: 16-bit integers, 32-bit sums.
//
// One definition (dense.cpp), several sets of instructions; all give the same numbers, as long as no sum
// overflows, which EntropyTables makes sure of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace recodec {

// sums[o] += Σ x[i] · w(i, o) for i < inputs (even), o < outputs (a multiple of 8). Weights lie in pairs of
// inputs: w[(i / 2) · 2 · outputs + 2 · o + i % 2].
using AddProduct = void (*)(const std::int16_t* x, const std::int16_t* weights, std::size_t inputs,
                            std::size_t outputs, std::int32_t* sums);

// sums[i] += Σ rows[r][i] for r < height, i < count (a multiple of 8).
using AddRows = void (*)(const std::int16_t* const* rows, std::size_t height, std::size_t count, std::int16_t* sums);

// From a sum and what rows add to it to an activation between `least` and kActivationLimit:
// to[i] = clamp((sums[i] + code_sums[i] · 2^code_sum_shift + 2^(shift − 1)) >> shift) for i < count (a multiple of 8).
struct Activation {
    int code_sum_shift, shift;
    std::int32_t least;
};
using Activate = void (*)(const std::int32_t* sums, const std::int16_t* code_sums, std::size_t count, Activation how,
                          std::int16_t* to);

inline constexpr std::int32_t kActivationLimit = 4095;

// sums[i] += row[i] · scale for i < count (a multiple of 8); scale lies in -256..256.
using AddScaled = void (*)(const std::int8_t* row, std::size_t count, std::int32_t scale, std::int32_t* sums);

struct Instructions {
    const char* name;
    AddProduct add_product;
    AddRows add_rows;
    Activate activate;
    AddScaled add_scaled;
};

// Those that this build has and this processor can run, in the order of choice; "scalar" is always the last.
const std::vector<Instructions>& available_instructions();

// The first, or the one that the environment variable RECODEC_INSTRUCTIONS names. Throws Error for others.
const Instructions& chosen_instructions();

extern const Instructions kScalar;
#ifdef RECODEC_X86
extern const Instructions kAvx2, kVnni;
#endif

}  // namespace recodec
