// Decodes files down to codes, as a reader must by FORMAT.md, without Python and without a model.
//
//     corpus_runner PATH...     files, or directories that hold .rcd files at any depth
//
// A file either decodes or is rejected with a recodec::Error; anything else that escapes, and whatever
// the sanitizers find, fails the run.
#include <cstdio>
#include <exception>

#include "decode_file.hpp"
#include "files.hpp"

namespace {

using namespace recodec;

constexpr Limits kLimits = {.pixels = 1u << 20};

}  // namespace

int main(int count, char** paths) {
    std::size_t decoded = 0, rejected = 0;
    try {
        for (const auto& path : find_files({paths + 1, paths + count})) {
            ++(decodes(read_file(path), kLimits) ? decoded : rejected);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "corpus_runner: %s\n", error.what());
        return 1;
    }
    // A run that looked at nothing must not pass for one that found nothing.
    if (decoded + rejected == 0) {
        std::fputs("usage: corpus_runner PATH...   (files, or directories that hold .rcd files)\n", stderr);
        return 2;
    }
    std::printf("%zu decoded, %zu rejected\n", decoded, rejected);
    return 0;
}
