// Runs a fuzz target from a seed with any compiler, where libFuzzer would need clang.
//
//     fuzzer --executions N [--seed S] [--first I] PATH...     files, or directories that hold some at any depth
//
// First every file as it is, then executions I to I + N - 1 of the seed, each of which depends on its number
// and the files alone. The input of one that dies, or takes half a minute of the processor, is left in crash-S-I.
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "files.hpp"
#include "fuzz_target.hpp"
#include "mutate.hpp"

// So that the handler below sees what the sanitizers find.
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

namespace {

using namespace recodec;

constexpr std::size_t kMaxBytes = 1u << 14;
constexpr unsigned kMaxSeconds = 30;
// By the clock, for threads that wait for each other; on a busy machine those of the processor take many.
constexpr unsigned kMaxWait = 3600;

// What a signal handler can reach.
std::array<std::uint8_t, kMaxBytes> input;
std::size_t input_size = 0;
char crash_name[64];

extern "C" void save_input(int signal) {
    const int file = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, input.data(), input_size) < 0) _exit(3);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

struct Options {
    std::uint64_t executions = 0, seed = 1, first = 0;
    std::vector<std::string> places;
};

Options parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        std::uint64_t* number = word == "--executions" ? &options.executions
                                : word == "--seed"     ? &options.seed
                                : word == "--first"    ? &options.first
                                                       : nullptr;
        if (!number) {
            options.places.push_back(word);
        } else if (++i < count) {
            *number = std::stoull(words[i]);
        }
    }
    return options;
}

struct Corpus {
    std::vector<Bytes> files, sound;

    // What is broken already seldom gets deep by being broken further.
    const Bytes& draw(Random& random) const {
        const auto& pool = sound.empty() || random.below(4) == 0 ? files : sound;
        return pool[random.below(pool.size())];
    }
};

// Leaves mutation `index` of the corpus in `input`.
void make_input(const Corpus& corpus, const Options& options, std::uint64_t index) {
    Random random(options.seed << 40 ^ index);
    const Bytes& file = corpus.draw(random);
    const Bytes& other = corpus.draw(random);
    const auto seed = static_cast<unsigned>(random.next());
    std::ranges::copy(file, input.begin());
    input_size = random.below(8) == 0 ? LLVMFuzzerCustomCrossOver(file.data(), file.size(), other.data(), other.size(),
                                                                  input.data(), kMaxBytes, seed)
                                      : LLVMFuzzerCustomMutator(input.data(), file.size(), kMaxBytes, seed);
}

bool execute(const Options& options, std::uint64_t index) {
    std::snprintf(crash_name, sizeof crash_name, "crash-%llu-%llu", static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(index));
    const itimerval limit{{0, 0}, {kMaxSeconds, 0}};
    setitimer(ITIMER_PROF, &limit, nullptr);
    alarm(kMaxWait);
    return check_all(input.data(), input_size);
}

}  // namespace

int main(int count, char** words) try {
    const Options options = parse(count, words);
    Corpus corpus;
    for (const auto& path : find_files(options.places, corpus_extension)) {
        corpus.files.push_back(read_file(path));
        if (corpus.files.back().size() > kMaxBytes) corpus.files.pop_back();
    }
    if (corpus.files.empty()) {
        std::fputs("usage: fuzzer --executions N [--seed S] [--first I] PATH...\n", stderr);
        return 2;
    }
    std::signal(SIGABRT, save_input);
    std::signal(SIGALRM, save_input);
    std::signal(SIGPROF, save_input);
    for (const Bytes& file : corpus.files) {
        std::ranges::copy(file, input.begin());
        input_size = file.size();
        if (execute(options, 0)) corpus.sound.push_back(file);
    }
    std::uint64_t decoded = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = options.first; i < options.first + options.executions; ++i) {
        make_input(corpus, options, i);
        decoded += execute(options, i);
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    std::printf("%llu executions, %llu decoded, %.0f s, %.0f a second\n",
                static_cast<unsigned long long>(options.executions), static_cast<unsigned long long>(decoded),
                spent.count(), static_cast<double>(options.executions) / spent.count());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "fuzzer: %s\n", error.what());
    std::abort();
}
