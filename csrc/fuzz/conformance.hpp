// What the parts of the conformance program have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "dense.hpp"

namespace recodec {

inline constexpr std::size_t kThreads[] = {1, 2, 7};

// What `run` makes with each set of instructions. Throws std::logic_error where they disagree.
template <class Run>
auto on_all_instructions(const Run& run) {
    std::optional<decltype(run())> expected;
    for (const Instructions& one : available_instructions()) {
        setenv("RECODEC_INSTRUCTIONS", one.name, 1);
        auto found = run();
        if (expected && found != *expected) throw std::logic_error(std::string(one.name) + " gives something else");
        expected = std::move(found);
    }
    return *expected;
}

inline void print_line(const char* name, std::size_t count, const char* things, std::uint32_t digest) {
    std::printf("%-18s  %10zu %s  %08x\n", name, count, things, digest);
}

// A line for each effort, depth and look of strips, of so many samples at least. Throws std::logic_error.
void check_strips(std::size_t least);

}  // namespace recodec
