// Planes decoded on several threads, each trailing the one before by some rows.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace recodec {

// Calls code_row(worker, plane, y) for every row of every plane, so that row y of a plane comes after row
// y + `lag` - 1 of the plane before it. Planes are begun in order. A worker has one plane at a time.
template <class CodeRow>
void run_pipeline(std::size_t planes, std::uint32_t height, std::uint32_t lag, std::size_t threads,
                  const CodeRow& code_row) {
    const std::size_t workers = std::clamp(threads, std::size_t{1}, std::max(planes, std::size_t{1}));
    std::vector<std::atomic<std::uint32_t>> done(planes + 1);  // rows of each plane, the one before first
    done[0] = height;
    std::atomic<std::size_t> next = 0;

    const auto wait_for = [](const std::atomic<std::uint32_t>& count, std::uint32_t least) {
        for (std::uint32_t seen = count.load(std::memory_order_acquire); seen < least;
             seen = count.load(std::memory_order_acquire)) {
            count.wait(seen, std::memory_order_acquire);
        }
    };
    const auto work = [&](std::size_t worker) {
        for (std::size_t i = next++; i < planes; i = next++) {
            for (std::uint32_t y = 0; y < height; ++y) {
                wait_for(done[i], std::min(y + lag, height));
                code_row(worker, i, y);
                done[i + 1].store(y + 1, std::memory_order_release);
                done[i + 1].notify_all();
            }
        }
    };
    std::vector<std::thread> helpers;
    helpers.reserve(workers);
    try {
        for (std::size_t worker = 1; worker < workers; ++worker) helpers.emplace_back(work, worker);
    } catch (const std::system_error&) {
        // Those that there are do the work of all.
    }
    work(0);
    for (std::thread& helper : helpers) helper.join();
}

}  // namespace recodec
