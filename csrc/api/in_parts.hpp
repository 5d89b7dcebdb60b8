// Rows for threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace recodec {

// Calls work(begin, end) for parts of 0..count, on so many threads. Throws what one of them throws.
template <class Work>
void in_parts(std::size_t count, std::size_t threads, const Work& work) {
    const std::size_t parts = std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(count, 1));
    if (parts == 1) return work(0, count);
    std::vector<std::exception_ptr> failures(parts);
    std::vector<std::thread> others;
    const auto part = [&](std::size_t number) {
        try {
            work(count * number / parts, count * (number + 1) / parts);
        } catch (...) {
            failures[number] = std::current_exception();
        }
    };
    std::size_t started = 1;
    try {
        for (; started < parts; ++started) others.emplace_back(part, started);
    } catch (...) {
        // Where no thread is to be had, this one does its part.
    }
    part(0);
    for (std::size_t number = started; number < parts; ++number) part(number);
    for (std::thread& other : others) other.join();
    for (const std::exception_ptr& failure : failures) {
        if (failure) std::rethrow_exception(failure);
    }
}

}  // namespace recodec
